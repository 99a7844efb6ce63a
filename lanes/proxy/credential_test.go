package proxy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/proxy"
)

const secret = "4f9c-0b7e&2d" // with a character that a query escapes

// bind sets a credential of the mailer as an administrator does.
func (w *world) bind(t testing.TB, c proxy.Credential, secret string) {
	t.Helper()
	c.Plugin = mailer
	if c.Domain == "" {
		c.Domain = "api.example.com"
	}
	if _, err := w.lane.Bind(actor.With(t.Context(), actor.Core("test")), c, secret); err != nil {
		t.Fatalf("%v %+v", err, fault.Of(err).Violations)
	}
}

func TestCredentialsAreShownToTheHostAndToNobodyElse(t *testing.T) {
	for _, tt := range []struct {
		name    string
		c       proxy.Credential
		shown   func(*http.Request) string
		want    string
		leaking string // a spelling that the answer must not have
	}{
		{"as a header", proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "authorization"}}, func(r *http.Request) string { return r.Header.Get("Authorization") }, secret, secret},
		{"as a parameter", proxy.Credential{Kind: proxy.QueryCredential, Terms: proxy.Terms{Name: "key"}}, func(r *http.Request) string { return strings.Join(r.URL.Query()["key"], "|") }, secret, "4f9c-0b7e%262d"},
		{"as a password", proxy.Credential{Kind: proxy.BasicCredential, Terms: proxy.Terms{Username: "mail"}}, func(r *http.Request) string { _, p, _ := r.BasicAuth(); return p }, secret, base64.StdEncoding.EncodeToString([]byte("mail:" + secret))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, worldConfig{})
			var shown atomic.Value
			site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
				shown.Store(tt.shown(r))
				rw.Header().Set("X-Echo", tt.leaking)
				rw.Header().Set("Location", "https://api.example.com/?key="+tt.leaking)
				fmt.Fprintf(rw, "%s %s %s %v", tt.shown(r), tt.leaking, r.URL.RawQuery, r.Header)
			})
			w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
			w.bind(t, tt.c, secret)
			request := proxy.Request{URL: at("api.example.com", site, "/?a=1&k%65y=forged&b=2"), Header: http.Header{"X-Api-Key": {"its own"}}}
			got, err := w.lane.Do(w.as(t, mailer), request)
			if err != nil || shown.Load() != tt.want {
				t.Fatalf("the host was shown %q (%v), want %q", shown.Load(), err, tt.want)
			}
			reply, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: request.URL})
			if err != nil {
				t.Fatal(err)
			}
			streamed, err := io.ReadAll(iotest.OneByteReader(reply.Body))
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			rows, _ := json.Marshal(w.journal.rows())
			for where, text := range map[string]string{
				"the body": got.Body, "the headers": fmt.Sprint(got.Headers), "the stream": string(streamed), "the stream's headers": fmt.Sprint(reply.Header), "the audit": string(rows),
			} {
				if strings.Contains(text, secret) || strings.Contains(text, tt.leaking) {
					t.Errorf("%s gives the secret away: %s", where, text)
				}
			}
			if !strings.Contains(got.Body, "*****") || !strings.Contains(got.Headers["X-Echo"], "*****") {
				t.Errorf("the answer came through as %q, %v", got.Body, got.Headers)
			}
		})
	}
}

func TestCredentialsStayWithTheirPluginAndHost(t *testing.T) {
	w := newWorld(t, worldConfig{})
	var seen sync.Map // path → header
	other, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		seen.Store("other", r.Header.Get("X-Key")+r.URL.RawQuery)
	})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.Path, r.Header.Get("X-Key"))
		switch r.URL.Path {
		case "/away":
			http.Redirect(rw, r, at("other.example.com", other, "/?x="+r.Header.Get("X-Key")), http.StatusFound)
		case "/on":
			http.Redirect(rw, r, "/there", http.StatusFound)
		}
	})
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store("plain", r.Header.Get("X-Key")) }))
	defer plain.Close()
	for _, s := range []*httptest.Server{site} {
		w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Ports: ports(plain)}, s)
		w.approve(t, registry.Approved{Plugin: clinic, Domain: "api.example.com"}, s)
	}
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "other.example.com"}, other)
	w.bind(t, proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "X-Key"}}, "0123456789")
	saw := func(what string) any { v, _ := seen.Load(what); return v }

	if _, err := w.get(t, mailer, at("api.example.com", site, "/on")); err != nil || saw("/there") != "0123456789" {
		t.Errorf("after a redirect within the host it was shown %q (%v)", saw("/there"), err)
	}
	if _, err := w.get(t, mailer, at("api.example.com", site, "/away")); err != nil || saw("other") != "x=**********" {
		t.Errorf("after a redirect to another host that one saw %q (%v)", saw("other"), err)
	}
	if _, err := w.get(t, clinic, at("api.example.com", site, "/clinic")); err != nil || saw("/clinic") != "" {
		t.Errorf("another plugin's request had the credential %q (%v)", saw("/clinic"), err)
	}
	if _, err := w.get(t, mailer, strings.Replace(at("api.example.com", plain, "/"), "https", "http", 1)); code(err) != "proxy.approved" || saw("plain") != nil {
		t.Errorf("unencrypted: %v", err)
	}
	if err := w.lane.Unbind(actor.With(t.Context(), actor.Core("test")), mailer, "api.example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.get(t, mailer, at("api.example.com", site, "/after")); err != nil || saw("/after") != "" {
		t.Errorf("after it was removed the host still saw %q (%v)", saw("/after"), err)
	}
}

func TestCredentialsThatAreMalformed(t *testing.T) {
	w := newWorld(t, worldConfig{})
	for name, tt := range map[string]struct {
		c      proxy.Credential
		secret string
		code   string
	}{
		"no kind":                    {proxy.Credential{}, secret, proxy.CodeCredential},
		"a short secret":             {proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "X-Key"}}, "1234567", proxy.CodeCredential},
		"a secret of two lines":      {proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "X-Key"}}, "12345678\r\nHost: a", proxy.CodeCredential},
		"the header Host":            {proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "host"}}, secret, proxy.CodeCredential},
		"a header of two words":      {proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "X Key"}}, secret, proxy.CodeCredential},
		"a parameter with =":         {proxy.Credential{Kind: proxy.QueryCredential, Terms: proxy.Terms{Name: "a=b"}}, secret, proxy.CodeCredential},
		"a user name with a colon":   {proxy.Credential{Kind: proxy.BasicCredential, Terms: proxy.Terms{Username: "a:b"}}, secret, proxy.CodeCredential},
		"a token address by http":    {proxy.Credential{Kind: proxy.OAuth2Credential, Terms: proxy.Terms{TokenURL: "http://api.example.com/t", ClientID: "a"}}, secret, proxy.CodeCredential},
		"a token address by address": {proxy.Credential{Kind: proxy.OAuth2Credential, Terms: proxy.Terms{TokenURL: "https://169.254.169.254/t", ClientID: "a"}}, secret, proxy.CodeCredential},
		"a scope of two words":       {proxy.Credential{Kind: proxy.OAuth2Credential, Terms: proxy.Terms{TokenURL: "https://api.example.com/t", ClientID: "a", Scopes: []string{"a b"}}}, secret, proxy.CodeCredential},
		"an undeclared domain":       {proxy.Credential{Kind: proxy.BasicCredential, Domain: "undeclared.example.com", Terms: proxy.Terms{Username: "a"}}, secret, "proxy.domain"},
	} {
		tt.c.Plugin = mailer
		if tt.c.Domain == "" {
			tt.c.Domain = "api.example.com"
		}
		_, err := w.lane.Bind(actor.With(t.Context(), actor.Core("test")), tt.c, tt.secret)
		if f := fault.Of(err); f.Kind != fault.Unprocessable || f.Code != tt.code || strings.Contains(fmt.Sprint(f, f.Violations), tt.secret) {
			t.Errorf("%s: %v, want %s and nothing of the secret", name, err, tt.code)
		}
	}
}

// issuer is a token endpoint that counts, and a host that wants its tokens.
type issuer struct {
	asked   atomic.Int64
	revoked atomic.Int64 // tokens up to this one are refused
	refuse  atomic.Bool
	form    atomic.Value
}

func (i *issuer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		id, password, _ := r.BasicAuth()
		_ = r.ParseForm()
		i.form.Store(id + ":" + password + " " + r.PostForm.Encode())
		n := i.asked.Add(1)
		if i.refuse.Load() {
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(rw, `{"error":"invalid_client","error_description":"%s is wrong"}`, password)
			return
		}
		fmt.Fprintf(rw, `{"access_token":"token-number-%d","token_type":"Bearer","expires_in":600}`, n)
		return
	}
	var n int64
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-number-%d", &n); err != nil || n <= i.revoked.Load() {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(rw, "by %s", r.Header.Get("Authorization"))
}

func TestTokensOfOAuthClients(t *testing.T) {
	var at0 atomic.Int64
	at0.Store(time.Now().UnixNano())
	w := newWorld(t, worldConfig{now: func() time.Time { return time.Unix(0, at0.Load()) }})
	host := &issuer{}
	site, _ := w.serve(t, host.ServeHTTP)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	terms := proxy.Terms{TokenURL: at("other.example.com", site, "/token"), ClientID: "mail er", Scopes: []string{"send", "read"}, Audience: "mail"}
	w.bind(t, proxy.Credential{Kind: proxy.OAuth2Credential, Terms: terms}, secret)
	get := func() (int, string) {
		a, err := w.get(t, mailer, at("api.example.com", site, "/mail"))
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, a.Body + a.ErrorMessage
	}
	var all sync.WaitGroup
	for range 16 { // together: one token for all
		all.Go(func() { get() })
	}
	all.Wait()
	if status, body := get(); status != 200 || body != "by Bearer **************" || host.asked.Load() != 1 {
		t.Errorf("answered %d %q after %d tokens, want one", status, body, host.asked.Load())
	}
	if got, want := host.form.Load(), "mail+er:4f9c-0b7e%262d audience=mail&grant_type=client_credentials&scope=send+read"; got != want {
		t.Errorf("the endpoint was asked with %q, want %q", got, want)
	}
	at0.Add(int64(545 * time.Second)) // before its end, and less than a minute of it
	if status, _ := get(); status != 200 || host.asked.Load() != 2 {
		t.Errorf("shortly before its end: %d after %d tokens, want a second one", status, host.asked.Load())
	}
	host.revoked.Store(2)
	if status, _ := get(); status != 200 || host.asked.Load() != 3 {
		t.Errorf("after the host refused it: %d after %d tokens, want a third one", status, host.asked.Load())
	}
	host.revoked.Store(100)
	if status, _ := get(); status != http.StatusUnauthorized || host.asked.Load() != 4 {
		t.Errorf("a host that refuses each: %d after %d tokens, want its 401 after one more", status, host.asked.Load())
	}
	host.refuse.Store(true)
	at0.Add(int64(time.Hour))
	w.journal.rows()
	asked := host.asked.Load()
	for range 3 {
		status, body := get()
		if status != 0 || !strings.Contains(body, "issues no token") || strings.Contains(body, secret) {
			t.Errorf("without a token: %d %q", status, body)
		}
	}
	if n := host.asked.Load() - asked; n != 1 {
		t.Errorf("the endpoint was asked %d times within the pause, want once", n)
	}
	rows := w.journal.rows()
	text, _ := json.Marshal(rows)
	if strings.Contains(string(text), secret) || strings.Contains(string(text), "token-number") {
		t.Errorf("the record gives a secret away: %s", text)
	}
	failed := 0
	for _, r := range rows {
		if r.Action == "egress.token" && r.Outcome == audit.Failed && r.Rule == proxy.CodeToken {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d failures of the token endpoint are on record, want 1", failed)
	}
}

func TestTokenEndpointsAreJudgedLikeAnyHost(t *testing.T) {
	w := newWorld(t, worldConfig{})
	host := &issuer{}
	site, connections := w.serve(t, host.ServeHTTP)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	w.bind(t, proxy.Credential{Kind: proxy.OAuth2Credential, Terms: proxy.Terms{TokenURL: at("private.example.com", site, "/token"), ClientID: "a"}}, secret)
	_, err := w.get(t, mailer, at("api.example.com", site, "/mail"))
	if code(err) != proxy.CodeAddress || connections.Load() != 0 {
		t.Errorf("a token endpoint on loopback: %v after %d connections", err, connections.Load())
	}
}

func TestSecretsAreSealedAtRest(t *testing.T) {
	w := newWorld(t, worldConfig{})
	w.bind(t, proxy.Credential{Kind: proxy.BasicCredential, Terms: proxy.Terms{Username: "mail"}}, secret)
	var text string
	if err := w.db.Pool.QueryRow(t.Context(), "SELECT row_to_json(c)::text || (SELECT string_agg(row_to_json(a)::text, '') FROM audit_log a) FROM egress_credentials c").Scan(&text); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, secret) || !strings.Contains(text, "egress.credential.set") {
		t.Errorf("the database has %s", text)
	}
	// A row that was moved to another plugin does not open there.
	if _, err := w.db.Pool.Exec(t.Context(), "UPDATE egress_credentials SET plugin_id = 'clinic'"); err != nil {
		t.Fatal(err)
	}
	site, _ := w.serve(t, func(http.ResponseWriter, *http.Request) {})
	w.approve(t, registry.Approved{Plugin: clinic, Domain: "api.example.com"}, site)
	w.lane = w.open(t, w.journal)
	if got, err := w.get(t, clinic, at("api.example.com", site, "/")); err != nil || got.Success || !strings.Contains(got.ErrorMessage, "cannot be opened") {
		t.Errorf("a credential of somebody else: %+v %v", got, err)
	}
}

func TestUsageOfDomains(t *testing.T) {
	w := newWorld(t, worldConfig{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "12345") })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	for range 3 {
		if _, err := w.lane.Do(w.as(t, mailer), proxy.Request{URL: at("api.example.com", site, "/"), Method: "POST", Body: []byte("12")}); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.get(t, mailer, "https://undeclared.example.com/")
	got := w.lane.Usage()
	if len(got) != 2 || got[0].Requests != 3 || got[0].Sent != 6 || got[0].Received != 15 || got[0].Denied+got[0].Failed != 0 || got[1].Domain != "undeclared.example.com" || got[1].Denied != 1 {
		t.Errorf("counted %+v", got)
	}
}

func TestMaskedBodiesKeepTheirLength(t *testing.T) {
	w := newWorld(t, worldConfig{})
	body := bytes.Repeat([]byte("abcdefghij"), 10_000)
	copy(body[len(body)-10:], "0123456789")
	copy(body[4090:], "0123456789") // across the pieces in which it is read
	site, _ := w.serve(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body) })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	w.bind(t, proxy.Credential{Kind: proxy.HeaderCredential, Terms: proxy.Terms{Name: "X-Key"}}, "0123456789")
	ctx, cancel := context.WithCancel(w.as(t, mailer))
	defer cancel()
	reply, err := w.lane.Stream(ctx, proxy.StreamRequest{URL: at("api.example.com", site, "/")})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	got, err := io.ReadAll(reply.Body)
	want := bytes.ReplaceAll(body, []byte("0123456789"), []byte("**********"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came through of %d (%v)", len(got), len(body), err)
	}
}
