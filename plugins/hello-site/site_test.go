package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheOutsideWorld asks the resolver for the site over both transports, and
// the site for a page under the kept authority.
func TestTheOutsideWorld(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(t.Output(), nil))
	certificate, err := certificateIn(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	names, err := listenNames(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := listen(ctx, "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() { ended <- names.serve(ctx, log) }()
	go func() { ended <- servePages(ctx, pages, certificate, log) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()

	var address string
	for _, network := range []string{"udp", "tcp"} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, names.udp.LocalAddr().String())
		}}
		found, err := resolver.LookupHost(ctx, "pages.hello.test.")
		if err != nil || len(found) != 1 || found[0] != "127.0.0.1" {
			t.Fatalf("over %s pages.hello.test is at %v, %v", network, found, err)
		}
		address = found[0]
		var none *net.DNSError
		if _, err := resolver.LookupHost(ctx, "example.com."); !errors.As(err, &none) || !none.IsNotFound {
			t.Errorf("over %s example.com ended with %v, want that it does not exist", network, err)
		}
	}

	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address+port(pages.Addr()))
		},
	}}
	defer client.CloseIdleConnections()
	for _, row := range []struct {
		path, want string
		status     int
	}{
		{"/hello/de", "<p>Guten Tag, schön, dass Sie da sind.</p>", 200},
		{"/hello/fa", `<html lang="fa" dir="rtl">`, 200},
		{"/hello/xx", "Nobody here greets in that language.", 404},
	} {
		res, err := client.Get("https://pages.hello.test" + row.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != row.status || !strings.Contains(string(body), row.want) {
			t.Errorf("%s answered %d %s, %v", row.path, res.StatusCode, body, err)
		}
	}
	if _, err := client.Get("https://other.hello.test/hello/de"); err == nil {
		t.Error("the certificate was good for another name")
	}
}

func TestCertificatesAreKeptUntilTheyNearTheirEnd(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	serial := func(now time.Time) string {
		t.Helper()
		c, err := certificateIn(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	first := serial(now)
	if serial(now.Add(certificateLife-renewBefore-time.Hour)) != first {
		t.Error("a certificate with time left was replaced")
	}
	info, err := os.Stat(filepath.Join(dir, "site.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v; want mode 0600", info.Mode(), err)
	}
	second := serial(now.Add(certificateLife - renewBefore + time.Hour))
	if second == first {
		t.Error("a certificate near its end was kept")
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if serial(now) == second {
		t.Error("a certificate without its authority was kept")
	}
}
