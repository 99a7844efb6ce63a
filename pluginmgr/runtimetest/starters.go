package runtimetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// Made is a runtime that starts plugins, made for a test.
type Made struct {
	pluginmgr.Starter
	Close func() // lets go of what runs without ending it, as the end of the core does
	Image string // digest of the image whose /probe is the program under test
}

// Maker makes a runtime. A second one of the same maker is as a core that starts
// anew over what the first left.
type Maker func(t *testing.T, serve func(net.Listener, string) error) Made

// roomy are limits under which the plugin under test is at ease.
var roomy = pluginmgr.Limits{Memory: 128 << 20, CPU: 1, PIDs: 64, Storage: 32 << 20}

// bench is a runtime with the core that its plugins call.
type bench struct {
	Made
	t *testing.T
}

// asked answers as a core that says who called what.
func asked(l net.Listener, plugin string) error {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s asked for %s", plugin, r.URL.Path)
	}), ReadHeaderTimeout: 10 * time.Second}
	_ = s.Serve(l)
	return nil
}

func newBench(t *testing.T, maker Maker) *bench {
	t.Helper()
	return &bench{Made: maker(t, asked), t: t}
}

// launch is one of the plugin under test.
func (b *bench) launch(plugin string, command ...string) pluginmgr.Launch {
	var salt [4]byte
	rand.Read(salt[:])
	return pluginmgr.Launch{
		Plugin: plugin, Instance: plugin + "." + hex.EncodeToString(salt[:]), Image: b.Image, Command: append([]string{"/probe"}, command...), Limits: roomy,
		Env: map[string]string{"TOLD": "by the manifest"},
	}
}

// start starts an instance, which is gone when the test ends.
func (b *bench) start(t *testing.T, l pluginmgr.Launch) pluginmgr.Target {
	t.Helper()
	must(t, b.Start(t.Context(), l))
	t.Cleanup(func() {
		if err := b.Stop(context.Background(), l.Instance, 0); err != nil {
			t.Errorf("stop %s: %v", l.Instance, err)
		}
	})
	to := pluginmgr.Target{Plugin: l.Plugin, Instance: l.Instance}
	b.answers(t, to)
	return to
}

// answers waits until an instance does.
func (b *bench) answers(t *testing.T, to pluginmgr.Target) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		err := b.Probe(t.Context(), to)
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("%s never answers: %v", to.Instance, err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// ended waits for the end of an instance.
func (b *bench) ended(t *testing.T, instance string) pluginmgr.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := b.Wait(ctx, instance)
	if err != nil {
		t.Fatalf("%s does not end: %v", instance, err)
	}
	return exit
}

// Starters holds what a runtime must do that starts its plugins.
func Starters(t *testing.T, maker Maker) {
	b := newBench(t, maker)
	t.Run("reaching it", func(t *testing.T) {
		Run(t, b, func(t *testing.T) pluginmgr.Target { return b.start(t, b.launch("reached")) }, pluginmgr.Target{Plugin: "nobody", Instance: "nobody.0"})
	})
	t.Run("reaching one that cannot use sockets", func(t *testing.T) {
		l := b.launch("listening")
		l.Port = 8080
		to := b.start(t, l)
		Run(t, b, func(*testing.T) pluginmgr.Target { return to }, pluginmgr.Target{Plugin: "nobody", Instance: "nobody.0"})
		var got struct{ Body string }
		ask(t, b, to, "/core?path=/health", &got)
		equal(t, "what the core heard", got.Body, "listening asked for /health")
	})
	t.Run("its surroundings", func(t *testing.T) { b.surroundings(t) })
	t.Run("its output", func(t *testing.T) { b.writes(t) })
	t.Run("its end", func(t *testing.T) { b.ends(t) })
	t.Run("what it uses", func(t *testing.T) { b.uses(t) })
	t.Run("two of one plugin", func(t *testing.T) { b.besides(t) })
	t.Run("what cannot be started", func(t *testing.T) {
		l := b.launch("missing")
		l.Image = "sha256:" + strings.Repeat("0", 64)
		if err := b.Start(t.Context(), l); !fault.Is(err, fault.NotFound) {
			t.Errorf("an image that is not there: %v", err)
		}
		if err := b.Start(t.Context(), b.launchOf("missing", "/nothing")); err == nil {
			t.Error("a program that is not there was started")
		}
		if err := b.Stop(t.Context(), "nobody.0", time.Second); err != nil {
			t.Errorf("stopping what is not there: %v", err)
		}
	})
	b.Close()
	t.Run("the core ends and another comes", func(t *testing.T) { recovered(t, maker) })
}

func (b *bench) launchOf(plugin string, command ...string) pluginmgr.Launch {
	l := b.launch(plugin)
	l.Command = command
	return l
}

// surroundings: who it is, what it is told, and whom the core takes it for.
func (b *bench) surroundings(t *testing.T) {
	to := b.start(t, b.launch("settled"))
	var got struct {
		UID, GID int
		Env      []string
	}
	ask(t, b, to, "/echo", &got)
	if got.UID != 65532 || got.GID != 65532 {
		t.Errorf("it runs as %d:%d, want 65532", got.UID, got.GID)
	}
	if !slices.Contains(got.Env, "TOLD=by the manifest") {
		t.Errorf("its environment lacks what the manifest says: %q", got.Env)
	}
	for _, v := range got.Env {
		if strings.HasPrefix(v, "VIVIFIED_MASTER") || strings.HasPrefix(v, "DATABASE_URL") {
			t.Errorf("it was told %s", v)
		}
	}
	var said struct {
		Body  string
		Error string
	}
	ask(t, b, to, "/core?path=/plugins/heartbeat", &said)
	equal(t, "what the core heard", said.Body, "settled asked for /plugins/heartbeat")
	ask(t, b, to, "/try?what=write&at=/data/kept", &said)
	equal(t, "writing its volume", said.Error, "")
}

// writes: its lines come in order, with their stream, and to the last one; a
// reader who pauses loses none, and holds it up.
func (b *bench) writes(t *testing.T) {
	l := b.launch("writer")
	to := b.start(t, l)
	var mu sync.Mutex
	var lines []journal.Line
	gate := make(chan struct{})
	read := make(chan error, 1)
	go func() {
		read <- b.Logs(context.Background(), l.Instance, time.Time{}, func(l journal.Line) {
			<-gate
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, l)
		})
	}()
	const many = 20_000 // more than any pipe holds
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		r, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://plugin/print?stream=stdout&text=line-%%23&n=%d", many), nil)
		if answer, err := b.Call(context.Background(), to, r); err == nil {
			answer.Body.Close()
		}
	}()
	select {
	case <-printed:
		t.Error("nobody read, and it wrote all the same")
	case <-time.After(300 * time.Millisecond):
	}
	close(gate)
	<-printed
	ask := call(t, b, to, "/print?stream=stderr&text=complaint")
	ask.Body.Close()
	must(t, b.Stop(t.Context(), l.Instance, 10*time.Second))
	if err := <-read; err != nil {
		t.Fatalf("reading its output: %v", err)
	}
	next, last := 0, map[string]string{}
	for _, l := range lines {
		if l.Text == fmt.Sprintf("line-%d", next) {
			next++
		}
		last[l.Stream] = l.Text
	}
	if next != many {
		t.Errorf("%d of %d lines came in order", next, many)
	}
	equal(t, "the last line of each stream", last, map[string]string{journal.Stdout: "told to end", journal.Stderr: "complaint"})
}

// ends: by itself, by being asked, and by force.
func (b *bench) ends(t *testing.T) {
	l := b.launch("ending", "exit", "7")
	must(t, b.Start(t.Context(), l))
	if got := b.ended(t, l.Instance); got.Status != 7 || got.Signal != "" || got.OOM {
		t.Errorf("ended by itself: %+v, want exit status 7", got)
	}
	must(t, b.Stop(t.Context(), l.Instance, time.Second))
	if _, err := b.Wait(t.Context(), l.Instance); err == nil {
		t.Error("it was stopped and is still there")
	}
	for _, tc := range []struct {
		name, mode string
		grace      time.Duration
		code       int
		signal     string
	}{
		{"asked", "serve", 20 * time.Second, 0, ""},
		{"deaf", "deaf", 200 * time.Millisecond, -1, "SIGKILL"},
		{"at once", "serve", 0, -1, "SIGKILL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := b.launch("ended", tc.mode)
			b.start(t, l)
			exits := make(chan pluginmgr.Exit, 1)
			go func() {
				exit, _ := b.Wait(context.Background(), l.Instance)
				exits <- exit
			}()
			began := time.Now()
			must(t, b.Stop(t.Context(), l.Instance, tc.grace))
			if took := time.Since(began); tc.mode == "deaf" && took < tc.grace {
				t.Errorf("it was killed after %s, before its grace of %s was over", took, tc.grace)
			}
			if got := <-exits; got.Status != tc.code || got.Signal != tc.signal {
				t.Errorf("it ended with %d %q, want %d %q", got.Status, got.Signal, tc.code, tc.signal)
			}
		})
	}
}

// uses: what it is told of a plugin that works grows with the work.
func (b *bench) uses(t *testing.T) {
	l := b.launch("using")
	to := b.start(t, l)
	before, err := b.Stats(t.Context(), l.Instance)
	must(t, err)
	ask(t, b, to, "/try?what=memory&at=40", &struct{}{})
	ask(t, b, to, "/try?what=cpu&at=400", &struct{}{})
	after, err := b.Stats(t.Context(), l.Instance)
	must(t, err)
	if after.Memory-before.Memory < 32<<20 || after.Memory > l.Limits.Memory {
		t.Errorf("40 MiB more than %d bytes are %d bytes, of at most %d", before.Memory, after.Memory, l.Limits.Memory)
	}
	if after.CPU-before.CPU < 20*time.Millisecond { // on a busy machine it gets little of it
		t.Errorf("400 ms of work are %s", after.CPU-before.CPU)
	}
	if after.PIDs < 1 || after.PIDs > l.Limits.PIDs {
		t.Errorf("it has %d processes, of at most %d", after.PIDs, l.Limits.PIDs)
	}
}

// besides: two instances of a plugin share its volume, and are called apart.
func (b *bench) besides(t *testing.T) {
	one, two := b.launch("double"), b.launch("double")
	two.Env = map[string]string{"TOLD": "to the second"}
	first, second := b.start(t, one), b.start(t, two)
	var said struct{ Error string }
	ask(t, b, first, "/try?what=write&at=/data/shared", &said)
	equal(t, "the first writes", said.Error, "")
	ask(t, b, second, "/try?what=read&at=/data/shared", &said)
	equal(t, "the second reads it", said.Error, "")
	must(t, b.Stop(t.Context(), one.Instance, time.Second))
	var got struct{ Env []string }
	ask(t, b, second, "/echo", &got)
	if !slices.Contains(got.Env, "TOLD=to the second") {
		t.Error("another instance answered than was called")
	}
	if err := b.Forget(t.Context(), "double"); !fault.Is(err, fault.Conflict) {
		t.Errorf("the volume of a plugin that runs was to be forgotten: %v", err)
	}
	must(t, b.Stop(t.Context(), two.Instance, time.Second))
	must(t, b.Forget(t.Context(), "double"))
	ask(t, b, b.start(t, b.launch("double")), "/try?what=read&at=/data/shared", &said)
	if said.Error == "" {
		t.Error("the volume was forgotten, and its file is still there")
	}
}

// recovered: what runs goes on while there is no core, keeps what it wrote
// meanwhile, reaches the next core, and is stopped by it.
func recovered(t *testing.T, maker Maker) {
	b := newBench(t, maker)
	if found, err := b.Recover(t.Context()); err != nil || len(found) != 0 {
		t.Fatalf("before anything was started it found %+v, %v", found, err)
	}
	l := b.launch("surviving")
	to := b.start(t, l)
	answer := call(t, b, to, "/print?stream=stdout&text=before")
	answer.Body.Close()
	b.Close()

	next := newBench(t, maker)
	found, err := next.Recover(t.Context())
	must(t, err)
	if len(found) != 1 || found[0].Instance != l.Instance || found[0].Plugin != l.Plugin || found[0].Image != l.Image {
		t.Fatalf("it found %+v, want %s", found, l.Instance)
	}
	t.Cleanup(func() { _ = next.Stop(context.Background(), l.Instance, 0); next.Close() })
	next.answers(t, to)
	var said struct{ Body string }
	ask(t, next, to, "/core?path=/again", &said)
	equal(t, "what the next core heard", said.Body, "surviving asked for /again")
	if s, err := next.Stats(t.Context(), l.Instance); err != nil || s.Memory == 0 {
		t.Errorf("what it uses is not known any more: %+v, %v", s, err)
	}
	var lines []string
	read := aside(func() error {
		return next.Logs(context.Background(), l.Instance, time.Time{}, func(l journal.Line) { lines = append(lines, l.Text) })
	})
	must(t, next.Stop(t.Context(), l.Instance, 10*time.Second))
	must(t, <-read)
	if !slices.Contains(lines, "before") || !slices.Contains(lines, "told to end") {
		t.Errorf("of what it wrote came %q", lines)
	}
}

// aside does something on the side and returns where its error comes.
func aside(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}
