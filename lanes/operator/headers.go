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
var kept = []string{
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Authorization", "Authentication-Info", "Www-Authenticate", "Set-Cookie", "Set-Cookie2", "Server", "X-Trace-Id", "X-Caller-Plugin",
	"Alt-Svc", "Clear-Site-Data", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Expect-Ct", "Feature-Policy", "Location",
	"Nel", "Origin-Agent-Cluster", "Permissions-Policy", "Public-Key-Pins", "Refresh", "Report-To", "Reporting-Endpoints", "Service-Worker-Allowed",
	"Sourcemap", "Speculation-Rules", "Strict-Transport-Security", "X-Frame-Options",
	"X-Lighttpd-Send-File", "X-Sendfile",
}

// keptFamilies are the beginnings of further ones.
var keptFamilies = []string{"Access-Control-", "Cross-Origin-", "Hx-", "Proxy-", "Sec-", "X-Accel-", "X-Forwarded-", "X-Vivified-"}

// passed returns the headers of an answer that reach the caller.
func passed(h http.Header) http.Header {
	hop := map[string]bool{} // named in Connection, so of this hop too
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			hop[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	out := make(http.Header, len(h))
	for name, values := range h {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if hop[canonical] || slices.Contains(kept, canonical) || slices.ContainsFunc(keptFamilies, func(f string) bool { return strings.HasPrefix(canonical, f) }) {
			continue
		}
		out[name] = values
	}
	return out
}
