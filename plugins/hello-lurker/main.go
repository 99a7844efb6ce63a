// Command hello-lurker is a sample plugin that may see almost nothing. It hears
// every greeting.* event without the fields its traits do not cover, and tries
// now and then to read a profile and to reach the outside, so that an
// administrator can watch both being denied.
//
// A denial is what it is for: it logs why, and goes on.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	vivified "github.com/vivified/vivified/sdk/go"
)

//go:embed manifest.json
var manifest []byte

const (
	tryEvery    = 10 * time.Second
	defaultPage = "https://pages.hello.test/hello/en"
)

func main() {
	page := os.Getenv("VIVIFIED_HELLO_SITE")
	if page == "" {
		page = defaultPage
	} else {
		page += "/hello/en"
	}
	vivified.Main(manifest, func(plugin *vivified.Plugin) {
		l := &lurker{plugin: plugin, log: plugin.Logger(), page: page}
		plugin.OnEvent("greeting.*", l.hear)
		plugin.Go(l.try)
	})
}

// lurker is what the plugin has and what it has heard of.
type lurker struct {
	plugin *vivified.Plugin
	log    *slog.Logger
	page   string
	heard  atomic.Pointer[string] // the newest profile id it heard of
}

// hear logs which fields of an event arrived and which the core removed; their
// values are nobody's business.
func (l *lurker) hear(ctx context.Context, event vivified.Event) error {
	var fields map[string]json.RawMessage
	if err := event.Decode(&fields); err != nil {
		return err
	}
	var id string
	if json.Unmarshal(fields["profile_id"], &id) == nil && id != "" {
		l.heard.Store(&id)
	}
	l.log.InfoContext(ctx, "heard", "type", event.Type, "event", event.ID, "fields", slices.Sorted(maps.Keys(fields)), "removed", event.Redacted)
	return nil
}

// try asks for a profile and for a page until ctx ends.
func (l *lurker) try(ctx context.Context) error {
	for {
		select {
		case <-time.After(tryEvery):
		case <-ctx.Done():
			return nil
		}
		if id := l.heard.Load(); id != nil {
			_, err := l.plugin.Call(ctx, "hello-publisher", "get_profile", map[string]string{"id": *id})
			l.report(ctx, "get_profile", err)
		}
		_, err := l.plugin.CallExternal(ctx, vivified.ExternalRequest{URL: l.page})
		l.report(ctx, "external page", err)
	}
}

// report logs how an attempt ended.
func (l *lurker) report(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	problem, refused := errors.AsType[*vivified.Problem](err)
	switch {
	case err == nil:
		l.log.WarnContext(ctx, "was let through", "what", what)
	case refused:
		l.log.InfoContext(ctx, "denied", "what", what, "rule", problem.Code, "why", problem.Detail, "decision", problem.DecisionID)
	default:
		l.log.WarnContext(ctx, "not answered", "what", what, "reason", err)
	}
}
