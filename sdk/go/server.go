package vivified

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Handle has h answer the calls to an endpoint that the manifest declares under
// name. The path's template values are in r.PathValue. Handle must be called before Run.
func (p *Plugin) Handle(name string, h http.Handler) { p.endpoints[name] = h }

// HandleFunc is Handle for a function.
func (p *Plugin) HandleFunc(name string, h func(http.ResponseWriter, *http.Request)) {
	p.Handle(name, http.HandlerFunc(h))
}

// HandleHook has h answer a lifecycle hook that the manifest declares: init,
// shutdown or heartbeat. HandleHook must be called before Run.
func (p *Plugin) HandleHook(name string, h http.Handler) { p.hooks[name] = h }

// Handler returns everything this plugin answers, for tests and for Run, which
// serves it: its endpoints, hooks and events, all only to the core, and its health
// check to anyone, because that holds no data.
func (p *Plugin) Handler() (http.Handler, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	for name, h := range p.endpoints {
		e := p.manifest.Endpoints[name]
		routes.Handle(pattern(e.Method, e.Path), h)
	}
	for name, h := range p.hooks {
		routes.Handle(pattern("", p.manifest.Hooks[name]), h)
	}
	if path := p.manifest.webhook(); path != "" {
		routes.Handle(pattern(http.MethodPost, path), http.HandlerFunc(p.deliver))
	}
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, p.cfg.BodyLimit)
		routes.ServeHTTP(w, r)
	})
	all := http.NewServeMux()
	all.Handle("/", p.Verified(limited))
	if path := p.manifest.healthPath(); path != "" {
		all.Handle(pattern(http.MethodGet, path), http.HandlerFunc(p.serveHealth))
	}
	return all, nil
}

// complete reports everything the manifest promises and no handler keeps, and
// every handler for something the manifest does not declare.
func (p *Plugin) complete() error {
	var all []error
	for name, e := range p.manifest.Endpoints {
		if p.endpoints[name] == nil && e.Path != p.manifest.healthPath() {
			all = append(all, fmt.Errorf("endpoint %q of the manifest has no handler", name))
		}
	}
	for name := range p.endpoints {
		if _, declared := p.manifest.Endpoints[name]; !declared {
			all = append(all, fmt.Errorf("the manifest declares no endpoint %q", name))
		}
	}
	for name := range p.manifest.Hooks {
		if p.hooks[name] == nil {
			all = append(all, fmt.Errorf("hook %q of the manifest has no handler", name))
		}
	}
	for name := range p.hooks {
		if p.manifest.Hooks[name] == "" {
			all = append(all, fmt.Errorf("the manifest declares no hook %q", name))
		}
	}
	for _, s := range p.subscriptions {
		if p.manifest.subscription(s.pattern) == "" {
			all = append(all, fmt.Errorf("the manifest does not subscribe to %q", s.pattern))
		}
	}
	return errors.Join(all...)
}

// pattern is the ServeMux pattern of a declared path: exactly that path, with
// its {templates}, and not what lies below it.
func pattern(method, path string) string {
	if strings.HasSuffix(path, "/") {
		path += "{$}"
	}
	if method == "" {
		return path
	}
	return method + " " + path
}

// deliver handles an event that the core delivers by POST: 204 acknowledges it,
// 500 has it delivered again later.
func (p *Plugin) deliver(w http.ResponseWriter, r *http.Request) {
	var event Event
	if err := readJSON(r, &event); err != nil {
		WriteProblem(w, http.StatusBadRequest, "event.malformed", "The event is not a CloudEvent in JSON.")
		return
	}
	if err := p.dispatch(r.Context(), event); err != nil {
		p.log.WarnContext(r.Context(), "event not handled; it will come again", "event", event.ID, "type", event.Type, "error", err)
		WriteProblem(w, http.StatusInternalServerError, "event.unhandled", "The event was not handled.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// serves reports whether there is anything for the core to call.
func (p *Plugin) serves() bool {
	return len(p.endpoints)+len(p.hooks) > 0 || p.manifest.Health != nil || p.manifest.webhook() != ""
}

// serve answers calls until ctx ends and the calls in hand are done. It calls
// ready once it listens.
func (p *Plugin) serve(ctx, work context.Context, ready func()) error {
	handler, err := p.Handler()
	if err != nil {
		return err
	}
	if !p.serves() {
		ready()
		<-ctx.Done()
		return nil
	}
	listener, err := p.listener()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
	p.log.InfoContext(ctx, "answering calls", "address", listener.Addr().String())
	ready()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Shutdown(work)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer calls: %w", err)
	}
	if <-stopped != nil {
		return server.Close() // the grace is over
	}
	return nil
}

// listener opens the socket or the address the plugin answers on.
func (p *Plugin) listener() (net.Listener, error) {
	network, address := "tcp", p.cfg.Listen
	if address == "" && p.manifest.Health != nil && p.manifest.Health.Port != 0 {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(p.manifest.Health.Port))
	}
	if p.cfg.Socket != "" {
		network, address = "unix", p.cfg.Socket
		// A socket left by a killed predecessor would refuse the name.
		if info, err := os.Lstat(address); err == nil && info.Mode().Type() == os.ModeSocket {
			if err := os.Remove(address); err != nil {
				return nil, fmt.Errorf("listen: %w", err)
			}
		}
	}
	if address == "" {
		return nil, errors.New("listen: neither VIVIFIED_PLUGIN_LISTEN nor the manifest's health_check.port says where")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
