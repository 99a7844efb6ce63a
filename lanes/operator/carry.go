package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

// carry sends the decided request and prepares the answer.
func (l *Lane) carry(ctx context.Context, target *registry.Plugin, m match, c Call, r *policy.Request, out *http.Request, passage gate.Passage, done *ending) (*Answer, error) {
	timeout := l.limits.Timeout
	if m.endpoint.Timeout > 0 {
		timeout = m.endpoint.Timeout
	}
	if c.Timeout > 0 {
		timeout = min(c.Timeout, max(timeout, l.limits.Longest))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	if err := l.sign(ctx, target, c, out); err != nil {
		cancel()
		return nil, err
	}
	answer, err := l.send(ctx, target, m, out)
	if err != nil {
		err = arrival(ctx, target.ID, timeout, err) // before cancel, which would look like a caller that left
		cancel()
		return nil, err
	}
	body, removed, err := l.clean(target, m, r, answer)
	if err != nil {
		answer.Body.Close()
		cancel()
		return nil, err
	}
	header := passed(answer.Header)
	if removed != nil {
		header.Del("Content-Length")
		header.Del("Etag")
		header.Set("X-Vivified-Redacted", strings.Join(removed, " "))
	}
	done.handed = true
	tail := &tail{body: body, left: l.limits.Body, end: func(n int64, err error) {
		cancel()
		done.release()
		detail := map[string]any{"status": answer.StatusCode, "bytes": n}
		if removed != nil {
			detail["redacted"] = removed
		}
		outcome := audit.OK
		if err != nil || answer.StatusCode >= 500 {
			outcome = audit.Failed
		}
		passage.End(ctx, outcome, detail)
	}}
	return &Answer{Status: answer.StatusCode, Header: header, Body: tail, Decision: passage.ID.String()}, nil
}

// sign adds what proves to the target that the core sent this, for whom.
func (l *Lane) sign(ctx context.Context, target *registry.Plugin, c Call, out *http.Request) error {
	who, trace, user := actor.From(ctx), actor.Trace(ctx), actor.Actor{}
	switch {
	case c.OnBehalf != nil:
		user = *c.OnBehalf
	case who.Kind == actor.User:
		user = who
	}
	caller := who.ID
	if who.Kind != actor.Plugin {
		caller = "core"
	}
	token, err := l.tokens.CallToken(target.ID, caller, user.ID, trace, out.Method, out.URL.EscapedPath())
	if err != nil {
		return fault.New(fault.Unavailable, "keys.unavailable", "The core cannot sign calls now.").Because(err)
	}
	out.Header.Set("Authorization", "Bearer "+token)
	out.Header.Set("X-Vivified-Caller", caller)
	if parent := actor.Traceparent(trace); parent != "" {
		out.Header.Set("traceparent", parent)
	}
	if user.ID == "" {
		return nil
	}
	out.Header.Set("X-Vivified-User", user.ID)
	delegation, err := l.tokens.Delegation(target.ID, user, trace)
	if err != nil {
		return fault.New(fault.Unavailable, "keys.unavailable", "The core cannot sign calls now.").Because(err)
	}
	out.Header.Set("X-Vivified-Delegation", delegation)
	return nil
}

// send delivers once, and once more when an idempotent request found no connection.
func (l *Lane) send(ctx context.Context, target *registry.Plugin, m match, out *http.Request) (*http.Response, error) {
	answer, err := l.out.Call(ctx, target, out.WithContext(ctx))
	if err == nil || ctx.Err() != nil || errors.As(err, new(*fault.Fault)) || !m.endpoint.Idempotent && out.Method != http.MethodGet && out.Method != http.MethodHead {
		return answer, err
	}
	if out.Body != nil {
		if out.GetBody == nil {
			return nil, err
		}
		body, berr := out.GetBody()
		if berr != nil {
			return nil, err
		}
		out.Body = body
	}
	return l.out.Call(ctx, target, out.WithContext(ctx))
}

// arrival says what a target did wrong.
func arrival(ctx context.Context, id string, timeout time.Duration, err error) error {
	var f *fault.Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Timeout, "target.timeout", "%s did not answer within %s.", id, timeout).Because(err)
	case ctx.Err() != nil:
		return fault.New(fault.Timeout, "caller.gone", "The caller left before %s answered.", id).Because(err)
	}
	return fault.New(fault.BadGateway, "target.unreachable", "%s could not be reached; it is running, or about to be noticed as down.", id).Because(err)
}

// clean removes from a JSON answer the fields that its schema marks above what
// the caller, and the user acted for, may see.
func (l *Lane) clean(target *registry.Plugin, m match, r *policy.Request, answer *http.Response) (io.ReadCloser, []string, error) {
	if answer.StatusCode < 200 || answer.StatusCode > 599 {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with status %d, which ends no call.", target.ID, answer.StatusCode)
	}
	if answer.ContentLength > l.limits.Body {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with more than the %d bytes this lane carries.", target.ID, l.limits.Body)
	}
	hidden := hiddenFrom(m.marks.Classes(), r)
	if hidden == 0 || bodiless(answer) {
		return answer.Body, nil, nil
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with %q where its manifest promises JSON with fields the caller may not see.", target.ID, kind)
	}
	defer answer.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(answer.Body, l.limits.Body+1))
	if err != nil || int64(len(doc)) > l.limits.Body {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "The answer of %s ended early or is too large.", target.ID).Because(err)
	}
	doc, removed, err := m.marks.Plan(hidden).Redact(doc)
	if err != nil {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with something that is not JSON.", target.ID).Because(err)
	}
	if removed == nil {
		removed = []string{}
	}
	return io.NopCloser(bytes.NewReader(doc)), removed, nil
}

// bodiless reports whether an answer has no body to look into (RFC 9110, 6.4.1).
func bodiless(answer *http.Response) bool {
	return answer.ContentLength == 0 || answer.StatusCode == http.StatusNoContent || answer.StatusCode == http.StatusNotModified ||
		answer.Request != nil && answer.Request.Method == http.MethodHead
}

func hiddenFrom(marked trait.Classes, r *policy.Request) trait.Classes {
	var hidden trait.Classes
	for c := trait.Confidential; c <= trait.PHI; c++ {
		one := trait.ClassesOf(c)
		if !marked.Has(c) {
			continue
		}
		if !r.Subject.Traits.MissingFor(one).Empty() || r.OnBehalf != nil && !r.OnBehalf.Traits.MissingFor(one).Empty() {
			hidden = hidden.With(c)
		}
	}
	return hidden
}

// tail counts an answer's body, ends it at the limit, and tells when it is over.
type tail struct {
	body io.ReadCloser
	left int64
	n    int64
	err  error
	end  func(n int64, err error)
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	t.n += int64(n)
	if t.left -= int64(n); t.left < 0 {
		t.err = fault.New(fault.BadGateway, "target.answer", "The answer is larger than this lane carries.")
		return 0, t.err
	}
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

func (t *tail) Close() error {
	err := t.body.Close()
	if t.end != nil {
		t.end(t.n, t.err)
		t.end = nil
	}
	return err
}

// Unwrap recognises the early clients' wrapped form of a call: a JSON object of
// caller_plugin, payload and timeout and nothing else. A caller_plugin that is
// not the caller is refused.
func Unwrap(body []byte, caller string) (payload []byte, timeout time.Duration, ok bool, err error) {
	var w struct {
		Caller  *string         `json:"caller_plugin"`
		Payload json.RawMessage `json:"payload"`
		Timeout json.Number     `json:"timeout"`
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil, 0, false, nil
	}
	_, hasCaller := members["caller_plugin"]
	_, hasPayload := members["payload"]
	for name := range members {
		if name != "caller_plugin" && name != "payload" && name != "timeout" {
			return nil, 0, false, nil
		}
	}
	if !hasCaller && !hasPayload || json.Unmarshal(body, &w) != nil {
		return nil, 0, false, nil
	}
	if w.Caller != nil && *w.Caller != "" && *w.Caller != caller {
		return nil, 0, false, fault.New(fault.Denied, "identity.mismatch", "The body names another caller than the credential does.")
	}
	if w.Timeout != "" {
		seconds, perr := strconv.ParseFloat(string(w.Timeout), 64)
		if perr != nil || seconds <= 0 || seconds > 3600 {
			return nil, 0, false, fault.New(fault.Unprocessable, "operator.timeout", "The timeout is a number of seconds above 0.")
		}
		timeout = time.Duration(seconds * float64(time.Second))
	}
	if string(w.Payload) == "null" {
		w.Payload = nil
	}
	return w.Payload, timeout, true, nil
}
