package handlers_test

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// identityService declares what the published cases of hostile paths are tried on.
func identityService(c *core) *recorder {
	c.t.Helper()
	r := &recorder{}
	c.enabled("identity-service", map[string]any{"endpoints": map[string]any{
		"health": map[string]any{"path": "/health", "method": "GET"}, "user": "/api/users/{id}", "me": "/api/users/me",
	}}, r)
	r.take()
	return r
}

// callerOf is a plugin that may call others.
func callerOf(c *core, targets ...string) *target {
	c.t.Helper()
	return c.enabled("caller", map[string]any{"dependencies": targets}, nil)
}

func linesOf(t testing.TB, file string) []string {
	t.Helper()
	f := must(os.Open(file))(t)
	defer f.Close()
	var all []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	if s.Err() != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", file, len(all), s.Err())
	}
	return all
}

// declared are the paths that identity-service may ever be asked for: one of its
// own, with one segment that no server reads as two.
var declared = regexp.MustCompile(`^/health$|^/api/users/[^/\\;?#{}\x00-\x1f\x7f]+$`)

// unharmed fails the test when anything undeclared reached the recorder.
func (r *recorder) unharmed(t testing.TB, what string) {
	t.Helper()
	for _, s := range r.take() {
		path, _, _ := strings.Cut(s.URI, "?")
		read, err := url.PathUnescape(path)
		again, _ := url.PathUnescape(read)
		segments := strings.Split(again, "/")
		if err != nil || !declared.MatchString(read) || slices.Contains(segments, "..") || slices.Contains(segments, ".") {
			t.Errorf("%.120q reached the plugin as %s %.120q", what, s.Method, s.URI)
		}
	}
}

// No hostile path, target or request target is answered as if it were fine, and
// none of them makes the core ask a plugin for anything its manifest does not declare.
func TestHostilePathsEndAtTheCore(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	w := c.wire()
	for _, line := range linesOf(t, "../lanes/operator/testdata/paths_refused.jsonl") {
		var h struct{ Kind, Path, Why string }
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		places := strings.NewReplacer("{LANE}", "/gateway", "{ASSET}", "/console/apps")
		targets := map[string][]string{
			"path":           {"/gateway/identity-service/-" + h.Path, "/gateway/identity-service/-/" + h.Path},
			"target":         {"/gateway/" + h.Path + "/health", "/gateway/" + h.Path + "/-/health"},
			"request-target": {places.Replace(h.Path)},
		}[h.Kind]
		if targets == nil {
			t.Fatalf("a case of an unknown kind: %.200s", line)
		}
		for _, target := range targets {
			for _, method := range []string{"GET", "POST"} {
				got := w.ask(method, target, "Authorization: Bearer "+token, "Content-Length: 0")
				if s := got.status(); s != 400 && s != 403 && s != 404 && s != 405 && s != 431 {
					t.Errorf("%s %.100q answers %d (%s)", method, target, s, h.Why)
				}
				if reached := plugin.take(); len(reached) > 0 {
					t.Errorf("%s %.100q reached the plugin as %s (%s)", method, target, reached[0].URI, h.Why)
				}
			}
		}
	}
}

// The path that was authorised is the one in the audit and the one the plugin gets.
func TestHonestPathsArriveAsAuthorised(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	w := c.wire()
	for _, raw := range linesOf(t, "../lanes/operator/testdata/paths_valid.txt") {
		got := w.ask("GET", "/gateway/identity-service/-"+raw, "Authorization: Bearer "+token)
		if got.status() != http.StatusOK {
			t.Errorf("%s answers %d: %s", raw, got.status(), got.Body)
			continue
		}
		reached := plugin.take()
		if len(reached) != 1 {
			t.Fatalf("%s reached the plugin %d times", raw, len(reached))
		}
		forwarded, _, _ := strings.Cut(reached[0].URI, "?")
		asked, _, _ := strings.Cut(raw, "?")
		if a, b := must(url.PathUnescape(asked))(t), must(url.PathUnescape(forwarded))(t); a != b {
			t.Errorf("%s was forwarded as %s", raw, forwarded)
		}
		rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id"), Outcome: audit.Allow})
		if len(rows) != 1 {
			t.Errorf("%s has %d rows that allow it, want 1", raw, len(rows))
			continue
		}
		var detail struct{ Context struct{ Method, Path string } }
		if err := json.Unmarshal(rows[0].Detail, &detail); err != nil || detail.Context.Path != forwarded || detail.Context.Method != "GET" {
			t.Errorf("%s was forwarded as %s and recorded as %s", raw, forwarded, rows[0].Detail)
		}
	}
}

// Paths put together from everything that one server reads in another way than
// the next never lead anywhere undeclared.
func TestComposedPathsEndAtTheCore(t *testing.T) {
	pieces := []string{
		"/", "/", "//", "..", ".", "%2e", "%2E%2e", "%252e", "%2f", "%2F", "%5c", "\\", ";", "%3b", ";x=1", "a", "1", "me", "admin", "health", "api", "users",
		"%00", "%0a", "%0d%0a", "%09", "%20", "%7f", "%c0%ae", "%c0%af", "%ff", "%e2%81%84", "%ef%bc%8e", "%ef%bc%8f", "%e2%88%95", "\u2044", "\uff0e", "%u002e",
		"%", "%2", "%zz", "{id}", "%7bid%7d", "?", "#", "%23", "%3f", "*", "@", ":", "|", "%e2%80%ae", "%e2%80%8b", "~", "$", "&", "=", "+", ",", "'",
	}
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	w := c.wire()
	chance := rand.New(rand.NewPCG(7, 77))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	through := 0
	for range rounds {
		path := []string{"/api/users/", "/health", "/", "/api/users/1", ""}[chance.IntN(5)]
		for range 1 + chance.IntN(6) {
			path += pieces[chance.IntN(len(pieces))]
		}
		target := "/gateway/identity-service/-" + path
		got := w.ask("GET", target, "Authorization: Bearer "+token)
		switch s := got.status(); {
		case s == http.StatusOK:
			through++
		case s == 0 || s >= 500:
			t.Errorf("%q answers %d", target, s)
		}
		plugin.unharmed(t, target)
	}
	if through == 0 {
		t.Error("not one composed path was honest: the test tries nothing")
	}
}

// What is used as a path segment cannot become anything else, whether it comes by
// path, query or body.
func TestTemplateValuesStayOneSegment(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	p := callerOf(c, "identity-service")
	for _, value := range []string{
		"..", ".", "", " ", "../admin", "a/../../admin", "a/b", "a\\b", "%2e%2e", "%2f", "..%2fadmin", "a;b", "a?b", "a#b", "a\r\nX: y", "a\x00", "\u2044", "．．",
		"a\u2028b", "{id}", strings.Repeat("x", 2000), "a%00", "\u202e",
	} {
		body := must(json.Marshal(map[string]string{"id": value}))(t)
		for how, got := range map[string]*reply{
			"the query":         c.send("GET", "/gateway/identity-service/user?id="+url.QueryEscape(value), "", bearer(p.Token)),
			"the body":          c.send("POST", "/gateway/identity-service/user", string(body), bearer(p.Token)),
			"the wrapped form":  c.send("POST", "/gateway/identity-service/user", `{"caller_plugin":"caller","payload":`+string(body)+`}`, bearer(p.Token)),
			"the query, twice":  c.send("GET", "/gateway/identity-service/user?id=1&id="+url.QueryEscape(value), "", bearer(p.Token)),
			"an undecoded name": c.send("GET", "/gateway/identity-service/user?i%64="+url.QueryEscape(value), "", bearer(p.Token)),
		} {
			if got.status() != http.StatusBadRequest {
				t.Errorf("the id %.40q in %s answers %d, want 400", value, how, got.status())
			} else {
				got.problem(t)
			}
			if reached := plugin.take(); len(reached) > 0 {
				t.Errorf("the id %.40q in %s reached the plugin as %s", value, how, reached[0].URI)
			}
		}
	}
}
