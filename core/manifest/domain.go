package manifest

import (
	"net/netip"
	"slices"
	"strings"
)

// loopback are the addresses that mean this machine.
var loopback = [...]netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("::/128"),
}

// blockedNames are hosts no plugin may name, nor anything below them: this
// machine, and the metadata services that hand out a cloud's credentials.
var blockedNames = [...]string{
	"localhost", "localhost.localdomain", "localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback",
	"localhost4.localdomain4", "localhost6.localdomain6",
	"metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata.azure.com",
	"metadata.tencentyun.com", "metadata.platformequinix.com", "metadata.packet.net", "metadata.oraclecloud.com",
	"instance-data", "instance-data.ec2.internal",
}

// reservedSuffixes never name a host of the public internet.
var reservedSuffixes = [...]string{"onion", "bit", "internal", "local"}

// The lengths of a host name and of a label (RFC 1035, 2.3.4).
const (
	maxHost  = 253
	maxLabel = 63
)

// CheckDomain judges one allowed domain. It returns its canonical form, in
// lower case, and the code of the rule it breaks; an empty rule means it may
// be allowed. blocked is the operator's own list: names that are refused with
// everything below them. Only the letters A to Z are folded, since other
// characters that lower-case to ASCII do not belong in a host name.
func CheckDomain(name string, blocked []string) (canonical, rule string) {
	canonical = lowerASCII(name)
	switch {
	case strings.Contains(canonical, "*"):
		return canonical, "domain.no_wildcard"
	case isAddress(canonical):
		return canonical, addressRule(canonical)
	case isBlocked(canonical, blocked):
		return canonical, "domain.blocked"
	case !isHostName(canonical):
		return canonical, "domain.format"
	}
	for _, suffix := range reservedSuffixes {
		if within(canonical, suffix) {
			return canonical, "domain.suspicious"
		}
	}
	return canonical, ""
}

// parseAddress reads an address in its one canonical spelling (RFC 5952 for
// IPv6, which may stand in brackets).
func parseAddress(s string) (netip.Addr, bool) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(bare)
	return a, err == nil && a.Zone() == "" && a.String() == bare
}

func isAddress(s string) bool { _, ok := parseAddress(s); return ok }

// addressRule returns the rule an address breaks; every one breaks some.
func addressRule(s string) string {
	a, _ := parseAddress(s)
	for _, p := range loopback {
		if p.Contains(a) {
			return "domain.blocked"
		}
	}
	return "domain.private_ip"
}

// isBlocked reports whether a name is at or below one of the built-in or the
// operator's blocked names. The operator may write them as *.name or .name.
func isBlocked(name string, operator []string) bool {
	for _, b := range blockedNames {
		if within(name, b) {
			return true
		}
	}
	return slices.ContainsFunc(operator, func(b string) bool {
		b = strings.TrimPrefix(strings.TrimPrefix(lowerASCII(strings.TrimSpace(b)), "*"), ".")
		b = strings.TrimSuffix(b, ".")
		return b != "" && within(name, b)
	})
}

// within reports whether name is parent or below it.
func within(name, parent string) bool {
	return name == parent || strings.HasSuffix(name, parent) && name[len(name)-len(parent)-1] == '.'
}

// isHostName reports whether s, in lower case, is a host name of letters,
// digits and hyphens (RFC 1123, 2.1) with at least two labels, and cannot be
// taken for an address: no browser or resolver reads one whose last label has
// a letter and is no hexadecimal number (WHATWG URL, "ends in a number").
func isHostName(s string) bool {
	if len(s) > maxHost {
		return false
	}
	labels := strings.Split(s, ".")
	if len(labels) < 2 || slices.ContainsFunc(labels, func(l string) bool { return !isLabel(l) }) {
		return false
	}
	last := labels[len(labels)-1]
	if digits, ok := strings.CutPrefix(last, "0x"); ok && strings.Trim(digits, "0123456789abcdef") == "" {
		return false
	}
	return strings.ContainsAny(last, "abcdefghijklmnopqrstuvwxyz")
}

// isLabel reports whether l is an LDH label in lower case.
func isLabel(l string) bool {
	if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// lowerASCII lower-cases A to Z and leaves every other character alone.
func lowerASCII(s string) string {
	if strings.IndexFunc(s, func(c rune) bool { return c >= 'A' && c <= 'Z' }) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
