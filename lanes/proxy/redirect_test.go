package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/proxy"
)

// Each redirect is decided as a request of its own; one that policy refuses is a
// refusal, and what it leads to is not connected to (CVE-2026-24048).
func TestRedirectsAreDecidedAnew(t *testing.T) {
	w := newWorld(t, worldConfig{})
	trap, trapped := w.serve(t, func(http.ResponseWriter, *http.Request) {})
	var location string
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Location", location)
		rw.WriteHeader(http.StatusFound)
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", PathPrefixes: []string{"/v1"}}, site)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "private.example.com"}, trap)
	for to, rule := range map[string]string{
		"http://169.254.169.254/":                     proxy.CodeAddress,
		"http://169.254.169.254/latest/meta-data/iam": proxy.CodeAddress,
		"http://[::1]/":                               proxy.CodeAddress,
		"http://2130706433/":                          proxy.CodeAddress,
		at("127.0.0.1", trap, "/"):                    proxy.CodeAddress,
		at("private.example.com", trap, "/"):          proxy.CodeAddress, // resolves to loopback
		at("undeclared.example.com", trap, "/"):       "proxy.domain",
		at("api.example.com", trap, "/v1"):            "proxy.approved", // another port
		at("api.example.com", site, "/v2"):            "proxy.approved", // another path
		"/v2":                                         "proxy.approved",
		"/v1/../v2":                                   "proxy.approved", // resolved first, as every client does
		"../v2":                                       "proxy.approved",
		"/v1/%2e%2e/v2":                               proxy.CodeURL,
		"/v1/%252e%252e/v2":                           proxy.CodeURL,
		"//undeclared.example.com/":                   "proxy.domain",
		"https://u:p@api.example.com/v1":              proxy.CodeURL,
		"file:///etc/passwd":                          proxy.CodeURL,
		"gopher://api.example.com/":                   proxy.CodeURL,
	} {
		location = to
		w.journal.rows()
		_, err := w.get(t, mailer, at("api.example.com", site, "/v1"))
		if code(err) != rule || !fault.Is(err, fault.Denied) {
			t.Errorf("to %s: %v, want %s", to, err, rule)
		}
		if diff := cmp.Diff([]string{"allow proxy.approved", "ok", "deny " + rule}, w.journal.summary(t)); diff != "" {
			t.Errorf("to %s: the audit (-want +got):\n%s", to, diff)
		}
	}
	if n := settled(t, trap, trapped); n != 0 {
		t.Errorf("the trap saw %d connections", n)
	}
}

func TestRedirectsAreFollowedAsTheStandardSays(t *testing.T) {
	w := newWorld(t, worldConfig{})
	type seen struct{ Method, Body, Type, Custom, Key, Agent string }
	var last seen
	target, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = seen{r.Method, string(body), r.Header.Get("Content-Type"), r.Header.Get("X-Custom"), r.Header.Get("Api-Key"), r.Header.Get("User-Agent")}
		io.WriteString(rw, "arrived")
	})
	var status int
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			body, _ := io.ReadAll(r.Body)
			last = seen{r.Method, string(body), r.Header.Get("Content-Type"), r.Header.Get("X-Custom"), r.Header.Get("Api-Key"), r.Header.Get("User-Agent")}
			io.WriteString(rw, "arrived")
			return
		}
		to := "/here"
		if r.URL.Path == "/away" {
			to = at("other.example.com", target, "/x")
		}
		rw.Header().Set("Location", to)
		rw.WriteHeader(status)
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "other.example.com"}, target)
	whole := seen{"POST", "body", "text/plain", "1", "k", "agent"}
	tests := []struct {
		status int
		method string
		path   string
		want   seen
	}{
		{301, "POST", "/", seen{"GET", "", "", "1", "k", "agent"}},
		{302, "POST", "/", seen{"GET", "", "", "1", "k", "agent"}},
		{303, "POST", "/", seen{"GET", "", "", "1", "k", "agent"}},
		{303, "PUT", "/", seen{"GET", "", "", "1", "k", "agent"}},
		{302, "PUT", "/", seen{"PUT", "body", "text/plain", "1", "k", "agent"}},
		{307, "POST", "/", whole},
		{308, "POST", "/", whole},
		{303, "POST", "/away", seen{"GET", "", "", "", "", "agent"}},
		{307, "POST", "/away", seen{"POST", "body", "text/plain", "", "", "agent"}},
	}
	for _, tt := range tests {
		status, last = tt.status, seen{}
		r := proxy.Request{
			URL: at("api.example.com", site, tt.path), Method: tt.method, Body: []byte("body"), FollowRedirects: true,
			Header: http.Header{"Content-Type": {"text/plain"}, "X-Custom": {"1"}, "Api-Key": {"k"}, "User-Agent": {"agent"}},
		}
		a, err := w.lane.Do(w.as(t, mailer), r)
		if err != nil || a.Body != "arrived" {
			t.Errorf("%d %s %s: %+v, %v", tt.status, tt.method, tt.path, a, err)
		}
		if diff := cmp.Diff(tt.want, last); diff != "" {
			t.Errorf("%d %s %s: the last host saw (-want +got):\n%s", tt.status, tt.method, tt.path, diff)
		}
		r.FollowRedirects = false
		if a, err = w.lane.Do(w.as(t, mailer), r); err != nil || a.StatusCode != tt.status || a.Headers["Location"] == "" {
			t.Errorf("%d %s %s, not followed: %+v, %v", tt.status, tt.method, tt.path, a, err)
		}
	}
}
