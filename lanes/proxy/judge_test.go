package proxy_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/proxy"
)

func TestPublicAddressesPass(t *testing.T) {
	for _, s := range []string{
		"1.0.0.1", "8.8.8.8", "93.184.216.34", "9.255.255.255", "11.0.0.0",
		"100.63.255.254", "100.63.255.255", "100.128.0.0", "100.128.0.1",
		"126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"168.63.129.15", "168.63.129.17",
		"64:ff9c::1", "2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1",
		"2620:4f:7fff::1", "2620:4f:8001::1", "3fff:1000::1", "2a00:1450:4001::200e",
	} {
		if err := proxy.JudgeAddr(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestEveryOtherAddressIsRefused(t *testing.T) {
	for _, s := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
		"127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255",
		"172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.9", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255",
		"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1",
		"198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.255",
		"224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
		"168.63.129.16", "100.100.100.200",

		"::", "::1", "::2", "::7f00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
		"64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "64:ff9b:1:ffff::7f00:1",
		"100::1", "100:0:0:1::1", "200::1", "400::1", "1000::1",
		"2001::1", "2001:0:7f00:1::", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:1f:ffff::1", "2001:20::1", "2001:30::1", "2001:1ff::1",
		"2001:db8::1", "2001:db8:ffff::1", "2002::1", "2002:7f00:1::1", "2620:4f:8000::1", "3ffe::1", "3fff::1", "3fff:fff::1",
		"4000::1", "5f00::1", "6000::1", "8000::1", "c000::1", "e000::1", "fbff::1",
		"fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fdff::1", "fe00::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff02::1", "ffff::1",
		"2606:4700::5efe:7f00:1", "2606:4700::200:5efe:8.8.8.8", // ISATAP
		"2606:4700::1%eth0", "fe80::1%eth0",
	} {
		err := proxy.JudgeAddr(netip.MustParseAddr(s))
		if f := fault.Of(err); err == nil || f.Code != proxy.CodeAddress || f.Kind != fault.Denied {
			t.Errorf("%s was accepted, or refused by another rule: %v", s, err)
		}
	}
	if proxy.JudgeAddr(netip.Addr{}) == nil {
		t.Error("no address at all was accepted")
	}
}

// The standard library's own classes are a second opinion on whatever we accept.
func FuzzJudgeAddr(f *testing.F) {
	for _, s := range []string{"8.8.8.8", "127.0.0.1", "::ffff:10.0.0.1", "64:ff9c::1", "2002:a00:1::", "fe80::1", "2606:4700::1"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		addr, ok := netip.AddrFromSlice(octets)
		if !ok || proxy.JudgeAddr(addr) != nil {
			return
		}
		if addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() || addr.Is4In6() || !addr.IsGlobalUnicast() {
			t.Fatalf("%s was accepted", addr)
		}
		if b := addr.As16(); addr.Is6() && net.IP(b[:]).To4() != nil {
			t.Fatalf("%s was accepted and is IPv4 to others", addr)
		}
	})
}

func TestParseRanges(t *testing.T) {
	got, err := proxy.ParseRanges([]byte(`{"API.example.com": ["127.0.0.1/32", "10.1.0.0/16", "fd12::/16"], "b.example": ["::1/128", "100.64.0.0/10"]}`))
	want := proxy.Ranges{
		"api.example.com": {netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd12::/16")},
		"b.example":       {netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("100.64.0.0/10")},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, text := range []string{
		``, `[]`, `{"a.example": "10.0.0.0/8"}`, `{"a.example": ["10.0.0.1"]}`, `{"a.example": ["10.0.0.1/8"]}`,
		`{"*": ["10.0.0.0/8"]}`, `{"localhost": ["127.0.0.0/8"]}`, `{"127.0.0.1": ["127.0.0.0/8"]}`,
		`{"a.example": ["0.0.0.0/0"]}`, `{"a.example": ["::/0"]}`, `{"a.example": ["8.0.0.0/5"]}`, `{"a.example": ["192.168.0.0/15"]}`,
		`{"a.example": ["169.254.0.0/16"]}`, `{"a.example": ["169.254.169.254/32"]}`, `{"a.example": ["fe80::/10"]}`,
		`{"a.example": ["224.0.0.0/4"]}`, `{"a.example": ["::ffff:10.0.0.0/104"]}`, `{"a.example": ["8.8.8.8/32"]}`,
	} {
		if ranges, err := proxy.ParseRanges([]byte(text)); err == nil {
			t.Errorf("%s was read as %v", text, ranges)
		}
	}
}

func TestJudge(t *testing.T) {
	ranges, err := proxy.ParseRanges([]byte(`{"api.example.com": ["127.0.0.0/8", "::1/128", "100.64.0.0/10", "10.9.0.0/16"]}`))
	if err != nil {
		t.Fatal(err)
	}
	judge := proxy.Judge{Ranges: ranges, Own: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:8080"), // listener
		netip.MustParseAddrPort("10.9.0.5:5432"),  // database
		netip.MustParseAddrPort("[::]:4222"),      // bus, on every address
		netip.MustParseAddrPort("203.0.113.7:443"),
		netip.MustParseAddrPort("[::ffff:93.184.216.34]:443"),
	}}
	tests := []struct {
		host, at string
		ok       bool
	}{
		{"api.example.com", "127.0.0.1:443", true},
		{"api.example.com", "127.0.0.1:8080", false},
		{"api.example.com", "127.0.0.1:8081", true},
		{"api.example.com", "127.0.0.2:8080", true},
		{"api.example.com", "[::1]:8080", true},
		{"api.example.com", "[::1]:4222", false},
		{"api.example.com", "127.9.9.9:4222", false},
		{"api.example.com", "10.9.0.5:5432", false},
		{"api.example.com", "10.9.0.5:443", true},
		{"api.example.com", "10.8.0.5:443", false},
		{"api.example.com", "100.64.0.1:443", true},
		{"api.example.com", "100.100.100.200:80", false}, // a metadata service inside the opened range
		{"api.example.com", "93.184.216.34:443", false},
		{"api.example.com", "93.184.216.34:80", true},
		{"b.example", "127.0.0.1:443", false},
		{"b.example", "8.8.8.8:443", true},
		{"b.example", "8.8.8.8:4222", true},
	}
	for _, tt := range tests {
		if err := judge.Address(tt.host, netip.MustParseAddrPort(tt.at)); (err == nil) != tt.ok {
			t.Errorf("%s at %s: %v", tt.host, tt.at, err)
		}
	}
}

// A listener bound to no address in particular answers on every interface.
func TestJudgeKnowsTheMachinesOwnAddresses(t *testing.T) {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	judge := proxy.Judge{Own: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080")}}
	for _, a := range interfaces {
		at := netip.AddrPortFrom(netip.MustParsePrefix(a.String()).Addr(), 8080)
		if judge.Address("b.example", at) == nil {
			t.Errorf("the core's own %s was accepted", at)
		}
	}
}
