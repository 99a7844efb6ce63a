package operator

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// kept are the headers of a target's answer that never reach the caller: those of
// one hop (RFC 9110, 7.6.1), credentials and challenges, those that speak for the
// core's origin to a browser, and those by which a server in front of the core
// would be told to send something else.
var kept = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Authorization": true,
	"Authentication-Info": true, "Www-Authenticate": true, "Set-Cookie": true, "Set-Cookie2": true, "Server": true, "X-Trace-Id": true,
	"X-Caller-Plugin": true, "Alt-Svc": true, "Clear-Site-Data": true, "Content-Security-Policy": true, "Content-Security-Policy-Report-Only": true,
	"Expect-Ct": true, "Feature-Policy": true, "Location": true, "Nel": true, "Origin-Agent-Cluster": true, "Permissions-Policy": true,
	"Public-Key-Pins": true, "Refresh": true, "Report-To": true, "Reporting-Endpoints": true, "Service-Worker-Allowed": true, "Sourcemap": true,
	"Speculation-Rules": true, "Strict-Transport-Security": true, "X-Frame-Options": true, "X-Lighttpd-Send-File": true, "X-Sendfile": true,
}

// keptFamilies are the beginnings of further ones.
var keptFamilies = []string{"Access-Control-", "Cross-Origin-", "Hx-", "Proxy-", "Sec-", "X-Accel-", "X-Forwarded-", "X-Vivified-"}

// passed returns the headers of an answer that reach the caller.
func passed(h http.Header) http.Header {
	var hop map[string]bool // named in Connection, so of this hop too
	for _, list := range h["Connection"] {
		if hop == nil {
			hop = map[string]bool{}
		}
		for name := range strings.SplitSeq(list, ",") {
			hop[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	out := make(http.Header, len(h))
	for name, values := range h {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if hop[canonical] || kept[canonical] || slices.ContainsFunc(keptFamilies, func(f string) bool { return strings.HasPrefix(canonical, f) }) {
			continue
		}
		out[name] = values
	}
	return out
}
