package proxy_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/proxy"
)

func TestDoCarriesARequestAndItsAnswer(t *testing.T) {
	w := newWorld(t, worldConfig{})
	var got *http.Request
	var sent []byte
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		got = r
		sent, _ = io.ReadAll(r.Body)
		rw.Header().Set("Content-Type", "text/plain")
		rw.Header().Add("X-Two", "a")
		rw.Header().Add("X-Two", "b")
		rw.Header().Set("Set-Cookie", "session=1")
		rw.Header().Set("Strict-Transport-Security", "max-age=1")
		rw.Header().Set("X-Vivified-Caller", "core")
		rw.WriteHeader(http.StatusCreated)
		io.WriteString(rw, "grüß dich")
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)

	answer, err := w.lane.Do(w.as(t, mailer), proxy.Request{
		URL: at("API.example.com", site, "/v1/a%20b?q=secret#x"), Method: "post", Plugin: mailer, Body: []byte(`{"n":1}`),
		Header: http.Header{
			"content-type": {"application/json"}, "API-Key": {"k"}, "X-Custom": {"1"}, "Accept-Language": {"de"}, "If-None-Match": {`"e"`},
			"Authorization": {"Bearer core"}, "Cookie": {"session=core"}, "Host": {"evil.example"}, "X-Vivified-User": {"u"}, "X-Forwarded-Host": {"evil.example"},
			"X-HTTP-Method-Override": {"DELETE"}, "X-Original-URL": {"/admin"}, "Proxy-Authorization": {"x"}, "Transfer-Encoding": {"chunked"}, "Content-Length": {"9999"},
			"Connection": {"X-Hop"}, "X-Hop": {"1"}, "Referer": {"https://core/"}, "Forwarded": {"for=x"}, "Te": {"trailers"}, "Upgrade": {"h2c"}, "Accept-Encoding": {"br"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/v1/a%20b?q=secret" || string(sent) != `{"n":1}` || got.Host != "api.example.com:"+strconv.Itoa(portOf(site)) {
		t.Errorf("the host got %s %s on %s with %q", got.Method, got.RequestURI, got.Host, sent)
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "Api-Key": {"k"}, "X-Custom": {"1"}, "Accept-Language": {"de"}, "If-None-Match": {`"e"`},
		"User-Agent": {"Vivified"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"7"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("the headers the host got (-want +got):\n%s", diff)
	}
	if !answer.Success || answer.StatusCode != http.StatusCreated || answer.Body != "grüß dich" || answer.BodyEncoding != "utf-8" || answer.ErrorMessage != "" || answer.RequestID == "" || answer.CompletedAt.IsZero() {
		t.Errorf("the plugin got %+v", answer)
	}
	delete(answer.Headers, "Date")
	if diff := cmp.Diff(map[string]string{"Content-Type": "text/plain", "X-Two": "a, b", "Content-Length": "11"}, answer.Headers); diff != "" {
		t.Errorf("the headers the plugin got (-want +got):\n%s", diff)
	}
}

func TestDoRecordsBothEndsAndHidesTheQuery(t *testing.T) {
	w := newWorld(t, worldConfig{})
	var asked atomic.Int64
	site, connections := w.serve(t, func(rw http.ResponseWriter, r *http.Request) { asked.Add(1); io.WriteString(rw, "hello") })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	w.journal.before = func() {
		if connections.Load() != 0 || asked.Load() != 0 {
			t.Error("the host heard of the request before the decision was recorded")
		}
	}
	answer, err := w.get(t, mailer, at("api.example.com", site, "/v1/x?patient=4711"))
	if err != nil {
		t.Fatal(err)
	}
	rows := w.journal.rows()
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	decision, end := rows[0], rows[1]
	if decision.Outcome != audit.Allow || decision.Action != "proxy.request" || decision.Plugin != mailer || decision.Object != "mailer/api.example.com" || decision.ID.String() != answer.RequestID {
		t.Errorf("the decision: %+v", decision)
	}
	if end.Outcome != audit.OK || end.Call != decision.ID {
		t.Errorf("the end: %+v", end)
	}
	context := detail(t, decision)["context"].(map[string]any)
	if context["path"] != "/v1/x" || context["method"] != "GET" || context["host"] != "api.example.com" || context["query_hash"] == nil {
		t.Errorf("the decision's context: %v", context)
	}
	if d := detail(t, end); d["status"] != 200.0 || d["bytes_received"] != 5.0 {
		t.Errorf("the end's detail: %v", d)
	}
	if text := fmt.Sprint(detail(t, decision), detail(t, end)); strings.Contains(text, "4711") {
		t.Errorf("the query is in the audit: %s", text)
	}
}

// What cannot be recorded goes nowhere.
func TestDoGoesNowhereWithoutAudit(t *testing.T) {
	w := newWorld(t, worldConfig{})
	site, connections := w.serve(t, func(http.ResponseWriter, *http.Request) {})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	w.journal.fail = fault.New(fault.Unavailable, "audit.unavailable", "The audit is down.")
	for _, url := range []string{at("api.example.com", site, "/"), "https://undeclared.example.com/", "https://127.0.0.1/", "nonsense"} {
		if _, err := w.get(t, mailer, url); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := w.lane.Do(w.as(t, mailer), proxy.Request{URL: at("api.example.com", site, "/"), Plugin: lurker}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("another name: %v", err)
	}
	if n := settled(t, site, connections); n != 0 {
		t.Errorf("the host saw %d connections", n)
	}
}

func TestDoRefuses(t *testing.T) {
	const later = 8443 // an approved port nobody listens on
	past := time.Now().Add(time.Second)
	w := newWorld(t, worldConfig{judge: proxy.Judge{
		Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.0/8"]}`),
		Own:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001")},
	}, now: func() time.Time { return time.Now().Add(time.Minute) }})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Methods: []string{"GET", "POST"}, PathPrefixes: []string{"/v1"}, Ports: []int32{443, 9001, later}}, nil)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "other.example.com", ExpiresAt: &past}, nil)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "private.example.com"}, nil)
	w.approve(t, registry.Approved{Plugin: clinic, Domain: "api.example.com", Ports: []int32{80, 443}}, nil)
	tests := []struct{ plugin, method, url, rule string }{
		{lurker, "GET", "https://api.example.com/v1", "proxy.trait"},
		{mailer, "GET", "https://undeclared.example.com/v1", "proxy.domain"},
		{mailer, "GET", "https://sub.api.example.com/v1", "proxy.domain"},
		{mailer, "GET", "https://nowhere.example.com/v1", "proxy.approved"}, // declared, nobody approved
		{mailer, "GET", "https://other.example.com/v1", "proxy.approved"},   // expired
		{mailer, "DELETE", "https://api.example.com/v1", "proxy.approved"},
		{mailer, "GET", "https://api.example.com/v2", "proxy.approved"},
		{mailer, "GET", "https://api.example.com/v10", "proxy.approved"},
		{mailer, "GET", "https://api.example.com:5432/v1", "proxy.approved"},
		{mailer, "GET", "http://api.example.com/v1", "proxy.approved"},      // port 80 is not approved
		{mailer, "GET", "http://private.example.com/v1", "proxy.approved"},  // no ports listed: plain http is not among them
		{clinic, "GET", "http://api.example.com/v1", "proxy.approved"},      // approved, but health data never travels plain
		{mailer, "GET", "https://private.example.com/v1", "proxy.address"},  // resolves to loopback
		{mailer, "GET", "https://api.example.com:9001/v1", "proxy.address"}, // resolves to the core itself
		{mailer, "GET", "https://169.254.169.254/v1", "proxy.address"},
		{mailer, "GET", "http://[::ffff:169.254.169.254]/", "proxy.address"},
		{mailer, "GET", "https://api.example.com/v1/../v2", "proxy.url"},
		{mailer, "GET", "https://u:p@api.example.com/v1", "proxy.url"},
		{mailer, "GET", "gopher://api.example.com/v1", "proxy.url"},
	}
	for _, tt := range tests {
		asked := w.ns.asked.Load()
		_, err := w.lane.Do(w.as(t, tt.plugin), proxy.Request{URL: tt.url, Method: tt.method})
		f := fault.Of(err)
		if f.Code != tt.rule || f.Kind != fault.Denied || f.Decision == "" {
			t.Errorf("%s %s by %s: refused by %q (%v), want %s", tt.method, tt.url, tt.plugin, f.Code, err, tt.rule)
		}
		rows := w.journal.rows()
		if len(rows) != 1 || rows[0].Outcome != audit.Deny || rows[0].Rule != tt.rule || rows[0].ID.String() != f.Decision || rows[0].Plugin != tt.plugin {
			t.Errorf("%s %s by %s: the audit has %+v", tt.method, tt.url, tt.plugin, rows)
		}
		if strings.Contains(fmt.Sprint(rows), "u:p") {
			t.Errorf("%s: a password is in the audit", tt.url)
		}
		if tt.rule != "proxy.address" && w.ns.asked.Load() != asked {
			t.Errorf("%s by %s: a name server heard of it", tt.url, tt.plugin)
		}
	}
}

// What could never match a request, or would match all, is no approval.
func TestApprovalsAreChecked(t *testing.T) {
	w := newWorld(t, worldConfig{})
	none, negative := int32(0), int64(-1)
	for name, a := range map[string]registry.Approved{
		"an undeclared domain": {Domain: "undeclared.example.com"},
		"an empty prefix":      {PathPrefixes: []string{""}},
		"a prefix of no path":  {PathPrefixes: []string{"v1"}},
		"a port of none":       {Ports: []int32{0}},
		"a port too large":     {Ports: []int32{65536}},
		"no rate":              {Rate: &none},
		"no bytes":             {Bytes: &negative},
		"two methods in one":   {Methods: []string{"GET, POST"}},
	} {
		if a.Plugin = mailer; a.Domain == "" {
			a.Domain = "api.example.com"
		}
		if err := w.registry.Approve(actor.With(t.Context(), actor.Core("test")), a); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "API.example.com", Methods: []string{"get"}}, nil)
	if _, err := w.get(t, mailer, "https://api.example.com:443/"); err != nil {
		t.Errorf("in other letters: %v", err)
	}
}

func TestDoRefusesOthersThanPlugins(t *testing.T) {
	w := newWorld(t, worldConfig{})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, nil)
	request := proxy.Request{URL: "https://api.example.com/"}
	for name, who := range map[string]actor.Actor{
		"nobody":                         {Kind: actor.Anonymous},
		"a person":                       {Kind: actor.User, ID: mailer, Tenant: actor.DefaultTenant, Traits: trait.SetOf(trait.Admin, trait.ExternalService)},
		"a plugin that was unregistered": {Kind: actor.Plugin, ID: "gone", Tenant: actor.DefaultTenant},
	} {
		if _, err := w.lane.Do(actor.With(t.Context(), who), request); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.journal.rows()
	request.Plugin = clinic
	_, err := w.lane.Do(w.as(t, mailer), request)
	if rows := w.journal.rows(); code(err) != "identity.mismatch" || len(rows) != 1 || rows[0].Outcome != audit.Deny || rows[0].ID.String() != fault.Of(err).Decision {
		t.Errorf("in another's name: %v, %+v", err, rows)
	}
}

// Every hostile URL is refused, and none of the honest ones, when the plugin has
// the one domain api.example.com with nothing said about ports.
func TestDoOnTheHostileAndTheHonest(t *testing.T) {
	w := newWorld(t, worldConfig{})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, nil)
	w.resolve("api.example.com", "127.0.0.99") // nobody listens there
	for _, h := range hostileURLs(t) {
		if a, err := w.get(t, mailer, h.URL); !fault.Is(err, fault.Denied) {
			t.Errorf("%q (%s: %s): %+v, %v", h.URL, h.Cls, h.Why, a, err)
		}
	}
	for _, url := range lines(t, "testdata/allowed.txt") {
		if a, err := w.get(t, mailer, url); err != nil || a.Success || a.StatusCode != 0 {
			t.Errorf("%s: %+v, %v", url, a, err)
		}
	}
}

// A host that cannot be reached or answers wrongly is an answer without success.
func TestDoFailures(t *testing.T) {
	w := newWorld(t, worldConfig{limits: proxy.Limits{Body: 1000}})
	release := make(chan struct{})
	defer close(release)
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/short":
			rw.Header().Set("Content-Length", "100")
			io.WriteString(rw, "short")
		case "/announced":
			rw.Header().Set("Content-Length", "1001")
			rw.Write(make([]byte, 1001))
		case "/flood":
			for rw.(http.Flusher).Flush(); r.Context().Err() == nil; {
				if _, err := rw.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		case "/bomb":
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(bomb(t, 1<<19))
		case "/notgzip":
			rw.Header().Set("Content-Encoding", "gzip")
			io.WriteString(rw, "this is not gzip")
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/loop":
			http.Redirect(rw, r, "/loop", http.StatusFound)
		case "/lost":
			rw.Header().Set("Location", "https://api.example.com:%zz/")
			rw.WriteHeader(http.StatusFound)
		}
	})
	unknown, _ := w.serveWith(t, func(http.ResponseWriter, *http.Request) {}, nil) // a certificate of another authority
	wrong, _ := w.serveWith(t, func(http.ResponseWriter, *http.Request) {}, tlsFor(w.ca.issue(t, "other.example.com")))
	old, _ := w.serveWith(t, func(http.ResponseWriter, *http.Request) {}, tls11(w.ca.issue(t, "api.example.com")))
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	silent := httptest.NewServer(nil)
	silent.Close()
	for _, s := range []*httptest.Server{site, unknown, wrong, old, plain, silent} {
		w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Ports: ports(site, unknown, wrong, old, plain, silent)}, s)
	}
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "nowhere.example.com"}, nil)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "private.example.com"}, nil)
	w.dns.Store("private.example.com", func() []netip.Addr { return mute })
	tests := []struct{ name, url, code string }{
		{"a name server that hangs", "https://private.example.com/", proxy.CodeTimeout},
		{"an unknown name", "https://nowhere.example.com/", proxy.CodeDNS},
		{"a closed port", at("api.example.com", silent, "/"), proxy.CodeConnect},
		{"an unknown authority", at("api.example.com", unknown, "/"), proxy.CodeTLS},
		{"a certificate for another host", at("api.example.com", wrong, "/"), proxy.CodeTLS},
		{"TLS 1.1", at("api.example.com", old, "/"), proxy.CodeTLS},
		{"no TLS", at("api.example.com", plain, "/"), proxy.CodeTLS},
		{"a host that hangs", at("api.example.com", site, "/hang"), proxy.CodeTimeout},
		{"an answer shorter than announced", at("api.example.com", site, "/short"), proxy.CodeAnswer},
		{"an answer announced too long", at("api.example.com", site, "/announced"), proxy.CodeSize},
		{"an answer without end", at("api.example.com", site, "/flood"), proxy.CodeSize},
		{"a decompression bomb", at("api.example.com", site, "/bomb"), proxy.CodeSize},
		{"no gzip", at("api.example.com", site, "/notgzip"), proxy.CodeAnswer},
		{"a connection cut", at("api.example.com", site, "/cut"), proxy.CodeAnswer},
		{"redirects without end", at("api.example.com", site, "/loop"), proxy.CodeRedirects},
		{"a redirect to nonsense", at("api.example.com", site, "/lost"), proxy.CodeAnswer},
	}
	for _, tt := range tests {
		r := proxy.Request{URL: tt.url, FollowRedirects: true}
		if tt.code == proxy.CodeTimeout {
			r.Timeout = 200 * time.Millisecond
		}
		w.journal.rows()
		a, err := w.lane.Do(w.as(t, mailer), r)
		if err != nil || a.Success || a.StatusCode != 0 || a.ErrorMessage == "" || a.RequestID == "" || a.Headers == nil {
			t.Errorf("%s: %+v, %v", tt.name, a, err)
		}
		rows := w.journal.summary(t)
		if got := rows[len(rows)-1]; got != "failed "+tt.code {
			t.Errorf("%s: the audit says %q, want %s", tt.name, rows, tt.code)
		}
	}
}

func TestDoUnfoldsGzipAndEncodesBinary(t *testing.T) {
	w := newWorld(t, worldConfig{})
	binary := []byte{0xff, 0x00, 0xfe}
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gzip":
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(zipped(t, []byte("folded")))
		case "/binary":
			rw.Write(binary)
		case "/head":
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Header().Set("Content-Length", "500")
		case "/range":
			io.WriteString(rw, r.Header.Get("Accept-Encoding"))
		}
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	if a, err := w.get(t, mailer, at("api.example.com", site, "/gzip")); err != nil || a.Body != "folded" || a.Headers["Content-Encoding"] != "" || a.Headers["Content-Length"] != "" {
		t.Errorf("gzip: %+v, %v", a, err)
	}
	if a, err := w.get(t, mailer, at("api.example.com", site, "/binary")); err != nil || a.BodyEncoding != "base64" || a.Body != base64.StdEncoding.EncodeToString(binary) {
		t.Errorf("binary: %+v, %v", a, err)
	}
	head := proxy.Request{URL: at("api.example.com", site, "/head"), Method: "HEAD"}
	if a, err := w.lane.Do(w.as(t, mailer), head); err != nil || !a.Success || a.Body != "" || a.Headers["Content-Length"] != "500" {
		t.Errorf("head: %+v, %v", a, err)
	}
	ranged := proxy.Request{URL: at("api.example.com", site, "/range"), Header: http.Header{"Range": {"bytes=0-1"}}}
	if a, err := w.lane.Do(w.as(t, mailer), ranged); err != nil || a.Body != "identity" {
		t.Errorf("range: %+v, %v", a, err)
	}
}

func TestDoKeepsToTheBytesApproved(t *testing.T) {
	w := newWorld(t, worldConfig{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) { io.Copy(rw, r.Body) })
	ten := int64(10)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Bytes: &ten}, site)
	post := func(n int) (proxy.Answer, error) {
		return w.lane.Do(w.as(t, mailer), proxy.Request{URL: at("api.example.com", site, "/"), Method: "POST", Body: make([]byte, n)})
	}
	if a, err := post(10); err != nil || !a.Success {
		t.Errorf("10 bytes: %+v, %v", a, err)
	}
	if _, err := post(11); !fault.Is(err, fault.TooLarge) {
		t.Errorf("11 bytes: %v", err)
	}
}

func TestDoKeepsToTheRateApproved(t *testing.T) {
	now := time.Now()
	var clock sync.Mutex
	w := newWorld(t, worldConfig{now: func() time.Time { clock.Lock(); defer clock.Unlock(); return now }})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {})
	two := int32(2)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Rate: &two}, site)
	for i, want := range []string{"", "", "proxy.rate", "proxy.rate"} {
		_, err := w.get(t, mailer, at("api.example.com", site, "/"))
		if code(err) != want {
			t.Errorf("request %d: %v, want %q", i, err, want)
		}
		if f := fault.Of(err); want != "" && (f.Kind != fault.TooMany || f.RetryAfter <= 0) {
			t.Errorf("request %d: %+v", i, f)
		}
	}
	clock.Lock()
	now = now.Add(2 * time.Minute)
	clock.Unlock()
	if _, err := w.get(t, mailer, at("api.example.com", site, "/")); err != nil {
		t.Errorf("two minutes later: %v", err)
	}
}

func TestDoBoundsRequestsAtATime(t *testing.T) {
	w := newWorld(t, worldConfig{limits: proxy.Limits{InFlight: 2}})
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-release })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := w.get(t, mailer, at("api.example.com", site, "/")); err != nil {
				t.Error(err)
			}
		})
		<-arrived
	}
	if _, err := w.get(t, mailer, at("api.example.com", site, "/")); code(err) != "lane.in_flight" || !fault.Is(err, fault.TooMany) {
		t.Errorf("the third: %v", err)
	}
	if _, err := w.get(t, lurker, at("api.example.com", site, "/")); code(err) != "proxy.trait" {
		t.Errorf("another plugin: %v", err)
	}
	close(release)
	wg.Wait()
	if _, err := w.get(t, mailer, at("api.example.com", site, "/")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// An idempotent request whose connection breaks is sent once more, another never.
func TestDoTriesAgainOnlyWhereItIsHarmless(t *testing.T) {
	w := newWorld(t, worldConfig{})
	var asked atomic.Int64
	site, _ := w.serveWith(t, func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
	}, http1(w.ca.issue(t, "api.example.com")))
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	for method, want := range map[string]int64{"PUT": 2, "POST": 1} {
		asked.Store(0)
		a, err := w.lane.Do(w.as(t, mailer), proxy.Request{URL: at("api.example.com", site, "/"), Method: method, Body: []byte("x")})
		if err != nil || a.Success != (want == 2) || asked.Load() != want {
			t.Errorf("%s: %+v, %v; the host was asked %d times", method, a, err, asked.Load())
		}
	}
}

// The flipping resolver (CVE-2023-26492), through the whole lane.
func TestDoNeverReachesLoopbackThroughAFlippingResolver(t *testing.T) {
	var second atomic.Int64
	began := time.Now()
	w := newWorld(t, worldConfig{
		judge:  proxy.Judge{Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.2/32"]}`)},
		now:    func() time.Time { return began.Add(time.Duration(second.Add(1)) * time.Second) },
		limits: proxy.Limits{InFlight: 1000, Rate: 1_000_000},
	})
	honest, _ := listenOn(t, "127.0.0.2", 0)
	trap, trapped := listenOn(t, "127.0.0.1", portOf(honest))
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, honest)
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	w.resolve("api.example.com", "127.0.0.2", "127.0.0.2", "127.0.0.1")
	parallel := make(chan struct{}, 128)
	for range 1000 {
		wg.Go(func() {
			parallel <- struct{}{}
			defer func() { <-parallel }()
			a, err := w.get(t, mailer, "http://api.example.com:"+strconv.Itoa(portOf(honest))+"/")
			switch {
			case err == nil && a.Body == "hello from 127.0.0.2":
				answered.Add(1)
			case code(err) == proxy.CodeAddress:
				refused.Add(1)
			default:
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	if n := settled(t, trap, trapped); n != 0 {
		t.Errorf("loopback saw %d connections", n)
	}
	if answered.Load() == 0 || refused.Load() == 0 {
		t.Errorf("the test proved nothing: %d answered, %d refused", answered.Load(), refused.Load())
	}
}

func TestRefusedDomainsAreLearned(t *testing.T) {
	w := newWorld(t, worldConfig{})
	for _, url := range []string{"https://wanted.example.com/", "https://wanted.example.com/again", "https://nowhere.example.com/", "https://127.0.0.1/", "nonsense"} {
		if _, err := w.get(t, mailer, url); err == nil {
			t.Fatalf("%s was let through", url)
		}
	}
	got := map[string]string{}
	for deadline := time.Now().Add(10 * time.Second); len(got) < 2 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		rows, err := w.registry.Observed(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got[r.PluginID+" "+r.Domain] = r.LastRule
		}
	}
	if diff := cmp.Diff(map[string]string{"mailer wanted.example.com": "proxy.domain", "mailer nowhere.example.com": "proxy.approved"}, got); diff != "" {
		t.Error(diff)
	}
}

// A plugin that is disabled is off the lane at once, with what it has on the way.
func TestDisablingAPluginEndsItsRequests(t *testing.T) {
	w := newWorld(t, worldConfig{})
	arrived := make(chan struct{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	result := make(chan error, 1)
	go func() {
		_, err := w.get(t, mailer, at("api.example.com", site, "/"))
		result <- err
	}()
	<-arrived
	if err := w.registry.Move(actor.With(t.Context(), actor.Core("test")), mailer, policy.Active, policy.Disabled, "test"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := <-result; code(err) != "plugin.disabled" || !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the request on its way: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := w.get(t, mailer, at("api.example.com", site, "/")); code(err) != "plugin.disabled" {
		t.Errorf("the next request: %v", err)
	}
}

// With the real audit writer, one call leaves a decision and its outcome in one
// chain, and a refusal exactly one row.
func TestDoInTheRealAudit(t *testing.T) {
	w := newWorld(t, worldConfig{})
	writer := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "test"})
	runUntilEnd(t, writer.Run)
	lane := w.open(t, writer)
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "hello") })
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	if _, err := lane.Do(w.as(t, mailer), proxy.Request{URL: at("api.example.com", site, "/")}); err != nil {
		t.Fatal(err)
	}
	_, err := lane.Do(w.as(t, mailer), proxy.Request{URL: "https://undeclared.example.com/"})
	if code(err) != "proxy.domain" {
		t.Fatal(err)
	}
	want := []string{"allow proxy.approved", "deny proxy.domain", "ok proxy.approved"}
	var got []string
	for deadline := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		got = nil
		rows, err := w.db.Pool.Query(t.Context(), `SELECT outcome || ' ' || rule FROM audit_log WHERE action = 'proxy.request' ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if err := errors.Join(rows.Err()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
