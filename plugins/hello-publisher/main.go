// Command hello-publisher is a sample plugin that asks for greetings: it
// publishes greeting.requested every few seconds and answers get_profile, so
// that whoever greets learns the name.
//
// It refuses calls that do not come through the core (the SDK does), and it
// tells a profile to whoever the core lets through.
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"time"

	vivified "github.com/vivified/vivified/sdk/go"
)

//go:embed manifest.json
var manifest []byte

// defaultInterval is the mean time between two requests for a greeting.
const defaultInterval = 4 * time.Second

func main() {
	people, err := readBook(profilesText)
	if err != nil {
		slog.Error("hello-publisher cannot start", "error", err)
		os.Exit(1)
	}
	every, err := interval(os.Getenv("VIVIFIED_HELLO_INTERVAL"))
	if err != nil {
		slog.Error("hello-publisher cannot start", "error", err)
		os.Exit(2)
	}
	vivified.Main(manifest, func(plugin *vivified.Plugin) {
		plugin.HandleFunc("get_profile", people.getProfile)
		plugin.Go(func(ctx context.Context) error { return ask(ctx, plugin, people, every) })
	})
}

// interval reads a duration such as 4s; "" is the default.
func interval(text string) (time.Duration, error) {
	if text == "" {
		return defaultInterval, nil
	}
	every, err := time.ParseDuration(text)
	if err != nil || every < 10*time.Millisecond {
		return 0, fmt.Errorf("VIVIFIED_HELLO_INTERVAL is %q; use a duration of at least 10ms, such as 4s", text)
	}
	return every, nil
}

// ask publishes greeting.requested for one person after the other until ctx
// ends, every so often and a fifth sooner or later. The first comes after a
// second at most, when whoever starts beside this plugin has begun to listen.
func ask(ctx context.Context, plugin *vivified.Plugin, people book, every time.Duration) error {
	pause := min(every, time.Second)
	for i := 0; ; i = (i + 1) % len(people.people) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = every*4/5 + mathrand.N(every*2/5)
		p := people.people[i]
		id := rand.Text()
		_, err := plugin.PublishEvent(ctx, "greeting.requested", map[string]string{
			"greeting_id": id,
			"profile_id":  p.ID,
			"language":    p.Language,
			"name":        p.Name,
			"email":       p.Email,
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // disabled, or the core is away: the next one may do better
			plugin.Logger().WarnContext(ctx, "greeting not requested", "greeting", id, "reason", err)
		default:
			plugin.Logger().InfoContext(ctx, "greeting requested", "greeting", id, "profile", p.ID)
		}
	}
}
