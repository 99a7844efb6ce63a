package handlers_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/identity"
)

// browser asks as a person's browser does: with a cookie jar, saying where its
// requests come from, following no redirect unless told to.
type browser struct {
	t      testing.TB
	core   *core
	client *http.Client
	header http.Header // sent with every request, beside what each kind adds
	user   identity.User
}

// page is an answer, read.
type page struct {
	*http.Response
	Body string
}

// stranger is a browser without a session.
func (c *core) stranger() *browser {
	jar := must(cookiejar.New(nil))(c.t)
	return &browser{t: c.t, core: c, header: http.Header{}, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// setUp makes the first administrator, Mara, and returns her browser, signed in.
func (c *core) setUp() *browser {
	c.t.Helper()
	token := must(c.Identity.NewSetupToken(c.system()))(c.t)
	u := must(c.Identity.CompleteSetup(c.system(), token, adminAt, "Mara Lindqvist", password))(c.t)
	b := c.stranger().signIn(adminAt)
	b.user = u
	return b
}

// person makes somebody with roles and returns their browser, signed in.
func (c *core) person(email, name string, roles ...string) *browser {
	c.t.Helper()
	in := identity.Invitation{Email: email, Name: name}
	for _, r := range roles {
		in.Roles = append(in.Roles, identity.RoleGrant{Role: r})
	}
	link := must(c.Identity.Invite(c.system(), in))(c.t)
	u := must(c.Identity.AcceptInvitation(c.system(), link.Secret, "", password))(c.t)
	b := c.stranger().signIn(email)
	b.user = u
	return b
}

// signIn signs in by the form with the password everybody has here.
func (b *browser) signIn(email string) *browser {
	b.t.Helper()
	p := b.post("/sign-in", url.Values{"email": {email}, "password": {password}})
	if p.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%s cannot sign in: %d %s", email, p.StatusCode, p.text())
	}
	return b
}

// token returns a token of a user, for a program of theirs.
func (c *core) token(email string) string {
	c.t.Helper()
	g := must(c.Identity.Login(c.system(), identity.SignIn{Account: email, Password: password}))(c.t)
	return g.Secret
}

// do sends a request. A nil header adds what a browser says when a page of this
// origin sends it.
func (b *browser) do(method, path string, body io.Reader, header http.Header) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.core.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for _, h := range []http.Header{b.header, header} {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return page{answer, string(text)}
}

// get asks for a page.
func (b *browser) get(path string) page { b.t.Helper(); return b.do("GET", path, nil, nil) }

// post sends a form.
func (b *browser) post(path string, form url.Values) page {
	b.t.Helper()
	return b.do("POST", path, strings.NewReader(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

// follow asks for a page, or for the one it leads to.
func (b *browser) follow(p page) page {
	b.t.Helper()
	for range 5 {
		if p.StatusCode < 300 || p.StatusCode > 399 {
			return p
		}
		at := must(p.Location())(b.t)
		p = b.get(at.RequestURI())
	}
	b.t.Fatal("redirected in circles")
	return p
}

// htmx are the headers of a request that a part of a page makes for a target.
func htmx(target, from string) http.Header {
	return http.Header{
		"Hx-Request": {"true"}, "Hx-Request-Type": {"partial"}, "Hx-Target": {target}, "Hx-Current-Url": {from},
		"Accept": {"text/html, text/event-stream"},
	}
}

// swap sends a form as htmx does, and follows the answer as fetch does.
func (b *browser) swap(path, from string, form url.Values) page {
	b.t.Helper()
	h := htmx("main#main", b.core.URL+from)
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	p := b.do("POST", path, strings.NewReader(form.Encode()), h)
	for p.StatusCode == http.StatusSeeOther {
		at := must(p.Location())(b.t)
		p = b.do("GET", at.RequestURI(), nil, htmx("main#main", b.core.URL+from))
	}
	return p
}

// api sends JSON as a program does, with a bearer token, and reads a JSON answer.
func (c *core) api(token, method, path string, body any) (int, map[string]any) {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(must(json.Marshal(body))(c.t))
	}
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL+path, in))(c.t)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer := must(http.DefaultClient.Do(r))(c.t)
	defer answer.Body.Close()
	out := map[string]any{}
	raw := must(io.ReadAll(answer.Body))(c.t)
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			c.t.Fatalf("%s %s answers %d with no JSON object: %s", method, path, answer.StatusCode, raw)
		}
	}
	return answer.StatusCode, out
}

// session returns the value of the session cookie the browser holds.
func (b *browser) session() string {
	u := must(url.Parse(b.core.URL))(b.t)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == b.core.Identity.CookieName() {
			return c.Value
		}
	}
	return ""
}

var (
	tags   = regexp.MustCompile(`(?s)<(script|style|svg|template).*?</(script|style|svg|template)>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// text is what a person reads on the page.
func (p page) text() string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(p.Body, " ")), " "))
}

// shows fails the test unless the page has the status and says every text.
func (p page) shows(t testing.TB, status int, texts ...string) {
	t.Helper()
	if p.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", p.Request.Method, p.Request.URL.Path, p.StatusCode, status, p.text())
	}
	read := p.text()
	for _, want := range texts {
		if !strings.Contains(read, want) {
			t.Errorf("%s %s does not say %q: %s", p.Request.Method, p.Request.URL.Path, want, read)
		}
	}
}

// lacks fails the test when the page says any of the texts.
func (p page) lacks(t testing.TB, texts ...string) {
	t.Helper()
	for _, bad := range texts {
		if strings.Contains(p.Body, bad) {
			t.Errorf("%s %s says %q", p.Request.Method, p.Request.URL.Path, bad)
		}
	}
}

// actions returns where the forms of the page post to.
func (p page) actions() []string {
	var out []string
	for _, m := range regexp.MustCompile(`<form[^>]* method="post" action="([^"]*)"`).FindAllStringSubmatch(p.Body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
