package handlers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivified/vivified/contract"
	"github.com/vivified/vivified/core/identity"
)

// teller asks a core and holds every answer against the contract.
type teller struct {
	*core
	t     *testing.T
	doc   *document
	asked map[string]bool // operationId
}

// ask sends a request and returns the answer's JSON. The answer must have the
// status, and be what the contract says: status, media type, schema, code.
func (c *teller) ask(token string, want int, method, path string, body any) map[string]any {
	c.t.Helper()
	return c.told(c.request(c.t, token, method, path, body), want)
}

func (c *teller) told(r *http.Request, want int) map[string]any {
	c.t.Helper()
	name := r.Method + " " + r.URL.RequestURI()
	answer := must(noRedirect.Do(r))(c.t)
	defer answer.Body.Close()
	raw := must(io.ReadAll(answer.Body))(c.t)
	if answer.StatusCode != want {
		c.t.Fatalf("%s answers %d, want %d: %s", name, answer.StatusCode, want, raw)
	}
	if len(answer.Header.Get("X-Trace-Id")) != 32 {
		c.t.Errorf("%s answers without a trace id", name)
	}
	o := c.operation(r)
	c.asked[o.node["operationId"].(string)] = true
	at, said := c.doc.response(c.t, o, want)
	if said == nil {
		c.t.Fatalf("%s answers %d, which the contract does not have: %s", name, want, raw)
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	content, _ := said["content"].(map[string]any)
	if len(content) == 0 && len(raw) == 0 || content["*/*"] != nil {
		return decoded(raw)
	}
	if content[kind] == nil {
		c.t.Fatalf("%s answers %d as %q, which the contract does not have", name, want, kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	value := must(jsonschema.UnmarshalJSON(bytes.NewReader(raw)))(c.t)
	if err := c.doc.schema(c.t, at+jsonPointer("content", kind, "schema")).Validate(value); err != nil {
		c.t.Errorf("%s answers %d with something else than the contract says: %v\n%s", name, want, err, raw)
	}
	out := decoded(raw)
	if want >= 400 && kind == "application/problem+json" {
		c.rightCode(name, c.doc.problems(c.t, o, want), out)
	}
	return out
}

// rightCode checks a problem: its code is one the contract names, and everything
// a client goes on from is there.
func (c *teller) rightCode(name string, codes []string, p map[string]any) {
	c.t.Helper()
	code := fmt.Sprint(p["code"])
	ok := slices.Contains(codes, code) || slices.Contains(codes, "findings") && strings.Contains(contract.Codes, `{"code":"`+code+`","severity"`)
	if !ok {
		c.t.Errorf("%s answers the code %s; the contract has %v", name, code, codes)
	}
}

// operation returns what the contract has for a request.
func (c *teller) operation(r *http.Request) operation {
	c.t.Helper()
	var fits []operation
	for _, o := range c.doc.operations {
		if o.method == r.Method && o.covers(r.URL.Path) {
			fits = append(fits, o)
		}
	}
	if len(fits) == 0 {
		c.t.Fatalf("the contract has no %s %s", r.Method, r.URL.Path)
	}
	return slices.MinFunc(fits, func(a, b operation) int { return strings.Count(a.path, "{") - strings.Count(b.path, "{") })
}

var (
	lastParameter = regexp.MustCompile(`\\\{path\\\}$`)
	anyParameter  = regexp.MustCompile(`\\\{[a-z]+\\\}`)
)

// covers reports whether the path of a request is one of o's.
func (o operation) covers(path string) bool {
	pattern := lastParameter.ReplaceAllString(regexp.QuoteMeta(o.path), ".+")
	return regexp.MustCompile("^" + anyParameter.ReplaceAllString(pattern, "[^/]+") + "$").MatchString(path)
}

var noRedirect = &http.Client{
	Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// request builds a request of a program; a body that is not text is sent as JSON.
func (c *core) request(t testing.TB, token, method, path string, body any) *http.Request {
	t.Helper()
	var in io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(body)
	default:
		in = bytes.NewReader(must(json.Marshal(body))(t))
	}
	r := must(http.NewRequestWithContext(t.Context(), method, c.URL+path, in))(t)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// exchange sends a request and returns status and JSON, nil for anything else.
func exchange(t testing.TB, r *http.Request) (int, map[string]any) {
	t.Helper()
	answer := must(noRedirect.Do(r))(t)
	defer answer.Body.Close()
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return answer.StatusCode, nil // it has no end
	}
	return answer.StatusCode, decoded(must(io.ReadAll(answer.Body))(t))
}

func decoded(raw []byte) map[string]any {
	var m map[string]any
	_ = json.Unmarshal(raw, &m)
	return m
}

// firstAdmin sets the core up over HTTP and returns a token of its administrator.
func (c *core) firstAdmin() string {
	c.t.Helper()
	secret := must(c.Identity.NewSetupToken(c.system()))(c.t)
	if _, err := c.Identity.CompleteSetup(c.system(), secret, adminAt, "Mara Lindqvist", password); err != nil {
		c.t.Fatal(err)
	}
	return c.token(adminAt)
}

// member makes somebody with roles and returns a token of theirs.
func (c *core) member(email, name string, roles ...string) string {
	c.t.Helper()
	in := identity.Invitation{Email: email, Name: name}
	for _, r := range roles {
		in.Roles = append(in.Roles, identity.RoleGrant{Role: r})
	}
	link := must(c.Identity.Invite(c.system(), in))(c.t)
	must(c.Identity.AcceptInvitation(c.system(), link.Secret, "", password))(c.t)
	return c.token(email)
}

// key returns an API key of somebody, with a scope.
func (c *core) key(owner string, scope ...string) string {
	c.t.Helper()
	status, k := c.api(owner, "POST", "/admin/api-keys", map[string]any{
		"name": "a program", "scope": scope, "expires_at": time.Now().Add(time.Hour).UTC(),
	})
	if status != http.StatusCreated {
		c.t.Fatalf("no key with %v: %d %v", scope, status, k)
	}
	return k["key"].(string)
}
