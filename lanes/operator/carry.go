package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	usual := l.limits.Timeout
	if m.endpoint.Timeout > 0 {
		usual = m.endpoint.Timeout
	}
	timeout := usual
	if c.Timeout > 0 {
		timeout = min(c.Timeout, max(usual, l.limits.Longest))
	}
	probe, moved, err := l.targets.enter(target.ID, l.now())
	l.note(ctx, moved)
	if err != nil {
		return nil, err
	}
	caller := ""
	if r.Subject.Kind == actor.Plugin {
		caller = r.Subject.ID
	}
	ctx, stop, land := l.flights.take(ctx, caller, target.ID)
	done.add(func() { land(); l.targets.leave(target.ID) })
	watch := time.AfterFunc(timeout, func() { stop(errLate) })

	answer, body, removed, err := l.exchange(ctx, target, m, c, r, out)
	if err != nil {
		watch.Stop()
		err = arrival(ctx, target.ID, timeout, err)
		l.note(ctx, l.targets.settle(target.ID, l.now(), probe, judge(ctx, err, 0, timeout < usual || !c.sent.Load())))
		return nil, err
	}
	watch.Stop() // from here on the answer may take its time, as long as it goes on
	l.note(ctx, l.targets.settle(target.ID, l.now(), probe, judge(ctx, nil, answer.StatusCode, false)))
	header := passed(answer.Header)
	if removed != nil {
		header.Del("Content-Length")
		header.Del("Etag")
		header.Set("X-Vivified-Redacted", strings.Join(removed, " "))
	}
	done.handed = true
	tail := &tail{body: body, left: l.limits.Body, watch: watch, patience: l.limits.Longest, whole: bodiless(answer)}
	tail.explain = func(err error) error { return arrival(ctx, target.ID, l.limits.Longest, err) }
	tail.end = func(n int64, err error) {
		detail := map[string]any{"status": answer.StatusCode, "bytes": n}
		if removed != nil {
			detail["redacted"] = removed
		}
		outcome := audit.OK
		if err != nil || answer.StatusCode >= 500 {
			outcome = audit.Failed
		}
		if err != nil {
			detail["code"] = fault.Of(err).Code
		}
		passage.End(ctx, outcome, detail)
		done.release()
	}
	return &Answer{Status: answer.StatusCode, Header: header, Body: tail, Decision: passage.ID.String()}, nil
}

// exchange signs and sends the request, and returns the answer with its body as
// the caller may see it. The error need not be a fault.
func (l *Lane) exchange(ctx context.Context, target *registry.Plugin, m match, c Call, r *policy.Request, out *http.Request) (*http.Response, io.ReadCloser, []string, error) {
	if err := l.sign(ctx, target, c, out); err != nil {
		return nil, nil, nil, err
	}
	answer, err := l.send(ctx, target, m, out)
	if err != nil {
		return nil, nil, nil, err
	}
	body, removed, err := l.clean(ctx, target, m, r, answer)
	if err != nil {
		answer.Body.Close()
		return nil, nil, nil, err
	}
	return answer, body, removed, nil
}

// errLate is why a call ends whose target takes too long.
var errLate = errors.New("the target is late")

// judge says what a call tells of its target. What the caller could bring about
// alone tells nothing: that it left, allowed less time than the operation has, or
// kept back its own body.
func judge(ctx context.Context, err error, status int, excused bool) verdict {
	if err == nil {
		if status >= http.StatusInternalServerError {
			return failing
		}
		return healthy
	}
	switch f := fault.Of(err); {
	case f.Code == CodeOutput, f.Code == "target.answer":
		return healthy // it answers; what is wrong with that is between it and its manifest
	case f.Kind != fault.BadGateway && f.Kind != fault.Timeout, f.Code == "caller.gone", excused:
		return silent
	}
	return failing
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

// send delivers once, and once more when an idempotent request (RFC 9110, 9.2.2)
// found no connection, or one that ended before the answer.
func (l *Lane) send(ctx context.Context, target *registry.Plugin, m match, out *http.Request) (*http.Response, error) {
	answer, err := l.out.Call(ctx, target, out.WithContext(ctx))
	if err == nil || ctx.Err() != nil || !isBroken(err) || !m.endpoint.Idempotent && !slices.Contains(idempotent, out.Method) {
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

// idempotent are the methods that may be sent again whatever the manifest says.
var idempotent = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}

// isBroken reports whether err is of the connection, not of an answer.
func isBroken(err error) bool {
	_, noConnection := errors.AsType[*net.OpError](err)
	_, refused := errors.AsType[*fault.Fault](err)
	return !refused && (noConnection || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// arrival says in a fault what a target did wrong, or why the call ended.
func arrival(ctx context.Context, id string, patience time.Duration, err error) error {
	cause := context.Cause(ctx)
	if f, ok := errors.AsType[*fault.Fault](cause); ok {
		return f // it was taken off the lane
	}
	f, known := errors.AsType[*fault.Fault](err)
	switch {
	case errors.Is(cause, errLate), errors.Is(cause, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "target.timeout", "%s did not answer within %s.", id, patience).Because(err)
	case cause != nil:
		return fault.New(fault.Timeout, "caller.gone", "The caller left before %s answered.", id).Because(err)
	case known:
		return f
	case isBroken(err):
		return fault.New(fault.BadGateway, "target.unreachable", "%s could not be reached; it is running, or about to be noticed as down.", id).Because(err)
	}
	return fault.New(fault.BadGateway, "target.answer", "The answer of %s is no HTTP, or ended early.", id).Because(err)
}

// clean removes from a JSON answer the fields that its schema marks above what
// the caller, and the user acted for, may see.
func (l *Lane) clean(ctx context.Context, target *registry.Plugin, m match, r *policy.Request, answer *http.Response) (io.ReadCloser, []string, error) {
	if answer.StatusCode < 200 || answer.StatusCode > 599 {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with status %d, which ends no call.", target.ID, answer.StatusCode)
	}
	if answer.ContentLength > l.limits.Body {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with more than the %d bytes this lane carries.", target.ID, l.limits.Body)
	}
	hidden := hiddenFrom(m.marks.Classes(), r)
	checked := m.output != nil && answer.StatusCode < 300 // a schema says what success looks like
	if hidden == 0 && !checked && !m.marks.HasIDs() || bodiless(answer) && (answer.ContentLength != 0 || answer.StatusCode != http.StatusOK || !checked) {
		return answer.Body, nil, nil
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with %q where its manifest promises JSON.", target.ID, kind)
	}
	defer answer.Body.Close()
	doc, err := readWhole(answer.Body, l.limits.Body)
	if err != nil {
		return nil, nil, fault.New(fault.BadGateway, "target.answer", "The answer of %s ended early or is too large.", target.ID).Because(err)
	}
	if checked {
		if err := checkOutput(m.output, target.ID, m.endpoint.Name, doc); err != nil {
			return nil, nil, err
		}
	}
	var removed []string
	if hidden != 0 {
		if doc, removed, err = m.marks.Plan(hidden).Redact(doc); err != nil {
			return nil, nil, fault.New(fault.BadGateway, "target.answer", "%s answered with something that is not JSON.", target.ID).Because(err)
		}
		if removed == nil {
			removed = []string{}
		}
	}
	if m.marks.HasIDs() {
		if doc, err = l.translateBack(ctx, target.ID, m.marks, doc); err != nil {
			return nil, nil, err
		}
		answer.Header.Del("Content-Length")
		answer.Header.Del("Etag")
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

// tail counts an answer's body, ends it at the limit or when it stands still for
// longer than patience, and tells when it is over.
type tail struct {
	body     io.ReadCloser
	left     int64
	n        int64
	whole    bool // it was read to its end, or is empty
	err      error
	watch    *time.Timer // ends the call
	patience time.Duration
	explain  func(error) error // in a fault
	end      func(n int64, err error)
}

func (t *tail) Read(p []byte) (int, error) {
	t.watch.Reset(t.patience)
	n, err := t.body.Read(p)
	t.watch.Stop() // the caller may take its time between reads
	t.n += int64(n)
	if t.left -= int64(n); t.left < 0 {
		t.err = fault.New(fault.BadGateway, "target.answer", "The answer is larger than this lane carries.")
		return 0, t.err
	}
	if err == io.EOF {
		t.whole = true
	} else if err != nil {
		t.err = t.explain(err)
		err = t.err
	}
	return n, err
}

// Close ends the call. A body closed before its end counts as failed: the caller
// left, or would not take more.
func (t *tail) Close() error {
	t.watch.Stop()
	err := t.body.Close()
	if t.end != nil {
		if t.err == nil && !t.whole {
			t.err = fault.New(fault.Timeout, "caller.gone", "The caller left before the answer was complete.")
		}
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
