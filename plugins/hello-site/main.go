// Command hello-site is the outside world of the sample plugins: a web server
// with greetings under a certificate of its own development authority, and a
// resolver that knows where it is.
//
// Both listen on loopback only. The resolver knows one name and says of every
// other that it does not exist; the authority's key is never kept, and its
// certificate vouches for that one name.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// host is the one name the resolver knows and the certificate is for.
const host = "pages.hello.test"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, log); err != nil {
		log.Error("hello-site ended", "error", err)
		os.Exit(1)
	}
}

// run serves pages and names until ctx ends. The environment says where:
// PORT and VIVIFIED_HELLO_DNS_PORT on 127.0.0.1 (default any free one), and
// VIVIFIED_DATA_DIR (default ./var), whose dev directory gets the certificates.
func run(ctx context.Context, log *slog.Logger) error {
	data := os.Getenv("VIVIFIED_DATA_DIR")
	if data == "" {
		data = "var"
	}
	certificate, err := certificateIn(filepath.Join(data, "dev"), time.Now())
	if err != nil {
		return err
	}
	names, err := listenNames(ctx, os.Getenv("VIVIFIED_HELLO_DNS_PORT"))
	if err != nil {
		return err
	}
	// Whoever waits for this port may rely on the certificates and the resolver.
	pages, err := listen(ctx, "tcp", os.Getenv("PORT"))
	if err != nil {
		names.close()
		return err
	}
	log.InfoContext(ctx, "the outside world is there", "pages", "https://"+host+port(pages.Addr()), "names", names.udp.LocalAddr().String())

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return servePages(ctx, pages, certificate, log) },
		func(ctx context.Context) error { return names.serve(ctx, log) },
	} {
		parts.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// listen opens a port of the loopback address; "" is any free one.
func listen(ctx context.Context, network, port string) (net.Listener, error) {
	if port == "" {
		port = "0"
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// port returns the port of an address with its colon.
func port(a net.Addr) string {
	_, p, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return ":" + p
}

// closeWith closes a server when ctx ends, giving what is in hand half a second.
func closeWith(ctx context.Context, server *http.Server) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
		defer cancel()
		if server.Shutdown(last) != nil {
			server.Close()
		}
	})
}
