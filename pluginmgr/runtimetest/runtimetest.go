// Package runtimetest holds what every runtime of plugins must do: Run for all of
// them, Starters for those that start their plugins, Escapes for what a plugin
// that was started may not.
//
// The plugin under test is a real program, built for the occasion, which does
// what it is asked to; nothing stands in for a runtime.
package runtimetest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
)

// Program builds the plugin under test and returns where it is.
func Program(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "probe")
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "github.com/vivified/vivified/pluginmgr/runtimetest/testdata/probe")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin under test: %v\n%s", err, said)
	}
	return out
}

// Packed packs the plugin under test and returns where its image is, by what digest.
func Packed(t testing.TB) (*bundle.Store, string) {
	t.Helper()
	store, err := bundle.OpenStore(filepath.Join(t.TempDir(), "bundles"), bundle.Limits{})
	must(t, err)
	t.Cleanup(func() { store.Close() })
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "rootfs"), 0o755))
	must(t, os.Rename(Program(t), filepath.Join(dir, "rootfs", "probe")))
	must(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifestText), 0o600))
	b, err := store.Pack(t.Context(), dir, manifest.Options{Traits: trait.Builtin()})
	must(t, err)
	image, ok := b.Image()
	if !ok {
		t.Fatal("the bundle of the plugin under test holds no image")
	}
	return store, image
}

const manifestText = `{"id": "probe", "name": "Probe", "version": "1.0.0", "contracts": [], "traits": ["handles_internal"],
	"security": {"authentication_required": true, "data_classification": ["internal"]}, "runtime": {"kind": "sandbox", "command": ["/probe"]}}`

// Run holds what every runtime must do. up brings a plugin up and returns how it
// is reached; it is gone when the test ends.
func Run(t *testing.T, rt pluginmgr.Runtime, up func(t *testing.T) pluginmgr.Target, nobody pluginmgr.Target) {
	to := up(t)
	t.Run("a request arrives as it was sent", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://plugin/echo?a=b%20c&a=d", strings.NewReader("body"))
		must(t, err)
		r.Header.Set("X-One", "1")
		var got struct {
			Method, URI, Body, Host string
			Header                  http.Header
		}
		decode(t, rt, to, r, &got)
		if got.Method != http.MethodPut || got.URI != "/echo?a=b%20c&a=d" || got.Body != "body" || got.Header.Get("X-One") != "1" {
			t.Errorf("it arrived as %+v", got)
		}
		for _, name := range []string{"Authorization", "Cookie"} {
			if v := got.Header.Get(name); v != "" {
				t.Errorf("the runtime added %s: %s", name, v)
			}
		}
	})
	t.Run("a redirect is an answer", func(t *testing.T) {
		answer := call(t, rt, to, "/redirect")
		answer.Body.Close()
		if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "/echo" {
			t.Errorf("it was %d to %q", answer.StatusCode, answer.Header.Get("Location"))
		}
	})
	t.Run("a large answer comes whole", func(t *testing.T) {
		answer := call(t, rt, to, "/large?n=8388608")
		defer answer.Body.Close()
		if n, err := io.Copy(io.Discard, answer.Body); n != 8<<20 || err != nil {
			t.Errorf("%d bytes came, and %v", n, err)
		}
	})
	t.Run("many calls at once", func(t *testing.T) {
		errs := make(chan error, 32)
		for range cap(errs) {
			go func() {
				r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://plugin/echo", nil)
				answer, err := rt.Call(r.Context(), to, r)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a call ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://plugin/slow", nil)
		must(t, err)
		if answer, err := rt.Call(ctx, to, r); err == nil {
			answer.Body.Close()
			t.Error("it was answered")
		}
	})
	t.Run("probe", func(t *testing.T) {
		if err := rt.Probe(t.Context(), to); err != nil {
			t.Errorf("the plugin answers, but: %v", err)
		}
		if err := rt.Probe(t.Context(), nobody); err == nil {
			t.Error("nobody answers, and that is not said")
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://plugin/echo", nil)
		must(t, err)
		if answer, err := rt.Call(t.Context(), nobody, r); err == nil {
			answer.Body.Close()
			t.Error("nobody was called, and answered")
		}
	})
}

func call(t *testing.T, rt pluginmgr.Runtime, to pluginmgr.Target, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://plugin"+path, nil)
	must(t, err)
	answer, err := rt.Call(t.Context(), to, r)
	if err != nil {
		t.Fatalf("call %s: %v", path, err)
	}
	return answer
}

func decode(t *testing.T, rt pluginmgr.Runtime, to pluginmgr.Target, r *http.Request, into any) {
	t.Helper()
	answer, err := rt.Call(t.Context(), to, r)
	if err != nil {
		t.Fatalf("call %s: %v", r.URL.Path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s was answered with %d", r.URL.Path, answer.StatusCode)
	}
	must(t, json.NewDecoder(answer.Body).Decode(into))
}

func ask(t *testing.T, rt pluginmgr.Runtime, to pluginmgr.Target, path string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://plugin"+path, nil)
	must(t, err)
	decode(t, rt, to, r, into)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
