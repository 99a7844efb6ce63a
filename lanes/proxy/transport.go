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

// newTransport returns a transport that dials through d and verifies certificates
// against roots, whatever the environment says of proxies.
//
// It keeps connections. One that is used again was dialled at an address judged
// for the same host and port by the same Judge, which does not change while the
// core runs, and each request is judged anew before the transport sees it; so a
// kept connection leads nowhere a new one could not. Plugins do not share
// transports: what one of them did to a connection never meets another's request.
func newTransport(d *Dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            d.DialContext,
		DialTLSContext:         secured(d, roots),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // decompressed where the limit is watched
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
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
