package registry

import (
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// checked returns a as it is compared with requests: host in lower case, methods
// in upper case. The error is an Unprocessable fault about what could never match,
// or would match everything.
func (a Approved) checked() (Approved, error) {
	a.Domain = strings.ToLower(a.Domain)
	methods := make([]string, 0, len(a.Methods))
	for _, m := range a.Methods {
		if m == "" || strings.ContainsAny(m, " \t\r\n,") {
			return a, fault.New(fault.Unprocessable, "egress.methods", "%q is not an HTTP method.", m)
		}
		methods = append(methods, strings.ToUpper(m))
	}
	a.Methods = methods
	for _, p := range a.PathPrefixes {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?#\\") {
			return a, fault.New(fault.Unprocessable, "egress.path_prefixes", "%q is not the beginning of a path; it starts with a slash.", p)
		}
	}
	for _, port := range a.Ports {
		if port < 1 || port > 65535 {
			return a, fault.New(fault.Unprocessable, "egress.ports", "%d is not a port.", port)
		}
	}
	if a.Rate != nil && *a.Rate < 1 {
		return a, fault.New(fault.Unprocessable, "egress.rate", "The rate is a number of requests a minute above 0.")
	}
	if a.Bytes != nil && *a.Bytes < 1 {
		return a, fault.New(fault.Unprocessable, "egress.bytes", "The limit is a number of bytes above 0.")
	}
	return a, nil
}
