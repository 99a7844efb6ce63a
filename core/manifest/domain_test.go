package manifest_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/manifest"
)

func TestCheckDomain(t *testing.T) {
	operator := []string{"evil.example", "*.Tracker.example", ".ads.example.", "", " "}
	long := strings.Repeat("a", 63)
	for rule, names := range map[string][]string{
		"": {"api.example.com", "API.Example.Com", "a.bc", "xn--bcher-kva.example", "1.example", "a-b.c-d.example", "example.c0m", "0x7f.example",
			"127.0.0.1.example.com", "local.example", "onion.example", "localhost.example", "notlocalhost.com", "internal.example", "example.1a",
			"notevil.example", "tracker.example.com", "ab--cd.example", long + "." + long + "." + long + "." + strings.Repeat("a", 61)},
		"domain.no_wildcard": {"*", "*.example.com", "api.*", "a*b.example.com", "*.*", "https://*.example.com/", "*localhost", "127.0.0.*", " * "},
		"domain.blocked": {"localhost", "LOCALHOST", "api.localhost", "a.b.localhost", "localhost.localdomain", "ip6-localhost",
			"127.0.0.1", "127.255.255.254", "0.0.0.0", "::1", "[::1]", "::", "[::]", "[127.0.0.1]",
			"metadata.google.internal", "x.metadata.google.internal", "metadata.goog", "metadata", "METADATA.azure.com", "instance-data",
			"evil.example", "EVIL.example", "api.evil.example", "tracker.example", "x.tracker.example", "ads.example", "x.ads.example"},
		"domain.private_ip": {"10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "8.8.8.8", "255.255.255.255",
			"[2001:db8::1]", "2001:db8::1", "2001:DB8::1", "fe80::1", "fd00::1", "::2", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "ff02::1"},
		"domain.format": {"", " ", "example", "com", ".", "..", ".example.com", "example.com.", "localhost.", "a..b", "a b.example", " api.example.com", "api.example.com ",
			"api.example.com\n", "api.example.com\x00", "api_x.example.com", "-a.example.com", "a-.example.com", "api.example.com:443", "api.example.com/", "api.example.com?x",
			"api.example.com#x", "user@example.com", "https://example.com", "//example.com", `example.com\x`, "exаmple.com", "ｅxample.com", "example。com", "bücher.example",
			"\u212a.example", // the Kelvin sign, which lower-cases to k
			"127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.01", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "a.0x", "a.0xff", "1.2.3.4.5", "256.1.1.1", "127.0.0.1:80",
			"127.0.0.1.", "[::1]:80", "[::1", "::1]", "fe80::1%eth0", "[fe80::1%25eth0]", "0:0:0:0:0:0:0:1", "::0001", "[]", "example.123", "a.1", "12.34",
			long + "a.example", long + "." + long + "." + long + "." + strings.Repeat("a", 62)},
		"domain.suspicious": {"x.onion", "a.b.onion", "shop.bit", "service.internal", "printer.local", "X.LOCAL", "host.docker.internal"},
	} {
		for _, name := range names {
			canonical, got := manifest.CheckDomain(name, operator)
			if got != rule {
				t.Errorf("%q: %q, want %q", name, got, rule)
			}
			if got == "" && canonical != strings.ToLower(name) {
				t.Errorf("%q becomes %q", name, canonical)
			}
		}
	}
}

func FuzzCheckDomain(f *testing.F) {
	for _, s := range []string{"api.example.com", "*.x", "127.0.0.1", "[::1]", "0x7f.1", "\u212a.example", "a..b", "x.local", "localhost", strings.Repeat("a.", 130)} {
		f.Add(s, "evil.example")
	}
	f.Fuzz(func(t *testing.T, name, blocked string) {
		canonical, rule := manifest.CheckDomain(name, []string{blocked})
		if rule != "" {
			return
		}
		if again, rule := manifest.CheckDomain(canonical, []string{blocked}); again != canonical || rule != "" {
			t.Errorf("%q becomes %q, which becomes %q and breaks %q", name, canonical, again, rule)
		}
		if len(canonical) > 253 || !strings.Contains(canonical, ".") || strings.Trim(canonical, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Errorf("%q passes and is no host name", canonical)
		}
		if a, err := netip.ParseAddr(canonical); err == nil {
			t.Errorf("%q passes and is the address %s", canonical, a)
		}
		for _, below := range []string{"localhost", "internal", "local", "onion", "bit"} {
			if canonical == below || strings.HasSuffix(canonical, "."+below) {
				t.Errorf("%q passes and is below %s", canonical, below)
			}
		}
	})
}
