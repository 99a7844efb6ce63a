package vivified

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// message is one server-sent event.
type message struct {
	id, event string
	data      []byte
}

// errLongMessage is a message beyond the reader's limit.
var errLongMessage = errors.New("a message of the stream is too long")

// messages reads a stream of server-sent events (WHATWG HTML, 9.2.6).
type messages struct {
	lines *bufio.Scanner
	limit int
}

// newMessages reads messages of at most limit bytes from r.
func newMessages(r io.Reader, limit int) *messages {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), limit)
	lines.Split(sseLine)
	return &messages{lines: lines, limit: limit}
}

// next returns the next message that carries data, or io.EOF.
func (m *messages) next() (message, error) {
	var msg message
	for m.lines.Scan() {
		line := m.lines.Bytes()
		if len(line) == 0 {
			if msg.data != nil {
				msg.data = bytes.TrimSuffix(msg.data, []byte("\n"))
				return msg, nil
			}
			msg = message{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if len(msg.data)+len(value) > m.limit {
				return message{}, errLongMessage
			}
			msg.data = append(append(msg.data, value...), '\n')
		case "event":
			msg.event = string(value)
		case "id":
			if !strings.ContainsRune(string(value), 0) {
				msg.id = string(value)
			}
		}
	}
	if err := m.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return message{}, errLongMessage
		}
		return message{}, err
	}
	return message{}, io.EOF
}

// sseLine splits at CR LF, LF or CR alone.
func sseLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	end := bytes.IndexAny(data, "\r\n")
	switch {
	case end < 0 && atEOF:
		return len(data), nil, nil // an unfinished line is discarded
	case end < 0:
		return 0, nil, nil
	case data[end] == '\n':
		return end + 1, data[:end], nil
	case end+1 < len(data) && data[end+1] == '\n':
		return end + 2, data[:end], nil
	case end+1 == len(data) && !atEOF:
		return 0, nil, nil // the LF of a CR LF may still come
	default:
		return end + 1, data[:end], nil
	}
}
