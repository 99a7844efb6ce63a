package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

const requiresEncryption = trait.RequiresEncryption

// compiled returns the endpoints of m, compiled once for each manifest.
func (l *Lane) compiled(m *manifest.Manifest) *routes {
	if rs, ok := l.routes.Load(m); ok {
		return rs.(*routes)
	}
	rs := &routes{byName: make(map[string]route, len(m.Endpoints))}
	for _, e := range m.Endpoints {
		t, err := CompileTemplate(e.Path)
		if err != nil {
			continue // the manifest was checked when it was registered; what this version cannot compile does not exist
		}
		marks, err := canon.ReadMarks(e.ResponseSchema)
		if err != nil {
			continue
		}
		asks, err := canon.ReadMarks(e.RequestSchema)
		if err != nil && bytes.Contains(e.RequestSchema, []byte("x-global-id")) {
			continue
		}
		in, err := readInput(e.RequestSchema)
		if err != nil {
			continue
		}
		out, err := readOutput(e.ResponseSchema)
		if err != nil {
			continue
		}
		r := route{endpoint: e, template: t, marks: marks, asks: asks, input: in, output: out}
		rs.byName[e.Name] = r
		rs.byPath = append(rs.byPath, r)
	}
	slices.SortStableFunc(rs.byPath, func(a, b route) int { return a.template.Compare(b.template) })
	l.routes.Store(m, rs)
	return rs
}

// resolve finds the declared endpoint that c means.
func (l *Lane) resolve(m *manifest.Manifest, c Call) (match, bool) {
	rs := l.compiled(m)
	if c.Operation != "" {
		r, ok := rs.byName[c.Operation]
		return match{route: r, found: ok}, ok
	}
	for _, r := range rs.byPath {
		if r.endpoint.Method != "" && r.endpoint.Method != c.Method {
			continue
		}
		if params, ok := r.template.Match(c.Path.Segments); ok {
			values := make(url.Values, len(params))
			for k, v := range params {
				values.Set(k, v)
			}
			return match{route: r, params: values, found: true}, true
		}
	}
	return match{}, false
}

// method is the declared one, else the caller's; the early form posts a payload and gets without.
func (m match) method(c Call) string {
	switch {
	case m.endpoint.Method != "":
		return m.endpoint.Method
	case c.Wrapped && len(c.Payload) > 0:
		return http.MethodPost
	case c.Wrapped:
		return http.MethodGet
	}
	return c.Method
}

// request builds what the target will receive. Template names are filled from
// the path, the query or the body's members, and fields used so are removed.
func (l *Lane) request(ctx context.Context, target *registry.Plugin, m match, c Call) (*http.Request, error) {
	query, err := url.ParseQuery(c.Path.Query)
	if err != nil {
		return nil, fault.New(fault.Invalid, CodeEncoding, "The query cannot be read; check its escapes.")
	}
	query.Del("timeout")
	body, length, payload := c.Body, c.Length, c.Payload
	values := map[string]string{}
	for _, name := range m.template.Names() {
		if v, ok := m.params[name]; ok {
			values[name] = v[0]
		} else if v, ok := query[name]; ok && len(v) == 1 {
			values[name] = v[0]
			query.Del(name)
		}
	}
	method := m.method(c)
	bodyless := method == http.MethodGet || method == http.MethodHead
	if len(values) < len(m.template.Names()) || bodyless && length != 0 || m.input != nil && !bodyless {
		if payload == nil && body != nil {
			if payload, err = io.ReadAll(&limited{r: body, left: l.limits.Body, limit: l.limits.Body}); err != nil {
				if f, ok := errors.AsType[*fault.Fault](err); ok {
					return nil, f
				}
				return nil, fault.New(fault.Invalid, "body.unreadable", "The request body ended early.").Because(err)
			}
		}
		payload = fill(values, m.template.Names(), payload)
	}
	if m.asks.HasIDs() {
		if payload, err = l.translate(ctx, target.ID, m.asks, values, query, payload); err != nil {
			return nil, err
		}
	}
	path, missing, err := m.template.Expand(values)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		return nil, fault.New(fault.Invalid, "operator.parameter", "The operation %s of %s needs a value for %q, in the query or the body.", m.endpoint.Name, target.ID, missing)
	}
	if payload != nil {
		body, length = bytes.NewReader(payload), int64(len(payload))
	}
	if length > l.limits.Body {
		return nil, tooLarge(l.limits.Body)
	}
	if bodyless {
		for name, v := range asQuery(payload) {
			if !query.Has(name) {
				query[name] = v
			}
		}
		body, length = nil, 0
	}
	if m.input != nil {
		if err := m.input.check(m.endpoint.Name, query, payload, bodyless, values); err != nil {
			return nil, err
		}
	}
	u := &url.URL{Scheme: "http", Host: target.ID, RawQuery: query.Encode()}
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fault.New(fault.Invalid, CodeEncoding, "The path cannot be read.")
	}
	u.RawPath = path
	if !httpguts.ValidHeaderFieldName(method) { // a method is a token, too (RFC 9110, section 9.1)
		return nil, fault.New(fault.Invalid, CodeForm, "The call cannot be put into a request: its method is no word.")
	}
	out := (&http.Request{
		Method: method, URL: u, Host: target.ID, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 12),
	}).WithContext(ctx)
	c.sent.Store(payload != nil || body == nil || length == 0)
	if body != nil && length != 0 {
		out.Body, out.ContentLength = io.NopCloser(&limited{r: body, left: l.limits.Body, limit: l.limits.Body, whole: c.sent}), length
		if payload != nil {
			out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(payload)), nil }
		}
	}
	for _, name := range forwarded {
		if v := c.Header[name]; len(v) > 0 {
			out.Header[name] = v[:len(v):len(v)]
		}
	}
	if c.Wrapped && payload != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	return out, nil
}

// forwarded are the caller's headers a target may see. Credentials, cookies,
// identity and hop-by-hop headers are not among them.
var forwarded = []string{
	"Accept", "Accept-Language", "Content-Type", "Content-Language", "Content-Encoding", "If-Match", "If-None-Match",
	"If-Modified-Since", "If-Unmodified-Since", "Idempotency-Key", "Prefer", "Range", "Last-Event-Id",
}

// fill takes missing template values from the members of a JSON object, and
// returns the object without them.
func fill(values map[string]string, names []string, payload []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil {
		return payload
	}
	used := false
	for _, name := range names {
		if _, ok := values[name]; ok {
			continue
		}
		raw, ok := members[name]
		if !ok {
			continue
		}
		var s string
		switch {
		case json.Unmarshal(raw, &s) == nil:
		case len(raw) > 0 && strings.ContainsRune("-0123456789tf", rune(raw[0])):
			s = string(raw)
		default:
			continue
		}
		values[name], used = s, true
		delete(members, name)
	}
	if !used {
		return payload
	}
	if len(members) == 0 {
		return nil
	}
	rest, _ := json.Marshal(members)
	return rest
}

// asQuery turns the scalar members of a JSON object into a query, for an operation
// that takes no body.
func asQuery(payload []byte) url.Values {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if d.Decode(&members) != nil {
		return nil
	}
	q := url.Values{}
	for k, v := range members {
		switch v := v.(type) {
		case string, bool, json.Number:
			q.Set(k, fmt.Sprint(v))
		}
	}
	return q
}

func tooLarge(limit int64) *fault.Fault {
	return fault.New(fault.TooLarge, "body.too_large", "The body is larger than the %d bytes this lane carries.", limit)
}

// limited fails a body that grows past its limit, instead of cutting it.
type limited struct {
	r     io.Reader
	left  int64
	limit int64
	whole *atomic.Bool // set when the body came to its end; nil: nobody asks
}

func (b *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.limit)
	}
	if err == io.EOF && b.whole != nil {
		b.whole.Store(true)
	}
	return n, err
}
