package proxy

import (
	"bytes"
	"io"
	"net/http"
)

// masked is a body in which some texts are overwritten by asterisks of the same
// length, so that what was said of its length stays true.
type masked struct {
	from  io.Reader
	texts [][]byte
	hold  int    // bytes at the end that could begin one of the texts
	seen  []byte // read and not handed out
	clean int    // how much of seen may be handed out
	err   error
}

// mask returns from with texts masked; texts are not empty.
func mask(from io.Reader, texts []string) *masked {
	m := &masked{from: from}
	for _, t := range texts {
		m.texts = append(m.texts, []byte(t))
		m.hold = max(m.hold, len(t)-1)
	}
	return m
}

// Read implements io.Reader.
func (m *masked) Read(p []byte) (int, error) {
	for m.clean == 0 && m.err == nil {
		piece := make([]byte, max(len(p), 4<<10))
		n, err := m.from.Read(piece)
		m.seen, m.err = append(m.seen, piece[:n]...), err
		cover(m.seen, m.texts)
		m.clean = max(0, len(m.seen)-m.hold)
		if err != nil {
			m.clean = len(m.seen)
		}
	}
	n := copy(p, m.seen[:m.clean])
	m.seen, m.clean = m.seen[n:], m.clean-n
	if n == 0 {
		return 0, m.err
	}
	return n, nil
}

// masked returns an answer's body without what must not come back.
func (h *hop) masked(body io.Reader) io.Reader {
	if len(h.hide) == 0 {
		return body
	}
	return mask(body, h.hide)
}

// cover overwrites every occurrence of the texts.
func cover(in []byte, texts [][]byte) {
	for _, t := range texts {
		for at := 0; ; {
			i := bytes.Index(in[at:], t)
			if i < 0 {
				break
			}
			for j := range t {
				in[at+i+j] = '*'
			}
			at += i + len(t)
		}
	}
}

// maskHeader overwrites the texts in every value of h.
func maskHeader(h http.Header, texts []string) {
	var hide [][]byte
	for _, t := range texts {
		hide = append(hide, []byte(t))
	}
	for name, values := range h {
		if name == "Content-Length" {
			continue
		}
		clean := make([]string, len(values))
		for i, v := range values {
			b := []byte(v)
			cover(b, hide)
			clean[i] = string(b)
		}
		h[name] = clean
	}
}
