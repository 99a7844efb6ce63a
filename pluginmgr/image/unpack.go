package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/vivified/vivified/core/fault"
)

// Places that every unpacked file system has, because something is mounted there.
const (
	DataDir   = "/data"                // the plugin's volume
	CoreDir   = "/run/vivified/core"   // the core's socket
	PluginDir = "/run/vivified/plugin" // the plugin's socket
)

// mountPoints are made where an image has them not.
var mountPoints = []string{"proc", "dev", "tmp", DataDir[1:], CoreDir[1:], PluginDir[1:]}

// Root is an unpacked image.
type Root struct {
	Path    string   // of its file system, which nobody may write
	Command []string // what the image runs; may be empty
	Env     []string // NAME=value
	Dir     string   // where it runs
}

// Root returns an image unpacked, which happens once. Errors are faults: NotFound,
// or Invalid for an image that breaks a rule.
func (s *Roots) Root(ctx context.Context, digest string) (Root, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash, err := v1.NewHash(digest)
	if err != nil {
		return Root{}, broken("%q is no digest", digest)
	}
	at := filepath.Join(s.dir, hash.Hex)
	if raw, err := os.ReadFile(filepath.Join(at, "config.json")); err == nil {
		return rootOf(at, raw)
	}
	img, err := open(ctx, s.blobs, hash)
	if err != nil {
		return Root{}, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return Root{}, broken("Its configuration cannot be read").Because(err)
	}
	tmp, err := os.MkdirTemp(s.dir, "new-*")
	if err != nil {
		return Root{}, fmt.Errorf("unpack an image: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := unpack(ctx, img, filepath.Join(tmp, rootfs)); err != nil {
		return Root{}, err
	}
	root, err := rootOf(at, config)
	if err != nil {
		return Root{}, err
	}
	// Written last: what has no configuration was not unpacked to its end.
	if err := os.WriteFile(filepath.Join(tmp, "config.json"), config, 0o600); err != nil {
		return Root{}, fmt.Errorf("unpack an image: %w", err)
	}
	_ = os.RemoveAll(at)
	if err := os.Rename(tmp, at); err != nil {
		return Root{}, fmt.Errorf("unpack an image: %w", err)
	}
	return root, nil
}

// rootOf reads what an image says of itself.
func rootOf(at string, raw []byte) (Root, error) {
	var c v1.ConfigFile
	if err := json.Unmarshal(raw, &c); err != nil {
		return Root{}, broken("Its configuration is not JSON").Because(err)
	}
	if c.OS != "" && c.OS != "linux" || c.Architecture != "" && c.Architecture != runtime.GOARCH {
		return Root{}, broken("It is for %s/%s, this machine is linux/%s", c.OS, c.Architecture, runtime.GOARCH)
	}
	dir := path.Clean("/" + c.Config.WorkingDir)
	return Root{Path: filepath.Join(at, rootfs), Command: append(append([]string{}, c.Config.Entrypoint...), c.Config.Cmd...), Env: c.Config.Env, Dir: dir}, nil
}

// Remove forgets an unpacked image that nothing runs any more.
func (s *Roots) Remove(digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash, err := v1.NewHash(digest)
	if err != nil {
		return broken("%q is no digest", digest)
	}
	return os.RemoveAll(filepath.Join(s.dir, hash.Hex))
}

// unpack writes the files of an image into a new folder.
func unpack(ctx context.Context, img v1.Image, into string) error {
	if err := os.Mkdir(into, 0o755); err != nil {
		return fmt.Errorf("unpack an image: %w", err)
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return fmt.Errorf("unpack an image: %w", err)
	}
	defer root.Close()
	flat := mutate.Extract(img)
	defer flat.Close()
	u := unpacking{root: root, owners: os.Geteuid() == 0, left: maxUnpacked}
	if err := u.all(ctx, tar.NewReader(untilDone{ctx, flat})); err != nil {
		return err
	}
	for _, dir := range mountPoints {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return broken("It has something else where /%s must be a directory", dir).Because(err)
		}
	}
	// What is mounted at a folder gets its permissions from there.
	if err := root.Chmod("tmp", fs.ModeSticky|0o777); err != nil {
		return fmt.Errorf("unpack an image: %w", err)
	}
	return nil
}

// unpacking is one image on its way to disk.
type unpacking struct {
	root   *os.Root
	owners bool  // files get the owners that the image says
	left   int64 // bytes it may still unfold to
	count  int
	links  []*tar.Header // made last: what they lead to may come later
}

func (u *unpacking) all(ctx context.Context, t *tar.Reader) error {
	for {
		h, err := t.Next()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			for _, h := range u.links {
				if err := u.root.Link(clean(h.Linkname), clean(h.Name)); err != nil {
					return broken("It has a link %s that leads nowhere in it", show(h.Name)).Because(err)
				}
			}
			return nil
		case err != nil:
			return broken("One of its layers cannot be read").Because(err)
		}
		if u.count++; u.count > maxEntries {
			return broken("It has more than %d files", maxEntries)
		}
		if len(h.Name) > maxName || len(h.Linkname) > maxName {
			return broken("It has a name longer than %d bytes", maxName)
		}
		if err := u.entry(h, t); err != nil {
			return err
		}
	}
}

// clean is a name within the root; os.Root holds it there whatever links say.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// entry writes one file. Bits that change who runs it are dropped.
func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	if path.IsAbs(h.Name) || !fs.ValidPath(path.Clean(h.Name)) {
		return broken("It has a file %s outside its root", show(h.Name))
	}
	name := clean(h.Name)
	if name == "" {
		return nil
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return broken("It has a file %s below something that is no directory", show(h.Name)).Because(err)
	}
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		if err = u.root.MkdirAll(name, 0o755); err == nil {
			err = u.own(name, h)
		}
	case tar.TypeReg:
		err = u.file(name, h, content)
	case tar.TypeSymlink:
		if err = u.root.Symlink(h.Linkname, name); err == nil && u.owners {
			err = u.root.Lchown(name, h.Uid, h.Gid)
		}
	case tar.TypeLink:
		u.links = append(u.links, h)
	default:
		return broken("It has %s, which is no file, directory or link", show(h.Name))
	}
	if _, said := errors.AsType[*fault.Fault](err); said || errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		return broken("Its file %s cannot be written", show(h.Name)).Because(err)
	}
	return nil
}

func (u *unpacking) file(name string, h *tar.Header, content io.Reader) error {
	if h.Size > u.left {
		return broken("It unfolds to more than %d bytes", int64(maxUnpacked))
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, u.left+1))
	u.left -= n
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if u.left < 0 {
		return broken("It unfolds to more than %d bytes", int64(maxUnpacked))
	}
	return u.own(name, h)
}

// own gives a file its owner and its permissions.
func (u *unpacking) own(name string, h *tar.Header) error {
	if u.owners {
		if err := u.root.Lchown(name, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	return u.root.Chmod(name, fs.FileMode(h.Mode)&fs.ModePerm)
}

// show is a name as a sentence may hold it.
func show(name string) string {
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	return fmt.Sprintf("%q", name)
}
