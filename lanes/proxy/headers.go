package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Limits on the headers of a request.
const (
	maxHeaders     = 64
	maxHeaderBytes = 32 << 10
)

// outward are the request headers a plugin may send, beside those whose names
// begin with Content-, Accept and X-.
var outward = []string{
	"Api-Key", "Apikey", "Cache-Control", "Date", "Depth", "Digest", "Dpop", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Link", "Pragma", "Prefer", "Range", "Signature", "Signature-Input", "Soapaction", "User-Agent",
}

// withheld are headers that never leave, though their names begin like those
// that may: the transport writes the first ones itself, and by the others some
// servers take another method, path, host or client than the one approved.
var withheld = []string{
	"Accept-Encoding", "Content-Length",
	"X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
	"X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Original-Host", "X-Host", "X-Http-Host-Override", "X-Path", "X-Url",
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Originating-Ip", "X-Proxyuser-Ip",
	"X-Trace-Id", "X-Caller-Plugin",
}

// ours are the credentials plugins and people show to the core. In the streaming
// form they stand among the headers meant for the host, and stay here.
var ours = []string{"X-Api-Key", "X-Registration-Token", "X-Refresh-Token"}

// inward are the response headers that end here: hop-by-hop ones (RFC 9110
// section 7.6.1), cookies, and those by which a host tells the client's browser
// or library what to do with an origin that is the core's.
var inward = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Set-Cookie", "Set-Cookie2", "Alt-Svc", "Clear-Site-Data", "Content-Security-Policy", "Content-Security-Policy-Report-Only",
	"Expect-Ct", "Nel", "Origin-Agent-Cluster", "P3p", "Permissions-Policy", "Public-Key-Pins", "Public-Key-Pins-Report-Only", "Refresh", "Report-To", "Reporting-Endpoints",
	"Service-Worker-Allowed", "Sourcemap", "Strict-Transport-Security", "X-Frame-Options", "X-Sourcemap", "X-Trace-Id", "X-Xss-Protection",
}

var (
	mayLeave   = setOf(outward)
	neverLeave = setOf(withheld)
	notForThem = setOf(ours)
	endsHere   = setOf(inward)
)

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// leaves reports whether a request header, by its canonical name, goes out.
func leaves(name string) bool {
	switch {
	case neverLeave[name], strings.HasPrefix(name, "X-Vivified-"), strings.HasPrefix(name, "X-Forwarded"):
		return false
	case strings.HasPrefix(name, "Content-"), strings.HasPrefix(name, "Accept"), strings.HasPrefix(name, "X-"):
		return true
	}
	return mayLeave[name]
}

// enters reports whether a response header, by its canonical name, reaches the plugin.
func enters(name string) bool {
	return !endsHere[name] && !strings.HasPrefix(name, "X-Vivified-") && !strings.HasPrefix(name, "Access-Control-") &&
		!strings.HasPrefix(name, "Cross-Origin-") && !strings.HasPrefix(name, "Hx-")
}

// outgoing returns what of a plugin's headers is sent to the host. The error is
// an Invalid fault.
func outgoing(given http.Header, streamed bool) (http.Header, error) {
	connection := named(given)
	out, count, size := make(http.Header), 0, 0
	for name, values := range given {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, invalid("The name of a header is not a token.")
		}
		name = http.CanonicalHeaderKey(name)
		if !leaves(name) || connection[name] || streamed && notForThem[name] {
			continue
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, invalid("The value of the header %s contains a character that no header may have.", name)
			}
			count, size = count+1, size+len(name)+len(v)
			out.Add(name, v)
		}
	}
	if count > maxHeaders || size > maxHeaderBytes {
		return nil, invalid("The request has more than %d headers, or more than %d bytes of them.", maxHeaders, maxHeaderBytes)
	}
	if out.Get("User-Agent") == "" {
		out.Set("User-Agent", "Vivified")
	}
	return out, nil
}

// incoming returns what of a host's headers reaches the plugin.
func incoming(given http.Header) http.Header {
	connection, out := named(given), make(http.Header)
	for name, values := range given {
		if enters(name) && !connection[name] {
			out[name] = values
		}
	}
	return out
}

// named returns the headers that the Connection header makes hop-by-hop.
func named(h http.Header) map[string]bool {
	var set map[string]bool
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if set == nil {
				set = make(map[string]bool)
			}
			set[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return set
}

// stripForOtherOrigin removes what a redirect to another origin must not learn:
// all but what describes the body and the client.
func stripForOtherOrigin(h http.Header) {
	for name := range h {
		if !strings.HasPrefix(name, "Content-") && !strings.HasPrefix(name, "Accept") && name != "User-Agent" && name != "Range" {
			h.Del(name)
		}
	}
}

// stripContent removes what describes a body that is not sent.
func stripContent(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Content-") || name == "Digest" {
			h.Del(name)
		}
	}
}
