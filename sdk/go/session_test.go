package vivified_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vivified "github.com/vivified/vivified/sdk/go"
)

func TestAPluginComesBackWithTheTokenItKept(t *testing.T) {
	c, dir := newCore(t), t.TempDir()
	keep := func(p *vivified.Plugin, cfg *vivified.Config) {
		cfg.StateDir, cfg.RegistrationToken = dir, "one-time"
	}
	first := run(t, c, keep)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "hello.refresh")
	info, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the kept token has mode %v, want 0600", info.Mode().Perm())
	}
	run(t, c, keep)
	c.set(func() {
		if got := c.registerBy[0]; got.Get("X-Registration-Token") != "one-time" || got.Get("X-Refresh-Token") != "" {
			t.Errorf("the first registration was proved by %v, want the registration token alone", got)
		}
		if got := c.registerBy[1]; got.Get("X-Refresh-Token") != "refresh-1" || got.Get("X-Registration-Token") != "" {
			t.Errorf("the second registration was proved by %v, want the kept refresh token alone", got)
		}
	})
	if text, _ := os.ReadFile(kept); strings.TrimSpace(string(text)) != "refresh-2" {
		t.Errorf("the file holds %q, want the newest refresh token", text)
	}
}

func TestAKeptTokenThatIsRefusedFallsBackToTheRegistrationToken(t *testing.T) {
	c, dir := newCore(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hello.refresh"), []byte("of another life\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, c, func(_ *vivified.Plugin, cfg *vivified.Config) { cfg.StateDir, cfg.RegistrationToken = dir, "one-time" })
	c.set(func() {
		if len(c.registerBy) != 2 || c.registerBy[1].Get("X-Registration-Token") != "one-time" {
			t.Errorf("registrations were %v, want a second one by registration token", c.registerBy)
		}
	})
}

func TestARevokedTokenIsRenewedUnderTheCallThatFoundIt(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	c.set(func() {
		c.routes["GET /plugins/hello/config"] = answer{status: 200, body: `{"enabled":true,"settings":{"a":1},"version":3}`}
	})
	c.revoke()
	settings, err := p.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if settings.Version != 3 || string(settings.Values) != `{"a":1}` || !settings.Enabled {
		t.Errorf("settings are %+v", settings)
	}
}

func TestADisabledPluginKeepsItsTokens(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	disabled := problem(http.StatusUnauthorized, "plugin.disabled", "hello is disabled.")
	c.set(func() { c.tokenAnswer = &disabled })
	_, err := p.Config(t.Context())
	refusal, ok := errors.AsType[*vivified.Problem](err)
	if !ok || refusal.Code != "plugin.disabled" {
		t.Fatalf("a disabled plugin's request ended with %v, want plugin.disabled", err)
	}
	c.set(func() {
		if c.generation != 1 {
			t.Errorf("%d tokens were issued; being disabled must not cost any", c.generation)
		}
		c.tokenAnswer = nil
	})
	if _, err := p.PublishEvent(t.Context(), "hello.said", nil); err == nil || !strings.Contains(err.Error(), "read answer") {
		t.Errorf("after enable the same token must be taken again; got %v", err)
	}
}

func TestARefusedManifestEndsRun(t *testing.T) {
	c := newCore(t)
	refusal := problem(http.StatusBadRequest, "traits.empty", "Security validation failed: Plugin must have at least one trait")
	c.set(func() { c.refusal = &refusal })
	p, err := vivified.New([]byte(`{"id":"hello"}`), vivified.Config{CoreURL: c.URL})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(t.Context())
	if got, ok := errors.AsType[*vivified.Problem](err); !ok || got.Code != "traits.empty" {
		t.Errorf("Run ended with %v, want the refusal of the manifest", err)
	}
}

func TestAPluginWaitsForItsCore(t *testing.T) {
	c := newCore(t)
	closed := problem(http.StatusForbidden, "registration.closed", "An administrator has to let hello in.")
	c.set(func() { c.refusal = &closed })
	p, err := vivified.New([]byte(`{"id":"hello"}`), vivified.Config{CoreURL: c.URL})
	if err != nil {
		t.Fatal(err)
	}
	in := make(chan struct{})
	p.Go(func(context.Context) error { close(in); return errors.New("seen enough") })
	ended := make(chan error, 1)
	go func() { ended <- p.Run(context.Background()) }()
	for refused := false; !refused; {
		c.set(func() { refused = len(c.registerBy) >= 2 })
	}
	c.set(func() { c.refusal = nil })
	receive(t, in)
	if err := receive(t, ended); err == nil || err.Error() != "seen enough" {
		t.Errorf("Run ended with %v, want the error of its work", err)
	}
}

func TestHandlersAndManifestMustFit(t *testing.T) {
	p, err := vivified.New([]byte(helloManifest), vivified.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p.HandleFunc("get_profiles", nil)
	p.OnEvent("user.created", nil)
	err = p.Run(t.Context())
	for _, want := range []string{
		`endpoint "get_profile" of the manifest has no handler`,
		`endpoint "echo" of the manifest has no handler`,
		`the manifest declares no endpoint "get_profiles"`,
		`the manifest does not subscribe to "user.created"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run ended with %v, want it to say %q", err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct{ name, manifest, coreURL, want string }{
		{"no JSON", `{`, "", "read manifest"},
		{"no id", `{}`, "", "field id is required"},
		{"an id that is a path", `{"id":"../x"}`, "", "not a plugin id"},
		{"a core without scheme", `{"id":"x"}`, "127.0.0.1:8080", "not an http or https URL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := vivified.New([]byte(row.manifest), vivified.Config{CoreURL: row.coreURL})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("New ended with %v, want it to say %q", err, row.want)
			}
		})
	}
}
