package proxy

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
)

// Codes of refusals this package decides by itself; the others are the ids of
// policy rules.
const (
	CodeURL     = "proxy.url"     // the URL is malformed, or parsers could disagree about it
	CodeAddress = "proxy.address" // an address instead of a host name, or one that may not be reached
)

// MaxURL is the longest URL in bytes.
const MaxURL = 8 << 10

// defaultPorts are the schemes of the lane and their ports (RFC 9110 section 4.2).
var defaultPorts = map[string]uint16{"http": 80, "https": 443}

// Target is a URL that has one reading.
type Target struct {
	Scheme string // http or https
	Host   string // lower-case host name: at least two labels of letters, digits and hyphens
	Port   uint16
	Path   string // as sent, percent-encoded, begins with a slash, no dot segments
	Query  string // as sent, without the question mark
}

// ParseURL reads an absolute http or https URL. The error is a Denied fault.
//
// It is stricter than RFC 3986 and the URL Standard, which differ from one
// another and from what libraries do: where two readers could find two hosts, or
// two paths, the URL is refused and not repaired. A fragment is dropped, as it is
// never sent.
func ParseURL(raw string) (Target, error) {
	if raw == "" {
		return Target{}, refuse(CodeURL, "The URL is missing.")
	}
	if len(raw) > MaxURL {
		return Target{}, refuse(CodeURL, "The URL is longer than %d bytes.", MaxURL)
	}
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return Target{}, refuse(CodeURL, "The URL contains a space, a backslash, a control character or one outside ASCII; percent-encode it.")
		}
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	port, known := defaultPorts[scheme]
	if !ok || !known {
		return Target{}, refuse(CodeURL, "The URL must begin with https:// or http://.")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	t := Target{Scheme: scheme, Port: port}
	var err error
	if t.Host, t.Port, err = parseAuthority(authority, port); err != nil {
		return Target{}, err
	}
	if t.Path, t.Query, err = parseReference(rest); err != nil {
		return Target{}, err
	}
	return t, nil
}

// URL returns the target for a request. Its RequestURI is exactly Path and Query.
func (t Target) URL() *url.URL {
	path, err := url.PathUnescape(t.Path)
	if err != nil {
		path = t.Path // cannot be: ParseURL saw to it
	}
	return &url.URL{Scheme: t.Scheme, Host: t.Authority(), Path: path, RawPath: t.Path, RawQuery: t.Query}
}

// Authority returns the host, with the port where it is not the scheme's own.
func (t Target) Authority() string {
	if t.Port == defaultPorts[t.Scheme] {
		return t.Host
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// Plain reports whether the request would travel unencrypted.
func (t Target) Plain() bool { return t.Scheme == "http" }

func parseAuthority(authority string, port uint16) (string, uint16, error) {
	switch {
	case authority == "":
		return "", 0, refuse(CodeURL, "The URL names no host.")
	case strings.Contains(authority, "@"):
		return "", 0, refuse(CodeURL, "The URL carries a user name or password; the core adds credentials by itself.")
	case strings.Contains(authority, "["):
		return "", 0, refuse(CodeAddress, "The URL names an address; only declared host names are reached.")
	}
	host, digits, given := strings.Cut(authority, ":")
	if given {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
			return "", 0, refuse(CodeURL, "The port of the URL must be a number from 1 to 65535.")
		}
		port = uint16(n)
	}
	host = strings.ToLower(host)
	return host, port, judgeHost(host)
}

// judgeHost accepts a host name of RFC 1123 with at least two labels. Whatever
// any library reads as an address is one: the URL Standard takes every host whose
// last label is a number for IPv4, inet_aton does so in octal and hexadecimal.
func judgeHost(host string) error {
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; isNumber(last) {
		return refuse(CodeAddress, "The URL names an address; only declared host names are reached.")
	}
	if len(host) > 253 || len(labels) < 2 {
		return refuse(CodeURL, "The host of the URL must be a full domain name.")
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return refuse(CodeURL, "The host of the URL is not a valid domain name.")
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !isAlphanumeric(c) && c != '-' {
				return refuse(CodeURL, "The host of the URL may only have letters, digits and hyphens.")
			}
		}
	}
	return nil
}

// isNumber reports whether a lower-case label is one for the URL Standard's
// ends-in-a-number check.
func isNumber(label string) bool {
	digits, set := label, "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		digits, set = hex, "0123456789abcdef"
	}
	return label != "" && strings.Trim(digits, set) == ""
}

// parseReference reads what follows the authority.
func parseReference(rest string) (path, query string, err error) {
	if rest != "" && rest[0] != '/' && !plainQuery(rest) {
		return "", "", refuse(CodeURL, "After the host the URL must go on with a slash.")
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, query, _ = strings.Cut(rest, "?")
	if path == "" {
		path = "/"
	}
	if i := strings.IndexAny(query, `"<>`); i >= 0 {
		return "", "", refuse(CodeURL, "The query of the URL contains the character %q; percent-encode it.", query[i])
	}
	return path, query, judgePath(path)
}

// plainQuery reports whether rest is a query that may follow the host directly,
// as in https://host?x=1. Old parsers let the authority run to the next slash, so
// such a query must have nothing that could belong to an authority.
func plainQuery(rest string) bool {
	name, value, ok := strings.Cut(strings.TrimPrefix(rest, "?"), "=")
	if rest[0] != '?' || !ok || name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		if !isAlphanumeric(name[i]) && name[i] != '_' {
			return false
		}
	}
	return !strings.ContainsAny(value, "/@:[]#?")
}

// judgePath accepts a path of RFC 3986 that stays what it is however often, and
// in whatever server, it is decoded: an approval for /public must not open
// /public/%252e%252e/admin.
func judgePath(path string) error {
	for i := 0; i < len(path); i++ {
		if c := path[i]; !isAlphanumeric(c) && strings.IndexByte("-._~!$&'()*+,;=:@/%[]", c) < 0 {
			return refuse(CodeURL, "The path of the URL contains the character %q; percent-encode it.", c)
		}
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return refuse(CodeURL, "The path of the URL contains a malformed percent escape.")
	}
	if !utf8.ValidString(decoded) {
		return refuse(CodeURL, "The path of the URL is not valid UTF-8.")
	}
	for _, r := range decoded {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return refuse(CodeURL, "The path of the URL contains an encoded control character.")
		}
	}
	for next, err := path, error(nil); err == nil; next, err = url.PathUnescape(next) {
		if hasDotSegment(next) {
			return refuse(CodeURL, "The path of the URL contains a dot segment.")
		}
		if !strings.Contains(next, "%") {
			break
		}
	}
	return nil
}

// hasDotSegment reports whether a server that knows backslashes, path parameters
// and trimmed spaces would find a dot segment in path.
func hasDotSegment(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.Trim(segment, " \t\r\n\x00"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func refuse(code, format string, args ...any) error {
	return fault.New(fault.Denied, code, format, args...)
}
