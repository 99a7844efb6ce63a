package settings

import (
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// The checks of the table in keys.go. Each returns what the value must be, or "".

func isGiven(v any) string {
	if v.(string) == "" {
		return "must not be empty"
	}
	return ""
}

func isShort(v any) string {
	if len(v.(string)) > 120 {
		return "must be at most 120 bytes long"
	}
	return ""
}

// isToken accepts what travels in a header and a URL alike.
func isToken(v any) string {
	t := v.(string)
	if len(t) > 256 || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "must be at most 256 printable ASCII characters without spaces"
	}
	return ""
}

func isReplica(v any) string {
	name := v.(string)
	ok := len(name) <= 63 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
	if !ok {
		return "must be at most 63 letters, digits, dots, hyphens and underscores"
	}
	return ""
}

// isListen accepts host:port; an empty host is every address, port 0 a free one.
func isListen(v any) string {
	host, port, err := net.SplitHostPort(v.(string))
	if err == nil && isPort(port, 0) && (host == "" || isAddr(host) || isHostName(host)) {
		return ""
	}
	return "must be an address and a port, such as 127.0.0.1:8080"
}

func isResolver(v any) string {
	text := v.(string)
	if text == "" || isAddr(text) {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil && isPort(port, 1) && (isAddr(host) || host == "localhost") {
		return ""
	}
	return "must be an IP address, with or without a port, such as 127.0.0.1:5353"
}

// isOrigin accepts a scheme and a host, as browsers name an origin.
func isOrigin(v any) string {
	if text := v.(string); text == "" || isBaseURL(text, false) {
		return ""
	}
	return "must be http or https and a host, without a path, such as https://vivified.example"
}

// isBaseURL reports whether text is an http or https URL to which paths can be appended.
func isBaseURL(text string, path bool) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") {
		return false
	}
	if !path && u.Path != "" && u.Path != "/" {
		return false
	}
	host, port := u.Hostname(), u.Port()
	return (isAddr(host) || isHostName(strings.ReplaceAll(host, "_", "-"))) && (port == "" && !strings.HasSuffix(u.Host, ":") || isPort(port, 1))
}

func arePrefixes(v any) string {
	for _, text := range v.([]string) {
		if _, ok := parsePrefix(text); !ok {
			return "must be a list of addresses or networks, such as 10.0.0.0/8"
		}
	}
	return ""
}

// parsePrefix reads a network, or an address as the network of it alone.
func parsePrefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func arePorts(v any) string {
	for _, text := range v.([]string) {
		if !isPort(text, 1) {
			return "must be a list of ports from 1 to 65535"
		}
	}
	return ""
}

func areDomains(v any) string {
	for _, text := range v.([]string) {
		if !isHostName(text) || isAddr(text) || text != strings.ToLower(text) {
			return "must be a list of host names in lower case, such as files.example.com"
		}
	}
	return ""
}

func isAddressMap(v any) string {
	var m map[string]string
	if json.Unmarshal(v.(json.RawMessage), &m) != nil || m == nil {
		return `must be a JSON object such as {"user-management": "http://127.0.0.1:8001"}`
	}
	for id, text := range m {
		if id == "" || !isBaseURL(text, true) {
			return "must give each plugin an http or https URL without query, such as http://127.0.0.1:8001"
		}
	}
	return ""
}

func isRangeMap(v any) string {
	var m map[string][]string
	if json.Unmarshal(v.(json.RawMessage), &m) != nil || m == nil {
		return `must be a JSON object such as {"api.example.com": ["10.1.0.0/16"]}`
	}
	for domain, ranges := range m {
		if areDomains([]string{domain}) != "" || arePrefixes(ranges) != "" {
			return `must give each host name, in lower case, a list of networks, such as {"api.example.com": ["10.1.0.0/16"]}`
		}
	}
	return ""
}

// areRetentions accepts event types or patterns, each with a duration.
func areRetentions(v any) string {
	if _, err := readDurations(v.(json.RawMessage)); err != nil {
		return `must be a JSON object from event types to durations between 1m and 3650d, such as {"user.*": "90d"}`
	}
	return ""
}

func isListenOrNone(v any) string {
	if v.(string) == "" {
		return ""
	}
	return isListen(v)
}

func isPort(text string, least int) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && int(n) >= least && text == strconv.FormatUint(n, 10)
}

func isAddr(text string) bool { _, err := netip.ParseAddr(text); return err == nil }

// isHostName reports whether text is made of LDH labels (RFC 1123, 2.1).
func isHostName(text string) bool {
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
		}) {
			return false
		}
	}
	return true
}
