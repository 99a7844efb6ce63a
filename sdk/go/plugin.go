package vivified

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Plugin is one plugin and its standing with the core.
type Plugin struct {
	cfg      Config
	manifest manifest
	log      *slog.Logger
	core     *client
	session  *session
	keys     *keySet
	born     time.Time

	endpoints     map[string]http.Handler
	hooks         map[string]http.Handler
	subscriptions []subscription
	background    []func(context.Context) error
}

// New makes a plugin from the JSON text of its manifest. It reads the kept
// refresh token and does nothing else yet.
func New(manifestText []byte, cfg Config) (*Plugin, error) {
	m, err := readManifest(manifestText)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	cfg.Logger = slog.New(traced{cfg.Logger.Handler()}).With("plugin", m.ID)
	core, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s, err := newSession(core, manifestText, cfg, state{dir: cfg.StateDir, id: m.ID})
	if err != nil {
		return nil, err
	}
	return &Plugin{
		cfg:       cfg,
		manifest:  m,
		log:       cfg.Logger,
		core:      core,
		session:   s,
		keys:      &keySet{core: core},
		born:      time.Now(),
		endpoints: map[string]http.Handler{},
		hooks:     map[string]http.Handler{},
	}, nil
}

// ID returns the plugin's id.
func (p *Plugin) ID() string { return p.manifest.ID }

// Logger returns the plugin's logger. Its lines carry the plugin's id, and the
// trace of the context they are logged under.
func (p *Plugin) Logger() *slog.Logger { return p.log }

// Go has Run call work once the plugin is registered. Work goes on until its
// context ends; an error before that ends Run. Go must be called before Run.
func (p *Plugin) Go(work func(context.Context) error) {
	p.background = append(p.background, work)
}

// Run answers calls, registers, keeps the token fresh, sends heartbeats and
// handles events until ctx ends. Then it takes nothing new, lets the work in
// hand finish within Config.StopGrace, and returns nil.
//
// It returns an error when handlers and manifest do not fit, when it cannot
// listen, when the core refuses the manifest, or when work started by Go fails.
func (p *Plugin) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Work in hand outlives ctx by the grace.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	stopGrace := context.AfterFunc(ctx, func() { time.AfterFunc(p.cfg.StopGrace, abandon) })
	defer stopGrace()

	var parts sync.WaitGroup
	start := func(part func() error) {
		parts.Go(func() {
			if err := part(); err != nil {
				cancel(failure{err})
			}
		})
	}
	listening := make(chan struct{})
	start(func() error { return p.serve(ctx, work, func() { close(listening) }) })
	start(func() error {
		select {
		case <-listening: // the core may call as soon as the plugin is registered
		case <-ctx.Done():
			return nil
		}
		return p.join(ctx, work, start)
	})
	<-ctx.Done()
	parts.Wait()
	if f, failed := errors.AsType[failure](context.Cause(ctx)); failed {
		return f.error
	}
	return nil
}

// failure is why a part of the plugin ended all of it.
type failure struct{ error }

// join registers the plugin and starts what needs a registered plugin.
func (p *Plugin) join(ctx, work context.Context, start func(func() error)) error {
	if err := p.session.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("register %s: %w", p.manifest.ID, err)
	}
	p.log.InfoContext(ctx, "registered")
	start(func() error { p.session.keep(ctx); return nil })
	start(func() error { p.beat(ctx); return nil })
	if len(p.subscriptions) > 0 && p.manifest.webhook() == "" {
		start(func() error { p.listen(ctx, work); return nil })
	}
	for _, background := range p.background {
		start(func() error {
			if err := background(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			return nil
		})
	}
	return nil
}

// readJSON decodes the whole body of r into target.
func readJSON(r *http.Request, target any) error {
	return json.NewDecoder(r.Body).Decode(target)
}
