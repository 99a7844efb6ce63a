//go:build linux

package sandbox_test

import (
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/runtimetest"
	"github.com/vivified/vivified/pluginmgr/sandbox"
)

// maker makes runtimes over one folder, or skips the test where the machine
// cannot run sandboxes, and says why.
func maker(t *testing.T) runtimetest.Maker {
	t.Helper()
	blobs, digest := runtimetest.Packed(t)
	dir := t.TempDir()
	images, err := image.Open(filepath.Join(dir, "images"), blobs)
	must(t, err)
	return func(t *testing.T, serve func(net.Listener, string) error) runtimetest.Made {
		rt := sandbox.New(sandbox.Config{Dir: filepath.Join(dir, "sandbox"), Images: images, Serve: serve, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err := rt.Able(t.Context()); err != nil {
			t.Skip(err)
		}
		return runtimetest.Made{Starter: rt, Close: rt.Close, Image: digest}
	}
}

func TestConformance(t *testing.T) { runtimetest.Starters(t, maker(t)) }

func TestEscapes(t *testing.T) { runtimetest.Escapes(t, maker(t)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
