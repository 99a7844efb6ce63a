package proxy_test

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/proxy"
)

// hostile is one line of testdata/refused.jsonl: a URL that a plugin with the one
// domain api.example.com must not get through.
type hostile struct{ URL, Cls, Level, Why string }

func hostileURLs(t testing.TB) []hostile {
	t.Helper()
	var all []hostile
	for _, line := range lines(t, "testdata/refused.jsonl") {
		var h hostile
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func lines(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for s := bufio.NewScanner(f); s.Scan(); {
		all = append(all, s.Text())
	}
	return all
}

// What the parser lets through for policy to refuse: another host, another port,
// or plain http. Everything else hostile ends here.
func TestHostileURLsNeverBecomeTheDeclaredHost(t *testing.T) {
	byPolicy := map[string]func(proxy.Target) bool{
		"port-off-list":  func(u proxy.Target) bool { return u.Port != 443 && u.Port != 80 },
		"plaintext-http": proxy.Target.Plain,
	}
	for _, h := range hostileURLs(t) {
		target, err := proxy.ParseURL(h.URL)
		if err == nil && target.Host == "api.example.com" {
			if left, ok := byPolicy[h.Cls]; !ok || !left(target) {
				t.Errorf("%q was read as %+v (%s: %s)", h.URL, target, h.Cls, h.Why)
			}
		}
		if err != nil && !fault.Is(err, fault.Denied) {
			t.Errorf("%q: the fault is not a denial", h.URL)
		}
	}
}

func TestHonestURLs(t *testing.T) {
	for _, raw := range lines(t, "testdata/allowed.txt") {
		target, err := proxy.ParseURL(raw)
		if err != nil {
			t.Errorf("%s was refused: %v", raw, err)
			continue
		}
		if target.Scheme != "https" || target.Host != "api.example.com" || target.Port != 443 {
			t.Errorf("%s was read as %+v", raw, target)
		}
	}
}

func TestParseURL(t *testing.T) {
	tests := []struct {
		raw  string
		want proxy.Target
	}{
		{"https://api.example.com", proxy.Target{"https", "api.example.com", 443, "/", ""}},
		{"http://api.example.com/", proxy.Target{"http", "api.example.com", 80, "/", ""}},
		{"HtTpS://API.example.COM:8443/V1/x", proxy.Target{"https", "api.example.com", 8443, "/V1/x", ""}},
		{"https://api.example.com/a;v=1/b,c//d%2Fe?q=a/../b&r=%0a|{}", proxy.Target{"https", "api.example.com", 443, "/a;v=1/b,c//d%2Fe", "q=a/../b&r=%0a|{}"}},
		{"https://api.example.com/a?b?c", proxy.Target{"https", "api.example.com", 443, "/a", "b?c"}},
		{"https://api.example.com/a#b?c@d", proxy.Target{"https", "api.example.com", 443, "/a", ""}},
		{"https://api.example.com/a?b#c", proxy.Target{"https", "api.example.com", 443, "/a", "b"}},
		{"https://api.example.com?x=1&y=2.5", proxy.Target{"https", "api.example.com", 443, "/", "x=1&y=2.5"}},
		{"https://xn--bcher-kva.example/", proxy.Target{"https", "xn--bcher-kva.example", 443, "/", ""}},
		{"https://3com.example/100%25", proxy.Target{"https", "3com.example", 443, "/100%25", ""}},
		{"https://a.0xample/", proxy.Target{"https", "a.0xample", 443, "/", ""}},
		{"https://api.example.com/@x:y", proxy.Target{"https", "api.example.com", 443, "/@x:y", ""}},
	}
	for _, tt := range tests {
		got, err := proxy.ParseURL(tt.raw)
		if err != nil || got != tt.want {
			t.Errorf("%s was read as %+v, %v; want %+v", tt.raw, got, err, tt.want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	const host = "api.example.com"
	for raw, code := range map[string]string{
		"":                      proxy.CodeURL,
		host:                    proxy.CodeURL,
		"//" + host + "/":       proxy.CodeURL,
		"https:" + host:         proxy.CodeURL,
		"https:/" + host:        proxy.CodeURL,
		"https:///" + host:      proxy.CodeURL,
		"https:////" + host:     proxy.CodeURL,
		"https://":              proxy.CodeURL,
		"https://?" + host:      proxy.CodeURL,
		"https//" + host:        proxy.CodeURL,
		"https ://" + host:      proxy.CodeURL,
		" https://" + host:      proxy.CodeURL,
		"https://" + host + " ": proxy.CodeURL,
		"\ufeffhttps://" + host: proxy.CodeURL,
		"ftp://" + host + "/":   proxy.CodeURL,
		"file:///etc/passwd":    proxy.CodeURL,
		"gopher://" + host:      proxy.CodeURL,
		"ws://" + host + "/":    proxy.CodeURL,
		"httpss://" + host:      proxy.CodeURL,
		"javascript://" + host:  proxy.CodeURL,

		"https://u@" + host:                   proxy.CodeURL,
		"https://u:p@" + host:                 proxy.CodeURL,
		"https://@" + host:                    proxy.CodeURL,
		"https://" + host + "@evil.example/":  proxy.CodeURL,
		"https://" + host + "%40evil.example": proxy.CodeURL,
		"https://" + host + `\@evil.example`:  proxy.CodeURL,
		"https://" + host + "#@evil.example/": proxy.CodeURL,
		"https://" + host + "?@evil.example/": proxy.CodeURL,
		"https://" + host + "?.evil.example/": proxy.CodeURL,
		"https://" + host + "?x=@evil.test":   proxy.CodeURL,
		"https://" + host + "#x":              proxy.CodeURL,
		"https://" + host + ";.evil.example":  proxy.CodeURL,
		"https://" + host + "&x.evil.example": proxy.CodeURL,
		"https://" + host + ",evil.example":   proxy.CodeURL,

		"https://" + host + ":":                     proxy.CodeURL,
		"https://" + host + ":/":                    proxy.CodeURL,
		"https://" + host + ":0":                    proxy.CodeURL,
		"https://" + host + ":65536":                proxy.CodeURL,
		"https://" + host + ":0443":                 proxy.CodeURL,
		"https://" + host + ":+443":                 proxy.CodeURL,
		"https://" + host + ":-1":                   proxy.CodeURL,
		"https://" + host + ":0x1bb":                proxy.CodeURL,
		"https://" + host + ":4e2":                  proxy.CodeURL,
		"https://" + host + ":443:80":               proxy.CodeURL,
		"https://" + host + ":443_0":                proxy.CodeURL,
		"https://" + host + ":%34%34":               proxy.CodeURL,
		"https://" + host + ":https":                proxy.CodeURL,
		"https://" + host + ":99999999999999999999": proxy.CodeURL,

		"https://" + host + "./":                               proxy.CodeURL,
		"https://." + host + "/":                               proxy.CodeURL,
		"https://api..example.com":                             proxy.CodeURL,
		"https://-api.example.com":                             proxy.CodeURL,
		"https://api-.example.com":                             proxy.CodeURL,
		"https://a_b.example.com":                              proxy.CodeURL,
		"https://*.example.com":                                proxy.CodeURL,
		"https://localhost":                                    proxy.CodeURL,
		"https://" + strings.Repeat("a", 64) + ".example":      proxy.CodeURL,
		"https://" + strings.Repeat("a.", 130) + "example.com": proxy.CodeURL,
		"https://аpi.example.com":                              proxy.CodeURL, // a Cyrillic letter
		"https://api%2eexample.com":                            proxy.CodeURL,
		"https://%61pi.example.com":                            proxy.CodeURL,

		"https://127.0.0.1":           proxy.CodeAddress,
		"https://127.1":               proxy.CodeAddress,
		"https://2130706433":          proxy.CodeAddress,
		"https://0x7f000001":          proxy.CodeAddress,
		"https://0x7f.1":              proxy.CodeAddress,
		"https://0X7F.0x1":            proxy.CodeAddress,
		"https://0177.0.0.01":         proxy.CodeAddress,
		"https://api.example.0x":      proxy.CodeAddress,
		"https://api.example.1":       proxy.CodeAddress,
		"https://1.2.3.4.5":           proxy.CodeAddress,
		"https://[::1]":               proxy.CodeAddress,
		"https://[::ffff:127.0.0.1]/": proxy.CodeAddress,
		"https://[fe80::1%25eth0]/":   proxy.CodeAddress,
		"https://[v1.x]/":             proxy.CodeAddress,
		"https://[" + host + "]/":     proxy.CodeAddress,

		"https://" + host + "/../admin":                             proxy.CodeURL,
		"https://" + host + "/a/./b":                                proxy.CodeURL,
		"https://" + host + "/..":                                   proxy.CodeURL,
		"https://" + host + "/a/%2e%2e/b":                           proxy.CodeURL,
		"https://" + host + "/a/..%2fb":                             proxy.CodeURL,
		"https://" + host + "/a/..%5cb":                             proxy.CodeURL,
		"https://" + host + "/a/%252e%252e/b":                       proxy.CodeURL,
		"https://" + host + "/a/%2525252e%2525252e/b":               proxy.CodeURL,
		"https://" + host + "/a/..;x=1/b":                           proxy.CodeURL,
		"https://" + host + "/a/..%20/b":                            proxy.CodeURL,
		"https://" + host + `/a\b`:                                  proxy.CodeURL,
		"https://" + host + "/a%":                                   proxy.CodeURL,
		"https://" + host + "/a%zz":                                 proxy.CodeURL,
		"https://" + host + "/%ff":                                  proxy.CodeURL,
		"https://" + host + "/%c0%ae":                               proxy.CodeURL,
		"https://" + host + "/a%0d%0aX:1":                           proxy.CodeURL,
		"https://" + host + "/a%00":                                 proxy.CodeURL,
		"https://" + host + "/a b":                                  proxy.CodeURL,
		"https://" + host + "/✓":                                    proxy.CodeURL,
		"https://" + host + "/{id}":                                 proxy.CodeURL,
		"https://" + host + "/a\"b":                                 proxy.CodeURL,
		"https://" + host + "/?a b":                                 proxy.CodeURL,
		"https://" + host + "/?a\r\nb":                              proxy.CodeURL,
		"https://" + host + "/?<x>":                                 proxy.CodeURL,
		"https://" + host + "/" + strings.Repeat("a", proxy.MaxURL): proxy.CodeURL,
	} {
		target, err := proxy.ParseURL(raw)
		if err == nil {
			t.Errorf("%.80q was read as %+v", raw, target)
			continue
		}
		if f := fault.Of(err); f.Code != code || f.Kind != fault.Denied {
			t.Errorf("%.80q was refused by %s (%s), want %s", raw, f.Code, f.Sentence, code)
		}
	}
}

// Whatever we accept, the standard library, which sends it, reads the same way.
func FuzzParseURL(f *testing.F) {
	for _, h := range hostileURLs(f) {
		f.Add(h.URL)
	}
	for _, raw := range lines(f, "testdata/allowed.txt") {
		f.Add(raw)
	}
	f.Add("https://a.example:8443/b;c=1//d%2Fe[0]?q=1#f")
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := proxy.ParseURL(raw)
		if err != nil {
			return
		}
		std, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("the standard library refuses %q: %v", raw, err)
		}
		port := std.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[std.Scheme]
		}
		if std.Scheme != target.Scheme || strings.ToLower(std.Hostname()) != target.Host || port != strconv.Itoa(int(target.Port)) || std.User != nil {
			t.Fatalf("%q is %+v to us and %+v to the standard library", raw, target, std)
		}
		if std.RawQuery != target.Query || (std.EscapedPath() != target.Path && std.Path != "") {
			t.Fatalf("%q: path and query are %q %q to us and %q %q to the standard library", raw, target.Path, target.Query, std.EscapedPath(), std.RawQuery)
		}
		if _, err := netip.ParseAddr(target.Host); err == nil {
			t.Fatalf("%q names the address %s", raw, target.Host)
		}
		sent := target.URL()
		uri := target.Path
		if target.Query != "" {
			uri += "?" + target.Query
		}
		if sent.RequestURI() != uri || sent.Host != target.Authority() {
			t.Fatalf("%q is sent as %q to %q, but was judged as %q", raw, sent.RequestURI(), sent.Host, uri)
		}
		if again, err := proxy.ParseURL(sent.String()); err != nil || again != target {
			t.Fatalf("%q reads as %+v, and written back as %+v, %v", raw, target, again, err)
		}
	})
}
