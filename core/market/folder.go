package market

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/bundle"
)

// glance is how often the folder is looked at.
const glance = 5 * time.Second

// seen is what a file looked like when it was taken, or refused.
type seen struct {
	size     int64
	modified time.Time
}

// Run puts the .vvplugin files of the folder on the shelf, those there are and
// those that come, until ctx ends. A file that is refused is refused once: again
// when it has changed.
func (s *Service) Run(ctx context.Context) error {
	if s.Folder == "" {
		<-ctx.Done()
		return nil
	}
	ctx = actor.With(ctx, actor.Core("marketplace"))
	tick := time.NewTicker(glance)
	defer tick.Stop()
	known := map[string]seen{}
	for {
		s.sweep(ctx, known)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep takes what is new in the folder. A file that still grows is left until it
// has been the same at two looks.
func (s *Service) sweep(ctx context.Context, known map[string]seen) {
	files, err := filepath.Glob(filepath.Join(s.Folder, "*"+bundle.Extension))
	if err != nil {
		s.Log.WarnContext(ctx, "plugins folder not read", "error", err)
		return
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		now := seen{info.Size(), info.ModTime()}
		if was, ok := known[file]; ok && was == now {
			continue
		}
		known[file] = now
		if s.Now().Sub(now.modified) < glance {
			delete(known, file) // it may still be written
			continue
		}
		if err := s.take(ctx, file); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "file of the plugins folder refused", "file", filepath.Base(file), "error", err)
		}
	}
}

func (s *Service) take(ctx context.Context, file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := s.Import(ctx, f, "folder")
	if err == nil {
		s.Log.InfoContext(ctx, "plugin put on the shelf", "plugin", v.Manifest.ID, "version", v.Version, "digest", v.Digest)
	}
	return err
}
