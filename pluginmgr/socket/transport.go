//go:build linux

package socket

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Dialer connects to one instance.
type Dialer func(ctx context.Context) (net.Conn, error)

// Transport carries requests to one instance, whatever host their URL names. It
// follows no redirect and unpacks nothing.
func Transport(dial Dialer) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return dial(ctx)
		},
		MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
		DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, ExpectContinueTimeout: time.Second,
	}
}

// Send delivers r by t to the plugin, which is always asked in plain http.
func Send(ctx context.Context, t *http.Transport, plugin string, r *http.Request) (*http.Response, error) {
	out := r.WithContext(ctx)
	u := *r.URL
	u.Scheme, u.Host = "http", plugin
	out.URL, out.Host = &u, ""
	return t.RoundTrip(out)
}
