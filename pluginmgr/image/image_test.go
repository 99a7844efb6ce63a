package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr/image"
)

// blobs are packed images in memory.
type blobs map[string][]byte

// Manifest implements image.Blobs.
func (b blobs) Manifest(_ context.Context, digest string) ([]byte, error) {
	if raw, ok := b[digest]; ok {
		return raw, nil
	}
	return nil, errors.New("not there")
}

// Blob implements image.Blobs.
func (b blobs) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	raw, err := b.Manifest(ctx, digest)
	return io.NopCloser(bytes.NewReader(raw)), err
}

// entry is one entry of an archive.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content))}, content}
}

func link(kind byte, name, to string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: to}, ""}
}

// pack makes an image of layers and returns its digest.
func (b blobs) pack(t *testing.T, platform string, layers ...[]entry) string {
	t.Helper()
	img := empty.Image
	for _, entries := range layers {
		var raw bytes.Buffer
		w := tar.NewWriter(&raw)
		for _, e := range entries {
			must(t, w.WriteHeader(&e.Header))
			_, err := io.WriteString(w, e.content)
			must(t, err)
		}
		must(t, w.Close())
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw.Bytes())), nil })
		must(t, err)
		img, err = mutate.AppendLayers(img, layer)
		must(t, err)
		packed, err := layer.Compressed()
		must(t, err)
		digest, err := layer.Digest()
		must(t, err)
		b[digest.String()], err = io.ReadAll(packed)
		must(t, err)
	}
	c, err := img.ConfigFile()
	must(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Config = "linux", platform, v1.Config{Entrypoint: []string{"/start"}, Cmd: []string{"fast"}, Env: []string{"A=b"}, WorkingDir: "/work"}
	img, err = mutate.ConfigFile(img, c)
	must(t, err)
	config, err := img.RawConfigFile()
	must(t, err)
	name, err := img.ConfigName()
	must(t, err)
	b[name.String()] = config
	raw, err := img.RawManifest()
	must(t, err)
	digest, err := img.Digest()
	must(t, err)
	b[digest.String()] = raw
	return digest.String()
}

func TestUnpacking(t *testing.T) {
	b := blobs{}
	setuid := file("bin/tool", "tool")
	setuid.Mode = 0o6755
	digest := b.pack(t, runtime.GOARCH,
		[]entry{file("start", "old"), file("gone", "x"), setuid, file("etc/passwd", "root")},
		[]entry{file("start", "new"), file(".wh.gone", ""), link(tar.TypeSymlink, "usr-bin", "/bin"), link(tar.TypeLink, "bin/same", "bin/tool")})
	dir := t.TempDir()
	roots, err := image.Open(dir, b)
	must(t, err)
	for range 2 { // the second time it is there
		root, err := roots.Root(t.Context(), digest)
		must(t, err)
		if len(root.Command) != 2 || root.Command[0] != "/start" || root.Dir != "/work" || root.Env[0] != "A=b" {
			t.Errorf("it runs %q in %s with %q", root.Command, root.Dir, root.Env)
		}
		for name, want := range map[string]string{"start": "new", "bin/tool": "tool", "bin/same": "tool"} {
			if got, err := os.ReadFile(filepath.Join(root.Path, name)); err != nil || string(got) != want {
				t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
			}
		}
		if _, err := os.Lstat(filepath.Join(root.Path, "gone")); !errors.Is(err, fs.ErrNotExist) {
			t.Error("what an upper layer took away is there")
		}
		if info, err := os.Stat(filepath.Join(root.Path, "bin/tool")); err != nil || info.Mode() != 0o755 {
			t.Errorf("the bits that change who runs it stay: %v", info.Mode())
		}
		for _, point := range []string{"proc", "tmp", image.DataDir, image.CoreDir, image.PluginDir} {
			if info, err := os.Stat(filepath.Join(root.Path, point)); err != nil || !info.IsDir() {
				t.Errorf("nothing can be mounted at %s", point)
			}
		}
	}
	if _, err := roots.Root(t.Context(), "sha256:"+strings.Repeat("0", 64)); !fault.Is(err, fault.NotFound) {
		t.Errorf("an image that is not there: %v", err)
	}
}

// Whatever an archive says, nothing is written outside its root; and what no
// plugin needs is refused, and leaves nothing.
func TestHostileImages(t *testing.T) {
	outside := t.TempDir()
	for _, tc := range []struct {
		name    string
		refused bool // else what cannot be is left out
		entries []entry
	}{
		{"a name above the root", false, []entry{file("../escaped", "x")}},
		{"an absolute name", true, []entry{file(filepath.Join(outside, "escaped"), "x")}},
		{"through a link", false, []entry{link(tar.TypeSymlink, "door", outside), file("door/escaped", "x")}},
		{"through a link of another layer", false, []entry{file("door/escaped", "x"), link(tar.TypeSymlink, "door", outside)}},
		{"a link above the root", false, []entry{link(tar.TypeLink, "passwd", "../../etc/passwd")}},
		{"a link to the machine", true, []entry{link(tar.TypeLink, "shadow", "/etc/shadow")}},
		{"a device", true, []entry{{tar.Header{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 7}, ""}}},
		{"a pipe", true, []entry{{tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"}, ""}}},
		{"a file where a folder must be", true, []entry{file("data", "x")}},
	} {
		b, dir := blobs{}, t.TempDir()
		roots, err := image.Open(dir, b)
		must(t, err)
		root, err := roots.Root(t.Context(), b.pack(t, runtime.GOARCH, tc.entries))
		switch {
		case tc.refused && !fault.Is(err, fault.Invalid):
			t.Errorf("%s: %v, want it refused", tc.name, err)
		case err == nil:
			if _, there := os.Lstat(filepath.Join(root.Path, "passwd")); there == nil {
				t.Errorf("%s: it was followed", tc.name)
			}
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Fatalf("%s: it wrote outside its root", tc.name)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(left) > 0 {
			t.Errorf("%s: it left %q", tc.name, left)
		}
	}
}

func TestImagesThatLie(t *testing.T) {
	for name, lie := range map[string]func(b blobs, digest string){
		"another manifest": func(b blobs, digest string) { b[digest] = append(b[digest], ' ') },
		"another part": func(b blobs, digest string) {
			for other, raw := range b {
				if other != digest {
					b[other] = append(raw, 0)
				}
			}
		},
		"a part that is missing": func(b blobs, digest string) {
			for other := range b {
				if other != digest {
					delete(b, other)
				}
			}
		},
	} {
		b := blobs{}
		digest := b.pack(t, runtime.GOARCH, []entry{file("run", "x")})
		lie(b, digest)
		roots, err := image.Open(t.TempDir(), b)
		must(t, err)
		if _, err := roots.Root(t.Context(), digest); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := blobs{}
	digest := b.pack(t, "s390", []entry{file("run", "x")})
	roots, err := image.Open(t.TempDir(), b)
	must(t, err)
	if _, err := roots.Root(t.Context(), digest); !fault.Is(err, fault.Invalid) {
		t.Errorf("an image of another platform: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
