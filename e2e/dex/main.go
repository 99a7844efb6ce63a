// Command dex is a real OpenID provider for tests and for trying single sign-on:
// dex, whose people, groups and passwords stand in a file that may change while it
// runs. It keeps everything else in memory and listens on loopback only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/connectors"
	"github.com/dexidp/dex/server/session"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/server/tokens"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/dexidp/dex/web"
)

// file is what the provider is told: dex.json.
type file struct {
	Issuer  string           `json:"issuer"` // http://127.0.0.1:5556/dex
	Clients []storage.Client `json:"clients"`
	People  []person         `json:"people"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dex FILE")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func read(path string) (f file, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(raw, &f)
}

// run serves until ctx ends.
func run(ctx context.Context, path string) error {
	f, err := read(path)
	if err != nil {
		return err
	}
	issuer, err := url.Parse(f.Issuer)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(issuer.Hostname()); ip == nil || !ip.IsLoopback() {
		return errors.New("the issuer is not on loopback")
	}
	handler, err := provider(ctx, path, f)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", issuer.Host)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	fmt.Println("dex answers as", f.Issuer)
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// provider builds dex with sessions, so that it has sign-outs to tell of.
func provider(ctx context.Context, path string, f file) (http.Handler, error) {
	if err := os.Setenv("DEX_SESSIONS_ENABLED", "true"); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server.ConnectorsConfig["people"] = func() connectors.ConnectorConfig { return &people{file: path} }
	store := storage.WithStaticConnectors(storage.WithStaticClients(memory.New(log), f.Clients), []storage.Connector{{ID: "people", Type: "people", Name: "People"}})
	keys := signer.LocalConfig{KeysRotationPeriod: "6h"}
	sign, err := keys.Open(ctx, store, time.Hour, time.Now, log)
	if err != nil {
		return nil, err
	}
	return server.NewServer(ctx, server.Config{
		Issuer: f.Issuer, Storage: store, SkipApprovalScreen: true, IDTokensValidFor: time.Hour, Web: server.WebConfig{WebFS: web.FS(), Issuer: "Demo"},
		Logger: log, Signer: sign, RefreshTokenPolicy: tokens.NewRefreshStrategy(false, time.Hour, time.Hour, 0, time.Now),
		SessionConfig: &session.Config{CookieName: "dex_session", AbsoluteLifetime: time.Hour, ValidIfNotUsedFor: time.Hour, RememberMeCheckedByDefault: true},
	})
}
