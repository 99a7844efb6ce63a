package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

const (
	tokenTime    = 10 * time.Second // for the token endpoint
	tokenBytes   = 64 << 10         // of its answer
	usualLife    = 5 * time.Minute  // of a token whose endpoint does not say
	longestLife  = 24 * time.Hour
	refreshAhead = time.Minute     // before a token ends, or at four fifths of its life
	tokenPause   = 5 * time.Second // after a failure, before the endpoint is asked again
)

// tokens keeps the access token of one credential: one request at a time fetches
// it, the others wait for that.
type tokens struct {
	mu      sync.Mutex
	busy    chan struct{} // closed when the fetch under way is over; nil: none is
	text    string
	renew   time.Time
	ends    time.Time
	failed  error
	failure time.Time
}

// get returns a token that is good now. One that is spent, because the host
// refused it, is replaced. The error is a fault.
func (k *tokens) get(ctx context.Context, now func() time.Time, spent string, fetch func(context.Context) (string, time.Duration, error)) (string, error) {
	for {
		k.mu.Lock()
		at := now()
		if k.text != "" && k.text == spent {
			k.text = ""
		}
		switch {
		case k.text != "" && at.Before(k.renew), k.text != "" && k.busy != nil && at.Before(k.ends):
			defer k.mu.Unlock()
			return k.text, nil
		case k.busy != nil:
			wait := k.busy
			k.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return "", fault.New(fault.Timeout, CodeTimeout, "The credential was not ready in time.").Because(ctx.Err())
			}
		case k.failed != nil && at.Sub(k.failure) < tokenPause:
			defer k.mu.Unlock()
			return "", k.failed
		}
		k.busy = make(chan struct{})
		k.mu.Unlock()
		// It goes on for those who wait when the one who asked first has left.
		text, life, err := fetch(context.WithoutCancel(ctx))
		k.mu.Lock()
		at = now()
		if err != nil {
			k.failed, k.failure = err, at
		} else {
			k.text, k.failed = text, nil
			k.ends = at.Add(life)
			k.renew = k.ends.Add(-min(refreshAhead, life/5))
		}
		close(k.busy)
		k.busy = nil
		good := k.text != "" && at.Before(k.ends)
		text = k.text
		k.mu.Unlock()
		if err != nil && !good {
			return "", err
		}
		return text, nil
	}
}

// fetchToken asks a token endpoint (RFC 6749, section 4.4.2). The endpoint is
// judged like any host, and each request is on record; what it answers is shown
// to nobody.
func (l *Lane) fetchToken(ctx context.Context, c *Credential, secret string) (token string, life time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	began, status := l.now(), 0
	t, err := ParseURL(c.TokenURL)
	defer func() {
		e := audit.Entry{Plugin: c.Plugin, Action: "egress.token", Object: c.Plugin + "/" + c.Domain, Outcome: audit.OK}
		detail := map[string]any{"host": t.Host, "status": status, "ms": l.now().Sub(began).Milliseconds()}
		if err != nil {
			f := fault.Of(err)
			e.Outcome, e.Rule = audit.Failed, f.Code
			l.log.WarnContext(ctx, "no token for egress", "plugin", c.Plugin, "domain", c.Domain, "endpoint", t.Host, "status", status, "error", f.Sentence)
		}
		e.Detail = detail
		if rerr := l.gate.Record(actor.With(ctx, actor.Core("proxy lane")), e); rerr != nil && err == nil {
			token, err = "", rerr // nothing is used that is not on record
		}
	}()
	if err != nil {
		return "", 0, err
	}
	judged, err := l.dialer.Judge(ctx, t.Host, t.Port)
	if err != nil {
		return "", 0, err
	}
	resp, err := l.tokenTransport.RoundTrip(tokenRequest(judged.With(ctx), t, c, secret))
	if err != nil {
		return "", 0, failure(ctx, t.Host, err)
	}
	defer resp.Body.Close()
	status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenBytes))
	if err != nil {
		return "", 0, failure(ctx, t.Host, err)
	}
	return readToken(t.Host, resp.StatusCode, body)
}

func tokenRequest(ctx context.Context, t Target, c *Credential, secret string) *http.Request {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	r := (&http.Request{Method: http.MethodPost, URL: t.URL(), Host: t.Authority(), Header: http.Header{}}).WithContext(ctx)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Vivified")
	if c.InBody {
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", secret)
	} else {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret)) // RFC 6749, section 2.3.1
	}
	text := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return r
}

// readToken reads an answer of a token endpoint (RFC 6749, sections 5.1 and 5.2).
func readToken(host string, status int, body []byte) (string, time.Duration, error) {
	var in struct {
		Token   string      `json:"access_token"`
		Type    string      `json:"token_type"`
		Expires json.Number `json:"expires_in"`
	}
	if status != http.StatusOK {
		return "", 0, fault.New(fault.BadGateway, CodeToken, "%s issues no token for the credential of this host; it answered %d.", host, status)
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Token == "" || len(in.Token) > maxCredential || !strings.EqualFold(in.Type, "bearer") ||
		strings.ContainsFunc(in.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", 0, fault.New(fault.BadGateway, CodeToken, "%s answered with something that is no bearer token.", host).Because(errors.New("not a token response"))
	}
	life := usualLife
	if seconds, err := in.Expires.Float64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, longestLife.Seconds()) * float64(time.Second))
	}
	return in.Token, life, nil
}
