package proxy

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// Answer is what came of an allowed request in the JSON form. Success says that
// the host answered, whatever its status was.
type Answer struct {
	RequestID    string            `json:"request_id"` // of the decision
	StatusCode   int               `json:"status_code"`
	Headers      map[string]string `json:"headers"` // several values joined by a comma
	Body         string            `json:"body"`
	BodyEncoding string            `json:"body_encoding"` // utf-8 or base64
	ResponseTime int64             `json:"response_time_ms"`
	Success      bool              `json:"success"`
	ErrorMessage string            `json:"error_message"`
	CompletedAt  time.Time         `json:"completed_at"`
}

// Do decides r, sends it for the plugin that acts in ctx, follows redirects if r
// says so, each decided as a request of its own, and returns the answer. A host
// that cannot be reached, or answers wrongly or too late, is an Answer without
// success. Errors are faults: Invalid, TooMany and TooLarge for the request,
// Denied for what policy refuses, Unavailable when it cannot be recorded.
func (l *Lane) Do(ctx context.Context, r Request) (Answer, error) {
	began, who := l.now(), actor.From(ctx)
	if r.Plugin != "" && r.Plugin != who.ID {
		return Answer{}, l.mismatch(ctx)
	}
	m := &message{body: r.Body, length: int64(len(r.Body))}
	var err error
	if m.method, err = methodOf(r.Method); err != nil {
		return Answer{}, err
	}
	if m.header, err = outgoing(r.Header, false); err != nil {
		return Answer{}, err
	}
	o := l.outlets.of(who.ID)
	ctx, leave, err := o.enter(ctx, began)
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, l.timeout(r.Timeout))
	defer cancel()

	first := ""
	next := r.URL
	for redirects := 0; ; redirects++ {
		h, err := l.admit(ctx, m.method, next, m.length)
		if err != nil {
			return Answer{}, err
		}
		if first == "" {
			first = h.passage.ID.String()
		}
		a, location, err := l.exchange(ctx, o, h, m, r.FollowRedirects, l.limits.Redirects-redirects)
		switch f := fault.Of(err); {
		case err == nil && location != "":
			next = m.follow(h.target, a.StatusCode, location)
			continue
		case err != nil && (f.Kind == fault.Denied || f.Kind == fault.Unauthenticated):
			return Answer{}, f
		case err != nil:
			a = Answer{ErrorMessage: f.Sentence, Headers: map[string]string{}, BodyEncoding: "utf-8"}
		}
		a.RequestID, a.CompletedAt = first, l.now().UTC()
		a.ResponseTime = a.CompletedAt.Sub(began).Milliseconds()
		return a, nil
	}
}

// timeout returns how long a request may take that asks for so long.
func (l *Lane) timeout(asked time.Duration) time.Duration {
	if asked <= 0 {
		return l.limits.Timeout
	}
	return min(asked, l.limits.Timeout)
}

// exchange sends m along h, reads the answer and records the end. With follow, a
// redirect is returned as the place it leads to, while any are left.
func (l *Lane) exchange(ctx context.Context, o *outlet, h *hop, m *message, follow bool, left int) (a Answer, location string, err error) {
	e := ended{Sent: m.length}
	defer func() { l.end(ctx, h, e, err) }()
	resp, err := l.send(ctx, o, h, m)
	if err != nil {
		return a, "", err
	}
	defer resp.Body.Close()
	a.StatusCode, e.Status = resp.StatusCode, resp.StatusCode
	if follow {
		location, err = redirect(h.target, resp)
		switch {
		case err == nil && location != "" && left == 0:
			return a, "", fault.New(fault.BadGateway, CodeRedirects, "The host redirects more than %d times.", l.limits.Redirects)
		case err != nil || location != "":
			return a, location, err
		}
	}
	header := incoming(resp.Header)
	g, err := open(resp, header, h.limit)
	if err != nil {
		return a, "", err
	}
	body, err := io.ReadAll(h.masked(g))
	e.Received = int64(len(body))
	if err != nil {
		return a, "", failure(ctx, h.target.Host, err)
	}
	a.Success, a.Headers = true, make(map[string]string, len(header))
	for name, values := range header {
		a.Headers[name] = strings.Join(values, ", ")
	}
	if a.Body, a.BodyEncoding = string(body), "utf-8"; !utf8.Valid(body) {
		a.Body, a.BodyEncoding = base64.StdEncoding.EncodeToString(body), "base64"
	}
	return a, "", nil
}

// redirect returns where an answer leads, resolved against the request's URL (RFC
// 9110 section 10.2.2), or "" when it does not redirect.
func redirect(from Target, resp *http.Response) (string, error) {
	location := resp.Header.Get("Location")
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", nil
	}
	if location == "" {
		return "", nil
	}
	to, err := from.URL().Parse(location)
	if err != nil {
		return "", fault.New(fault.BadGateway, CodeAnswer, "%s redirects to something that is no URL.", from.Host).Because(err)
	}
	return to.String(), nil
}

// follow makes of m what a redirect wants (RFC 9110 section 15.4), and takes from
// it what another origin must not see. It returns the URL to go on with.
func (m *message) follow(from Target, status int, location string) string {
	rewritten := status == http.StatusSeeOther && m.method != http.MethodHead ||
		(status == http.StatusMovedPermanently || status == http.StatusFound) && m.method == http.MethodPost
	if rewritten {
		m.method, m.body, m.length = http.MethodGet, nil, 0
		stripContent(m.header)
	}
	to, err := url.Parse(location)
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Authority() {
		stripForOtherOrigin(m.header)
	}
	return location
}
