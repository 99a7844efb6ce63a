package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
)

// drain is how long requests under way may finish when the core stops.
const drain = 2 * time.Second

// collectAt is how much the heap may grow between two collections, in per cent of
// what is in use: some 30 MiB, of which a busy core would make as much anew ten
// times a second. GOGC says otherwise, and GOMEMLIMIT bounds it as ever.
const collectAt = 300

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the core", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return serve(c.Context(), environment(), c.ErrOrStderr())
		},
	}
}

// serve runs the core until ctx ends or a part of it fails.
func serve(ctx context.Context, env map[string]string, stderr io.Writer) error {
	if env["GOGC"] == "" {
		debug.SetGCPercent(collectAt)
	}
	file, err := settings.ReadFile(env)
	if err != nil {
		return err
	}
	conf, err := settings.New(env, file)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(logLevel(conf.String(settings.LogLevel)))
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}))
	conf.OnChange(func([]settings.Key) { level.Set(logLevel(conf.String(settings.LogLevel))) })

	listener, secure, err := listen(conf)
	if err != nil {
		return err
	}
	defer listener.Close()
	core, err := build(ctx, conf, env, listener.Addr(), secure, log)
	if err != nil {
		return err
	}
	defer core.close()

	if err := announceSetup(ctx, core, stderr); err != nil {
		return err
	}
	server := core.server.HTTP()
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server.BaseContext = func(net.Listener) context.Context { return base }
	failed := make(chan error, 1)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	log.Info("ready", "address", core.public, "version", version)
	var reason error
	select {
	case <-ctx.Done():
	case reason = <-failed:
	case reason = <-core.failed:
	}
	log.Info("stopping")
	sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	// Streams never end by themselves: they are cut when half of the drain is over.
	streams := time.AfterFunc(drain/4, cut)
	defer streams.Stop()
	if err := server.Shutdown(sctx); err != nil {
		server.Close()
	}
	return reason
}

// ownCertificate returns what to serve TLS with, nil where none is configured.
func ownCertificate(conf *settings.Settings) (*tls.Config, error) {
	cert, key := conf.String(settings.TLSCertFile), conf.String(settings.TLSKeyFile)
	if cert == "" && key == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "tls_cert_file", "The TLS certificate or its key cannot be used.").Because(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// listen opens the port, over TLS where a certificate is configured. Plain http
// is served on loopback, or to proxies that are trusted to add TLS.
func listen(conf *settings.Settings) (l net.Listener, secure bool, err error) {
	address := conf.String(settings.Listen)
	secured, err := ownCertificate(conf)
	if err != nil {
		return nil, false, err
	}
	if l, err = net.Listen("tcp", address); err != nil {
		return nil, false, fault.New(fault.Unavailable, "listen", "The core cannot listen on %s; is another one running there?", address).Because(err)
	}
	if secured != nil {
		secured.NextProtos = []string{"h2", "http/1.1"}
		return tls.NewListener(l, secured), true, nil
	}
	proxies := len(conf.Prefixes(settings.TrustedProxies)) > 0
	if at, ok := l.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && !proxies {
		l.Close()
		return nil, false, fault.New(fault.Invalid, "listen",
			"Plain http is served on loopback or behind a trusted proxy only: set tls_cert_file and tls_key_file, name the proxy in trusted_proxies, or listen on 127.0.0.1.")
	}
	return l, proxies, nil
}

// setupLink is where the one-time link of the first run lies until it is used.
const setupLink = "setup-link"

// announceSetup prints the one-time link of the first run, and keeps it where
// only this user can read it.
func announceSetup(ctx context.Context, c *core, stderr io.Writer) error {
	path := filepath.Join(c.dataDir, setupLink)
	needed, err := c.identity.SetupNeeded(ctx)
	if err != nil {
		return err
	}
	if !needed {
		return removeIfThere(path)
	}
	token, err := c.identity.NewSetupToken(ctx)
	if err != nil {
		return err
	}
	link := c.public + "/setup?token=" + token
	if err := os.WriteFile(path, []byte(link+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the setup link: %w", err)
	}
	fmt.Fprintf(stderr, "setup link: %s\n", link)
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func logLevel(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // the setting allows nothing else
	return l
}

// inUTC writes times in UTC.
func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
