package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/proxy"
)

// listenOn starts a server on address:port (port 0: any) that counts its connections.
func listenOn(t testing.TB, address string, port int) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello from "+address) }))
	s.Listener.Close()
	s.Listener = l
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &connections
}

// settled returns how many connections arrived before this call. It makes one of
// its own: connections are accepted in order, so once that one was answered all
// earlier ones were counted.
func settled(t testing.TB, s *httptest.Server, connections *atomic.Int64) int64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return connections.Add(-1)
}

func portOf(s *httptest.Server) int { return s.Listener.Addr().(*net.TCPAddr).Port }

func rangesOf(t testing.TB, text string) proxy.Ranges {
	t.Helper()
	ranges, err := proxy.ParseRanges([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ranges
}

func TestDialerJudgesEveryAddress(t *testing.T) {
	ns := startNameserver(t, names(map[string][]string{
		"public.example":   {"93.184.216.34", "2606:4700:4700::1111"},
		"one-bad.example":  {"93.184.216.34", "10.0.0.1"},
		"six-bad.example":  {"93.184.216.34", "::1"},
		"mapped.example":   {"::ffff:169.254.169.254"},
		"nat64.example":    {"64:ff9b::a9fe:a9fe"},
		"metadata.example": {"169.254.169.254"},
		"opened.example":   {"127.0.0.7"},
	}))
	dialer := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{Ranges: rangesOf(t, `{"opened.example": ["127.0.0.7/32"]}`)}, nil)
	for host, code := range map[string]string{
		"public.example":   "",
		"opened.example":   "",
		"one-bad.example":  proxy.CodeAddress,
		"six-bad.example":  proxy.CodeAddress,
		"mapped.example":   proxy.CodeAddress,
		"nat64.example":    proxy.CodeAddress,
		"metadata.example": proxy.CodeAddress,
		"unknown.example":  proxy.CodeDNS,
	} {
		got := ""
		if _, err := dialer.Judge(t.Context(), host, 443); err != nil {
			got = fault.Of(err).Code
		}
		if got != code {
			t.Errorf("%s: refused by %q, want %q", host, got, code)
		}
	}
}

func TestDialerConnectsOnlyToWhatWasJudged(t *testing.T) {
	server, connections := listenOn(t, "127.0.0.1", 0)
	ns := startNameserver(t, names(map[string][]string{"api.example.com": {"127.0.0.1"}}))
	dialer := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.1/32"]}`)}, nil)
	port := portOf(server)
	judged, err := dialer.Judge(t.Context(), "api.example.com", uint16(port))
	if err != nil {
		t.Fatal(err)
	}
	for name, dial := range map[string]struct {
		ctx       context.Context
		authority string
	}{
		"nothing judged":   {t.Context(), net.JoinHostPort("api.example.com", strconv.Itoa(port))},
		"another host":     {judged.With(t.Context()), net.JoinHostPort("b.example.com", strconv.Itoa(port))},
		"another port":     {judged.With(t.Context()), "api.example.com:1"},
		"the bare address": {judged.With(t.Context()), net.JoinHostPort("127.0.0.1", strconv.Itoa(port))},
		"a zero judgement": {proxy.Judged{}.With(t.Context()), ""},
	} {
		if conn, err := dialer.DialContext(dial.ctx, "tcp", dial.authority); err == nil {
			conn.Close()
			t.Errorf("%s: connected", name)
		}
	}
	if n := settled(t, server, connections); n != 0 {
		t.Errorf("the listener saw %d connections", n)
	}
	conn, err := dialer.DialContext(judged.With(t.Context()), "tcp", net.JoinHostPort("api.example.com", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// The second judgement, at the socket, holds even when the first was made under
// other rules.
func TestDialerJudgesAgainAtTheSocket(t *testing.T) {
	server, connections := listenOn(t, "127.0.0.1", 0)
	ns := startNameserver(t, names(map[string][]string{"api.example.com": {"127.0.0.1"}}))
	lenient := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.1/32"]}`)}, nil)
	strict := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{}, nil)
	judged, err := lenient.Judge(t.Context(), "api.example.com", uint16(portOf(server)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = strict.DialContext(judged.With(t.Context()), "tcp", net.JoinHostPort("api.example.com", strconv.Itoa(portOf(server))))
	if n := settled(t, server, connections); fault.Of(err).Code != proxy.CodeAddress || n != 0 {
		t.Errorf("%v; the listener saw %d connections", err, n)
	}
}

// A host with several addresses is reached at one that answers.
func TestDialerTriesTheNextAddress(t *testing.T) {
	alive, connections := listenOn(t, "127.0.0.3", 0)
	ns := startNameserver(t, names(map[string][]string{"api.example.com": {"127.0.0.4", "127.0.0.3"}}))
	dialer := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.0/29"]}`)}, nil)
	judged, err := dialer.Judge(t.Context(), "api.example.com", uint16(portOf(alive)))
	if err != nil {
		t.Fatal(err)
	}
	authority := net.JoinHostPort("api.example.com", strconv.Itoa(portOf(alive)))
	conn, err := dialer.DialContext(judged.With(t.Context()), "tcp", authority)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if settled(t, alive, connections) == 0 {
		t.Error("nobody was reached")
	}
	alive.Close()
	if _, err := dialer.DialContext(judged.With(t.Context()), "tcp", authority); err == nil {
		t.Error("connected to nobody")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dialer.DialContext(judged.With(ended), "tcp", authority); !errors.Is(err, context.Canceled) {
		t.Errorf("after the request ended: %v", err)
	}
}

// A name server that answers with an honest address now and with loopback next
// (CVE-2023-26492) never leads a request to loopback.
func TestFlippingResolverNeverReachesLoopback(t *testing.T) {
	honest, _ := listenOn(t, "127.0.0.2", 0)
	trap, trapped := listenOn(t, "127.0.0.1", portOf(honest))
	var asked atomic.Int64
	ns := startNameserver(t, func(string) []netip.Addr {
		if asked.Add(1)%3 == 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})
	// Every request is a second later than the one before it, so that the name is
	// looked up over and over.
	var second atomic.Int64
	clock := func() time.Time { return time.Unix(second.Add(1), 0) }
	dialer := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{Ranges: rangesOf(t, `{"api.example.com": ["127.0.0.2/32"]}`)}, clock)
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()

	const requests = 1000
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	parallel := make(chan struct{}, 128)
	for range requests {
		wg.Go(func() {
			parallel <- struct{}{}
			defer func() { <-parallel }()
			judged, err := dialer.Judge(t.Context(), "api.example.com", uint16(portOf(honest)))
			if err != nil {
				if fault.Of(err).Code != proxy.CodeAddress {
					t.Errorf("refused for another reason: %v", err)
				}
				refused.Add(1)
				return
			}
			req, err := http.NewRequestWithContext(judged.With(t.Context()), http.MethodGet, "http://api.example.com:"+strconv.Itoa(portOf(honest))+"/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(body) != "hello from 127.0.0.2" {
				t.Errorf("answer %q, %v", body, err)
			}
			answered.Add(1)
		})
	}
	wg.Wait()
	if n := settled(t, trap, trapped); n != 0 {
		t.Errorf("loopback saw %d connections", n)
	}
	if answered.Load() == 0 || refused.Load() == 0 || asked.Load() < 10 {
		t.Errorf("the test proved nothing: %d answered, %d refused, %d look-ups", answered.Load(), refused.Load(), asked.Load())
	}
}

func TestResolverIsAskedOncePerMoment(t *testing.T) {
	ns := startNameserver(t, names(map[string][]string{"public.example": {"93.184.216.34"}}))
	now := time.Unix(0, 0)
	dialer := proxy.NewDialer(proxy.NewResolver(ns.address), proxy.Judge{}, func() time.Time { return now })
	for range 10 {
		if _, err := dialer.Judge(t.Context(), "public.example", 443); err != nil {
			t.Fatal(err)
		}
	}
	if n := ns.asked.Load(); n != 2 { // A and AAAA
		t.Errorf("asked %d questions", n)
	}
	now = now.Add(time.Minute)
	if _, err := dialer.Judge(t.Context(), "public.example", 443); err != nil {
		t.Fatal(err)
	}
	if n := ns.asked.Load(); n != 4 {
		t.Errorf("asked %d questions after a minute", n)
	}
}
