package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/local"
)

// client talks to a running core as anybody would: over HTTP, with a credential.
type client struct {
	server string // scheme and host
	token  string
	http   http.Client
}

// byDefault is where a core listens that nobody told otherwise.
const byDefault = "http://127.0.0.1:8080"

// connect finds the core and the credential: flags, then the environment, then
// what login kept.
func connect(server string, env map[string]string) (*client, error) {
	k, err := readKept(env)
	if err != nil {
		return nil, err
	}
	c, err := newClient(cmp.Or(server, env["VIVIFIED_SERVER"], k.Server, env["VIVIFIED_PUBLIC_URL"], byDefault), env["VIVIFIED_TOKEN"])
	if err != nil {
		return nil, err
	}
	// A kept token goes only where it came from.
	if c.token == "" && k.Server == c.server {
		c.token = k.Token
	}
	return c, nil
}

// newClient returns a client of the core at an address. Credentials travel over
// https, or within this machine.
func newClient(server, token string) (*client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, usage{fmt.Errorf("%q is not the address of a core; write it like %s", server, byDefault)}
	}
	if u.Scheme == "http" && !local.Host(u.Hostname()) {
		return nil, usage{fmt.Errorf("%s is on another machine, where credentials go over https only", server)}
	}
	return &client{server: u.Scheme + "://" + u.Host, token: token, http: http.Client{Timeout: time.Minute}}, nil
}

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 64 << 20

// do sends a JSON request and reads the JSON answer into out. What the core
// refuses is a fault.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	contentType := ""
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, contentType = bytes.NewReader(data), "application/json"
	}
	data, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("what answers at %s is no Vivified core, or of another version", c.server)
	}
	return nil
}

// send sends a body as it is and returns the answer. What the core refuses is a fault.
func (c *client) send(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return nil, usage{err}
	}
	r.Header.Set("Accept", "application/json")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("no core answers at %s; start it with `vivified serve`, or say where it is with --server or VIVIFIED_SERVER (%w)", c.server, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("the answer of %s ended early: %w", c.server, err)
	}
	if answer.StatusCode >= 400 {
		return nil, c.refused(answer.StatusCode, data)
	}
	return data, nil
}

// refused reads a problem document, and says what to do about it.
func (c *client) refused(status int, data []byte) error {
	var p struct {
		Detail   string            `json:"detail"`
		Code     string            `json:"code"`
		Decision string            `json:"decision_id"`
		Errors   []fault.Violation `json:"errors"`
	}
	if json.Unmarshal(data, &p) != nil || p.Detail == "" {
		return fmt.Errorf("what answers at %s is no Vivified core: it says %d", c.server, status)
	}
	kind := fault.Invalid
	switch {
	case p.Code == "auth.mfa_required", p.Code == "auth.factor":
		kind = fault.Unauthenticated
	case p.Code == "auth.step_up":
		kind = fault.Denied
		p.Detail = "This wants a fresh proof that it is you; run `vivified step-up`, then the command again."
	case p.Code == "auth.login": // wrong password; signing in is what was tried
		kind = fault.Unauthenticated
	case status == http.StatusUnauthorized:
		kind = fault.Unauthenticated
		p.Detail += " Sign in with `vivified login --email you@example.com`, or set VIVIFIED_TOKEN."
	case status == http.StatusForbidden:
		kind = fault.Denied
		if p.Decision != "" {
			p.Detail += " The decision is " + plain(p.Decision) + ": `vivified policy explain " + plain(p.Decision) + "` says why, and so does " +
				c.server + "/console/decisions/" + url.PathEscape(p.Decision) + "."
		}
	}
	f := fault.New(kind, p.Code, "%s", p.Detail)
	f.Violations = p.Errors
	return f
}
