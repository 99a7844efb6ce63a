package sso

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Limits of what a provider is asked for.
const (
	patience   = 10 * time.Second // for one answer
	maxAnswer  = 1 << 20          // bytes
	maxHops    = 3                // redirects
	maxHeaders = 32 << 10         // bytes
)

// errAddress says that an address is no place to ask a provider at.
var errAddress = errors.New("this address may not be asked")

// client returns what a provider is asked with: the addresses it dials are judged
// after they were resolved, its answers are limited, and nothing is asked by plain
// http except on this machine where the issuer itself is there.
func (s *Service) client(issuer string) (*http.Client, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	named, plain := u.Hostname(), u.Scheme == "http"
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, at string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(at)
				if err != nil {
					return err
				}
				if err := s.Judge(host, host == named, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())); err != nil {
					return fmt.Errorf("%w: %w", errAddress, err)
				}
				return nil
			}}
			return d.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  patience,
		MaxResponseHeaderBytes: maxHeaders,
		MaxConnsPerHost:        8,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
	check := func(to *url.URL) error {
		if to.Scheme == "https" || plain && to.Scheme == "http" && to.Hostname() == named {
			return nil
		}
		return fmt.Errorf("%w: %s is not reached by https", errAddress, to.Redacted())
	}
	return &http.Client{
		Transport: limited{t, check}, Timeout: patience,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			// What is posted holds the client secret and the code: it goes nowhere else.
			if via[0].Method != http.MethodGet || via[0].Header.Get("Authorization") != "" || len(via) > maxHops {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}, nil
}

// limited refuses what is not to be asked, and cuts answers that are too long.
type limited struct {
	transport *http.Transport
	check     func(*url.URL) error
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := l.check(r.URL); err != nil {
		return nil, err
	}
	answer, err := l.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &cut{answer.Body, maxAnswer}
	return answer, nil
}

// cut is a body that fails where it becomes too long.
type cut struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
