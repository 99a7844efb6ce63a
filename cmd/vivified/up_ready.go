package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// waitForCore returns once the core answers that it is ready.
func (s *surroundings) waitForCore(ctx context.Context) error {
	client, scheme, err := s.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.listen+"/health/ready", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// client reaches the core where it listens, whatever address people use; over
// TLS it believes the very certificate the core serves.
func (s *surroundings) client() (client *http.Client, scheme string, err error) {
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}
	client = &http.Client{Timeout: 2 * time.Second, Transport: transport}
	if s.cert == "" {
		return client, "http", nil
	}
	text, err := os.ReadFile(s.cert)
	if err != nil {
		return nil, "", fmt.Errorf("read the core's certificate: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, "", fmt.Errorf("read the core's certificate: %w", err)
	}
	roots.AppendCertsFromPEM(text)
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: firstName(text)}
	return client, "https", nil
}

// firstName returns the first host name of the first certificate in a PEM text,
// or "" when it is for addresses only.
func firstName(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return ""
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(certificate.DNSNames) == 0 {
		return ""
	}
	return certificate.DNSNames[0]
}
