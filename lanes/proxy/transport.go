package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/wire"
)

// Roots returns the system's certificate authorities and those in file (PEM);
// "" adds none.
func Roots(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("system certificate authorities: %w", err)
	}
	if file == "" {
		return pool, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("proxy certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("proxy certificate authorities: %s has no certificate", file)
	}
	return pool, nil
}

// transport is one plugin's connections: those in clear, where most of a request's
// cost would be the transport's own, and the others.
type transport struct {
	clear *wire.Client
	usual *http.Transport
}

// newTransport returns a transport that dials through d and verifies certificates
// against roots, whatever the environment says of proxies.
//
// It keeps connections. One that is used again was dialled at an address judged
// for the same host and port by the same Judge, which does not change while the
// core runs, and each request is judged anew before the transport sees it; so a
// kept connection leads nowhere a new one could not. Plugins do not share
// transports: what one of them did to a connection never meets another's request.
func newTransport(d *Dialer, roots *x509.CertPool) *transport {
	clear := wire.New(wire.Config{Dial: d.DialContext, KeepEach: keptEach, Keep: kept, Idle: keptFor, Header: maxAnswerHeader})
	return &transport{clear: clear, usual: &http.Transport{
		DialContext:            d.DialContext,
		DialTLSContext:         secured(d, roots),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // decompressed where the limit is watched
		MaxIdleConns:           kept,
		MaxIdleConnsPerHost:    keptEach,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        keptFor,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}}
}

// Connections that carry nothing are kept for as many requests as a plugin may have
// on their way at a time: fewer, and a busy one dials for most of its requests.
const (
	keptEach        = 64
	kept            = 128
	keptFor         = 60 * time.Second
	maxAnswerHeader = 64 << 10
)

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if wire.Fits(r) {
		return t.clear.RoundTrip(r)
	}
	return t.usual.RoundTrip(r)
}

// CloseIdleConnections closes the connections that carry nothing now.
func (t *transport) CloseIdleConnections() {
	t.clear.CloseIdleConnections()
	t.usual.CloseIdleConnections()
}

// secured returns a dialer of TLS connections to the host that was asked for.
func secured(d *Dialer, roots *x509.CertPool) func(ctx context.Context, network, authority string) (net.Conn, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(64)}
	return func(ctx context.Context, network, authority string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(authority)
		if err != nil {
			return nil, err
		}
		conn, err := d.DialContext(ctx, network, authority)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		named := config.Clone()
		named.ServerName = host
		secure := tls.Client(conn, named)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fault.New(fault.BadGateway, CodeTLS, "No trustworthy TLS connection to %s could be made.", host).Because(err)
		}
		return secure, nil
	}
}
