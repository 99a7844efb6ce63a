package external_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

var lifeLoopback = netip.MustParsePrefix("127.0.0.0/8")

// lifeRuntime reaches plugins in networks, but not at own.
func lifeRuntime(t *testing.T, networks []netip.Prefix, own ...netip.AddrPort) *external.Runtime {
	rt := external.New(external.Config{Networks: func() []netip.Prefix { return networks }, Own: func() []netip.AddrPort { return own }})
	t.Cleanup(rt.Close)
	return rt
}

// TestDialled: only what lies in the plugins' networks is dialled, judged by the
// address a name leads to, and never the core's own listeners.
func TestDialled(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	at := s.Listener.Addr().(*net.TCPAddr).AddrPort()
	port := strings.TrimPrefix(s.URL, "http://127.0.0.1:")
	own := func(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), at.Port()) }
	for _, tc := range []struct {
		name, address string
		networks      []netip.Prefix
		own           []netip.AddrPort
		refused       bool
	}{
		{"inside", s.URL, []netip.Prefix{lifeLoopback}, nil, false},
		{"a name that leads inside", "http://localhost:" + port, []netip.Prefix{lifeLoopback, netip.MustParsePrefix("::1/128")}, nil, false},
		{"no network at all", s.URL, nil, nil, true},
		{"outside", s.URL, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil, true},
		{"a name that leads outside", "http://localhost:" + port, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil, true},
		{"mapped into IPv6", "http://[::ffff:127.0.0.1]:" + port, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil, true},
		{"our listener", s.URL, []netip.Prefix{lifeLoopback}, []netip.AddrPort{at}, true},
		{"our listener, mapped into IPv6", s.URL, []netip.Prefix{lifeLoopback}, []netip.AddrPort{own("::ffff:127.0.0.1")}, true},
		{"our listener on every address", s.URL, []netip.Prefix{lifeLoopback}, []netip.AddrPort{own("0.0.0.0")}, true},
		{"our listener on every address, IPv6", s.URL, []netip.Prefix{lifeLoopback}, []netip.AddrPort{own("::")}, true},
		{"another address of ours", s.URL, []netip.Prefix{lifeLoopback}, []netip.AddrPort{own("127.0.0.2")}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rt := lifeRuntime(t, tc.networks, tc.own...)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			answer, err := rt.Call(t.Context(), pluginmgr.Target{Address: tc.address}, r)
			if err == nil {
				answer.Body.Close()
			}
			for how, err := range map[string]error{"call": err, "probe": rt.Probe(t.Context(), pluginmgr.Target{Address: tc.address})} {
				if (err != nil) != tc.refused || tc.refused && (!fault.Is(err, fault.BadGateway) || fault.Of(err).Code != "target.address") {
					t.Errorf("%s: %v, want refused %v", how, err, tc.refused)
				}
			}
		})
	}
}

// TestPath: the request's path follows the base URL's, escapes and all.
func TestPath(t *testing.T) {
	heard := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r }))
	t.Cleanup(s.Close)
	rt := lifeRuntime(t, []netip.Prefix{lifeLoopback})
	for _, tc := range []struct{ base, path, want string }{
		{"", "/a?b=c", "/a?b=c"},
		{"/", "/a", "/a"},
		{"/plugins/x", "/a?b=c&b=d", "/plugins/x/a?b=c&b=d"},
		{"/plugins/x/", "/a%2Fb", "/plugins/x/a%2Fb"},
		{"/with%20space", "/%C3%A4", "/with%20space/%C3%A4"},
	} {
		r, err := http.NewRequest(http.MethodGet, "http://x"+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := rt.Call(t.Context(), pluginmgr.Target{Address: s.URL + tc.base}, r)
		if err != nil {
			t.Fatalf("%s%s: %v", tc.base, tc.path, err)
		}
		answer.Body.Close()
		got := <-heard
		if got.RequestURI != tc.want || got.Host != strings.TrimPrefix(s.URL, "http://") {
			t.Errorf("%s with %s asks %s for %s, want %s", tc.base, tc.path, got.Host, got.RequestURI, tc.want)
		}
	}
}

// TestRedirectsAreAnswers: a plugin cannot send the core elsewhere.
func TestRedirectsAreAnswers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	answer, err := lifeRuntime(t, []netip.Prefix{lifeLoopback}).Call(t.Context(), pluginmgr.Target{Address: s.URL}, httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusTemporaryRedirect || answer.Header.Get("Location") != elsewhere.URL {
		t.Errorf("answered %d to %q, want the redirect itself", answer.StatusCode, answer.Header.Get("Location"))
	}
}
