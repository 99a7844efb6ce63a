package vivified

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Main is the whole main function of a plugin: it makes the plugin from its
// manifest and the environment, has prepare say what it answers and listens to,
// and runs it until an interrupt or SIGTERM; a second one ends it at once. It
// logs JSON lines to standard error, from VIVIFIED_LOG_LEVEL (default info) up,
// and exits with status 1 when the plugin cannot be made or fails.
func Main(manifestText []byte, prepare func(*Plugin)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	cfg := FromEnvironment()
	level := slog.LevelInfo
	if name := os.Getenv("VIVIFIED_LOG_LEVEL"); name != "" && level.UnmarshalText([]byte(name)) != nil {
		level = slog.LevelInfo
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	p, err := New(manifestText, cfg)
	if err == nil {
		prepare(p)
		err = p.Run(ctx)
	}
	if err != nil {
		cfg.Logger.Error("plugin ended", "error", err)
		os.Exit(1)
	}
}
