// Package local says what stays within this machine: there plain http and TCP need
// no encryption, and everywhere else they do.
//
// It looks nothing up: a name that a resolver would lead to loopback is another
// machine's until then.
package local

import "net/netip"

// Host reports whether a host, as it stands in a URL without its brackets, is this
// machine: localhost, or an address of loopback (RFC 6761 section 6.3, RFC 1122
// section 3.2.1.3, RFC 4291 section 2.5.3).
func Host(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
