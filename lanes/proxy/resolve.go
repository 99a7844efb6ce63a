package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vivified/vivified/core/fault"
)

// Codes of failures on the way to a host that was allowed.
const (
	CodeDNS     = "proxy.dns"     // the name does not resolve
	CodeConnect = "proxy.connect" // no address of the host accepts a connection
	CodeTLS     = "proxy.tls"     // the host's certificate or protocol is not good enough
	CodeTimeout = "proxy.timeout" // the host did not answer in time
)

const (
	lookupTime  = 5 * time.Second // for the resolver
	believed    = 5 * time.Second // how long an answer of the resolver is used
	maxBelieved = 4096            // names
	maxAddrs    = 64              // addresses of one name; more is no honest answer
)

// Resolver finds the addresses of a host name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NewResolver returns a resolver that asks server, or the system's servers when
// server is not valid.
func NewResolver(server netip.AddrPort) *net.Resolver {
	r := &net.Resolver{PreferGo: true}
	if server.IsValid() {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, server.String())
		}
	}
	return r
}

// Dialer resolves, judges and dials: once each, in that order.
type Dialer struct {
	resolver Resolver
	judge    Judge
	now      func() time.Time

	mu    sync.Mutex
	known map[string]answer
}

// answer is what the resolver said of one name.
type answer struct {
	addrs []netip.Addr
	until time.Time
}

// NewDialer returns a Dialer. Now may be nil: the system's clock.
func NewDialer(resolver Resolver, judge Judge, now func() time.Time) *Dialer {
	if now == nil {
		now = time.Now
	}
	return &Dialer{resolver: resolver, judge: judge, now: now, known: make(map[string]answer)}
}

// Judged is a host and port with the addresses that were judged for it. Only
// Dialer.Judge makes one, and a connection is made to nothing else.
type Judged struct {
	authority string // host:port
	host      string
	addrs     []netip.AddrPort
}

// Judge resolves host and judges every address for port. One bad address refuses
// them all: an honest name has none, and which one a client picks is chance.
// The error is a Denied fault, or a BadGateway one when the name does not resolve.
func (d *Dialer) Judge(ctx context.Context, host string, port uint16) (Judged, error) {
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return Judged{}, err
	}
	j := Judged{host: host, authority: net.JoinHostPort(host, strconv.Itoa(int(port)))}
	for _, addr := range addrs {
		at := netip.AddrPortFrom(addr, port)
		if err := d.judge.Address(host, at); err != nil {
			return Judged{}, err
		}
		j.addrs = append(j.addrs, at)
	}
	return j, nil
}

// resolve returns the addresses of host, from memory when they were asked for a
// moment ago.
func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	known, ok := d.known[host]
	d.mu.Unlock()
	if ok && d.now().Before(known.until) {
		return known.addrs, nil
	}
	// The final dot keeps the system's search list out of it.
	found, err := d.resolver.LookupNetIP(ctx, "ip", host+".")
	if err != nil {
		return nil, lookupFault(host, err)
	}
	addrs := make([]netip.Addr, 0, len(found))
	for _, addr := range found {
		// The resolver hands IPv4 over in its mapped form; we dial what it means.
		if addr = addr.Unmap(); !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) == 0 || len(addrs) > maxAddrs {
		return nil, fault.New(fault.BadGateway, CodeDNS, "%s resolves to %d addresses.", host, len(addrs))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) >= maxBelieved {
		clear(d.known)
	}
	d.known[host] = answer{addrs: addrs, until: d.now().Add(believed)}
	return addrs, nil
}

func lookupFault(host string, err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Timeout, CodeTimeout, "The name %s was not resolved in time.", host).Because(err)
	}
	return fault.New(fault.BadGateway, CodeDNS, "The name %s does not resolve.", host).Because(err)
}
