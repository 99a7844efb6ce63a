// Package external reaches plugins that run elsewhere, by HTTP or gRPC.
//
// It dials only addresses inside the plugins' networks, judged when they are
// dialled, and never the core's own listeners, its database or its bus. It
// follows no redirect.
package external

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/wire"
	"github.com/vivified/vivified/pluginmgr"
)

// Config is what the runtime needs.
type Config struct {
	Networks func() []netip.Prefix   // where plugins may be reached
	Own      func() []netip.AddrPort // listeners of the core itself; never dialled
}

// Runtime is pluginmgr.Runtime for plugins that run elsewhere.
type Runtime struct {
	short     *wire.Client    // for most requests
	transport *http.Transport // for those that are long, streamed or over TLS
	spoken    grpcTargets     // to plugins that speak gRPC
	dialer    net.Dialer
	bases     sync.Map     // address → *url.URL, parsed once
	known     atomic.Int64 // of them
}

// New returns the runtime.
func New(c Config) *Runtime {
	rt := &Runtime{dialer: net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}}
	rt.dialer.Control = func(_, address string, _ syscall.RawConn) error { return judge(c, address) }
	rt.spoken.dialer = &rt.dialer
	rt.short = wire.New(wire.Config{Dial: rt.dialer.DialContext, Idle: 90 * time.Second})
	rt.transport = &http.Transport{
		DialContext: rt.dialer.DialContext, MaxIdleConns: 1024, MaxIdleConnsPerHost: 128, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2: true,
	}
	return rt
}

// judge refuses an address outside the plugins' networks. It sees the address
// that is really dialled, after any look-up.
func judge(c Config, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
		return fault.New(fault.BadGateway, "target.address", "The plugin's address %s is no one host's.", ap.Addr())
	}
	for _, own := range c.Own() {
		if own.Port() == ap.Port() && (own.Addr().Unmap() == ap.Addr() || own.Addr().IsUnspecified() && isHere(ap.Addr())) {
			return fault.New(fault.BadGateway, "target.address", "The plugin's address is one of the core's own listeners.")
		}
	}
	for _, n := range c.Networks() {
		if n.Contains(ap.Addr()) {
			return nil
		}
	}
	return fault.New(fault.BadGateway, "target.address", "The plugin's address %s lies outside the networks in which plugins may be reached.", ap.Addr())
}

// isHere reports whether an address is one of this machine's, where a listener on
// the unspecified address answers. Interfaces that cannot be read count as here.
func isHere(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, i := range all {
		if p, err := netip.ParsePrefix(i.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

// Call implements pluginmgr.Runtime.
func (rt *Runtime) Call(ctx context.Context, to pluginmgr.Target, r *http.Request) (*http.Response, error) {
	base, err := rt.base(to.Address)
	if err != nil {
		return nil, err
	}
	if to.GRPC {
		return rt.spoken.invoke(ctx, to, base, r)
	}
	out := r.WithContext(ctx)
	u := *r.URL
	u.Scheme, u.Host = base.Scheme, base.Host
	if prefix := strings.TrimSuffix(base.EscapedPath(), "/"); prefix != "" {
		raw := prefix + u.EscapedPath()
		if u.Path, err = url.PathUnescape(raw); err != nil {
			return nil, fmt.Errorf("read the plugin's path: %w", err)
		}
		u.RawPath = raw
	}
	out.URL, out.Host = &u, ""
	if wire.Fits(out) {
		return rt.short.RoundTrip(out)
	}
	return rt.transport.RoundTrip(out)
}

// maxBases bounds the addresses that are remembered; plugins move seldom.
const maxBases = 4096

// base reads an address. What it returns belongs to everybody.
func (rt *Runtime) base(address string) (*url.URL, error) {
	if known, ok := rt.bases.Load(address); ok {
		return known.(*url.URL), nil
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("read the plugin's address: %w", err)
	}
	if rt.known.Add(1) > maxBases {
		rt.bases.Clear()
		rt.known.Store(1)
	}
	rt.bases.Store(address, base)
	return base, nil
}

// Probe implements pluginmgr.Runtime.
func (rt *Runtime) Probe(ctx context.Context, to pluginmgr.Target) error {
	base, err := rt.base(to.Address)
	if err != nil {
		return err
	}
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	conn, err := rt.dialer.DialContext(ctx, "tcp", net.JoinHostPort(base.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// Close drops idle connections.
func (rt *Runtime) Close() {
	rt.spoken.close()
	rt.short.CloseIdleConnections()
	rt.transport.CloseIdleConnections()
}
