package proxy

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// block is a range of addresses that is no place for a plugin's request.
type block struct {
	prefix netip.Prefix
	name   string
	// grantable ranges are a deployment's own: it may allow parts of them to a domain.
	grantable bool
}

// blocked lists every range of the IANA IPv4 and IPv6 Special-Purpose Address
// Registries (RFC 6890 and its successors), what RFC 4291 and RFC 3879 withdrew,
// and the metadata services that clouds put elsewhere. The first match names the
// reason, so the narrow ranges stand before the wide ones around them.
var blocked = []block{
	// Metadata services hand out the machine's own credentials: never grantable.
	{prefix: netip.MustParsePrefix("169.254.169.254/32"), name: "a cloud's metadata service"},
	{prefix: netip.MustParsePrefix("168.63.129.16/32"), name: "Azure's platform service"},
	{prefix: netip.MustParsePrefix("100.100.100.200/32"), name: "Alibaba Cloud's metadata service"},
	{prefix: netip.MustParsePrefix("192.0.0.192/32"), name: "Oracle Cloud's metadata service"},
	{prefix: netip.MustParsePrefix("fd00:ec2::/32"), name: "Amazon's metadata service"},
	{prefix: netip.MustParsePrefix("fd20:ce::254/128"), name: "Google Cloud's metadata service"},
	{prefix: netip.MustParsePrefix("fd00:42::42/128"), name: "Scaleway's metadata service"},

	{prefix: netip.MustParsePrefix("0.0.0.0/8"), name: "this host on this network (RFC 791)"},
	{prefix: netip.MustParsePrefix("10.0.0.0/8"), name: "private (RFC 1918)", grantable: true},
	{prefix: netip.MustParsePrefix("100.64.0.0/10"), name: "shared by a carrier (RFC 6598)", grantable: true},
	{prefix: netip.MustParsePrefix("127.0.0.0/8"), name: "loopback (RFC 1122)", grantable: true},
	{prefix: netip.MustParsePrefix("169.254.0.0/16"), name: "link-local (RFC 3927)"},
	{prefix: netip.MustParsePrefix("172.16.0.0/12"), name: "private (RFC 1918)", grantable: true},
	{prefix: netip.MustParsePrefix("192.0.0.0/24"), name: "assigned to protocols (RFC 6890)"},
	{prefix: netip.MustParsePrefix("192.0.2.0/24"), name: "for documentation (RFC 5737)"},
	{prefix: netip.MustParsePrefix("192.31.196.0/24"), name: "an AS112 sink (RFC 7535)"},
	{prefix: netip.MustParsePrefix("192.52.193.0/24"), name: "for multicast tunnelling (RFC 7450)"},
	{prefix: netip.MustParsePrefix("192.88.99.0/24"), name: "a 6to4 relay (RFC 7526)"},
	{prefix: netip.MustParsePrefix("192.168.0.0/16"), name: "private (RFC 1918)", grantable: true},
	{prefix: netip.MustParsePrefix("192.175.48.0/24"), name: "an AS112 sink (RFC 7534)"},
	{prefix: netip.MustParsePrefix("198.18.0.0/15"), name: "for benchmarks (RFC 2544)"},
	{prefix: netip.MustParsePrefix("198.51.100.0/24"), name: "for documentation (RFC 5737)"},
	{prefix: netip.MustParsePrefix("203.0.113.0/24"), name: "for documentation (RFC 5737)"},
	{prefix: netip.MustParsePrefix("224.0.0.0/4"), name: "multicast (RFC 1112)"},
	{prefix: netip.MustParsePrefix("255.255.255.255/32"), name: "broadcast (RFC 919)"},
	{prefix: netip.MustParsePrefix("240.0.0.0/4"), name: "reserved (RFC 1112)"},

	{prefix: netip.MustParsePrefix("::/128"), name: "unspecified (RFC 4291)"},
	{prefix: netip.MustParsePrefix("::1/128"), name: "loopback (RFC 4291)", grantable: true},
	{prefix: netip.MustParsePrefix("::/96"), name: "IPv4 embedded in IPv6 (RFC 4291)"},
	{prefix: netip.MustParsePrefix("::ffff:0:0/96"), name: "IPv4 mapped into IPv6 (RFC 4291)"},
	{prefix: netip.MustParsePrefix("::ffff:0:0:0/96"), name: "IPv4 translated into IPv6 (RFC 2765)"},
	{prefix: netip.MustParsePrefix("64:ff9b::/96"), name: "IPv4 behind NAT64 (RFC 6052)"},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), name: "IPv4 behind local NAT64 (RFC 8215)"},
	{prefix: netip.MustParsePrefix("100::/64"), name: "discarded (RFC 6666)"},
	{prefix: netip.MustParsePrefix("100:0:0:1::/64"), name: "a dummy prefix (RFC 9780)"},
	{prefix: netip.MustParsePrefix("2001::/32"), name: "IPv4 behind Teredo (RFC 4380)"},
	{prefix: netip.MustParsePrefix("2001:2::/48"), name: "for benchmarks (RFC 5180)"},
	{prefix: netip.MustParsePrefix("2001:10::/28"), name: "an ORCHID (RFC 4843)"},
	{prefix: netip.MustParsePrefix("2001:20::/28"), name: "an ORCHID (RFC 7343)"},
	{prefix: netip.MustParsePrefix("2001::/23"), name: "assigned to protocols (RFC 2928)"},
	{prefix: netip.MustParsePrefix("2001:db8::/32"), name: "for documentation (RFC 3849)"},
	{prefix: netip.MustParsePrefix("2002::/16"), name: "IPv4 behind 6to4 (RFC 3056)"},
	{prefix: netip.MustParsePrefix("2620:4f:8000::/48"), name: "an AS112 sink (RFC 7534)"},
	{prefix: netip.MustParsePrefix("3ffe::/16"), name: "withdrawn 6bone space (RFC 3701)"},
	{prefix: netip.MustParsePrefix("3fff::/20"), name: "for documentation (RFC 9637)"},
	{prefix: netip.MustParsePrefix("5f00::/16"), name: "segment routing identifiers (RFC 9602)"},
	{prefix: netip.MustParsePrefix("fc00::/7"), name: "unique local (RFC 4193)", grantable: true},
	{prefix: netip.MustParsePrefix("fe80::/10"), name: "link-local (RFC 4291)"},
	{prefix: netip.MustParsePrefix("fec0::/10"), name: "site-local (RFC 3879)"},
	{prefix: netip.MustParsePrefix("ff00::/8"), name: "multicast (RFC 4291)"},
}

// routable are the parts of IPv6 outside of which nothing is assigned for general
// use (IANA IPv6 Address Space): global unicast, and the neighbours of NAT64.
var routable = []netip.Prefix{netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("64::/16")}

// JudgeAddr accepts a public unicast address. The error is a Denied fault that
// says what the address is instead.
func JudgeAddr(addr netip.Addr) error {
	if !addr.IsValid() || addr.Zone() != "" {
		return refuse(CodeAddress, "The host resolves to an address that is bound to an interface.")
	}
	for i := range blocked {
		if blocked[i].prefix.Contains(addr) {
			return refuse(CodeAddress, "The host resolves to an address that is %s.", blocked[i].name)
		}
	}
	if addr.Is4() {
		return nil
	}
	if !slices.ContainsFunc(routable, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return refuse(CodeAddress, "The host resolves to an address that is not assigned (RFC 4291).")
	}
	if isISATAP(addr) {
		return refuse(CodeAddress, "The host resolves to an address that is IPv4 behind ISATAP (RFC 5214).")
	}
	return nil
}

// isISATAP reports whether the interface identifier embeds an IPv4 address as
// RFC 5214 section 6.1 has it.
func isISATAP(addr netip.Addr) bool {
	b := addr.As16()
	return b[8]&^0x03 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// Ranges are private ranges that a deployment opens to single domains.
type Ranges map[string][]netip.Prefix

// ParseRanges reads ranges from JSON such as {"api.example.com": ["10.1.2.0/24"]}.
//
// A range must lie wholly inside one private, shared, loopback or unique-local
// block: there is no value that turns the judgement off, and none that opens
// link-local addresses or a metadata service.
func ParseRanges(text []byte) (Ranges, error) {
	var raw map[string][]string
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("private ranges: %w", err)
	}
	ranges := make(Ranges, len(raw))
	for host, prefixes := range raw {
		host = strings.ToLower(host)
		if err := judgeHost(host); err != nil {
			return nil, fmt.Errorf("private ranges: %q is not a host name", host)
		}
		for _, s := range prefixes {
			p, err := netip.ParsePrefix(s)
			if err != nil || p != p.Masked() {
				return nil, fmt.Errorf("private ranges of %s: %q is not a CIDR range", host, s)
			}
			if !withinGrantable(p) {
				return nil, fmt.Errorf("private ranges of %s: %s is not inside one private range", host, p)
			}
			ranges[host] = append(ranges[host], p)
		}
	}
	return ranges, nil
}

func withinGrantable(p netip.Prefix) bool {
	return slices.ContainsFunc(blocked, func(b block) bool {
		return b.grantable && b.prefix.Bits() <= p.Bits() && b.prefix.Contains(p.Addr())
	})
}

// Judge decides at which addresses a host may be dialled.
type Judge struct {
	Ranges Ranges           // private ranges opened to single domains
	Own    []netip.AddrPort // the core's listeners, its database, its bus: reached by nobody
}

// Address accepts at as a place where host may be dialled. The error is a Denied fault.
func (j *Judge) Address(host string, at netip.AddrPort) error {
	addr := at.Addr()
	for _, own := range j.Own {
		if own.Port() == at.Port() && answers(own.Addr().Unmap(), addr) {
			return refuse(CodeAddress, "The host resolves to one of the core's own listeners.")
		}
	}
	opened := slices.ContainsFunc(j.Ranges[host], func(p netip.Prefix) bool { return p.Contains(addr) })
	if opened && isGrantable(addr) {
		return nil
	}
	return JudgeAddr(addr)
}

// isGrantable reports whether the narrowest block around addr may be opened: a
// metadata service stays closed inside an opened range.
func isGrantable(addr netip.Addr) bool {
	i := slices.IndexFunc(blocked, func(b block) bool { return b.prefix.Contains(addr) })
	return i >= 0 && blocked[i].grantable
}

// answers reports whether a listener bound to own takes connections to addr: one
// bound to no address in particular takes those to any address of this machine.
func answers(own, addr netip.Addr) bool {
	if !own.IsUnspecified() {
		return own == addr
	}
	if addr.IsLoopback() {
		return true
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return true // cannot tell, so nothing on this port is reached
	}
	return slices.ContainsFunc(interfaces, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().WithZone("") == addr
	})
}
