package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
)

// verifyDatabase recomputes every chain and holds it against the signed heads,
// where the file with them is there.
func verifyDatabase(ctx context.Context, pool *pgxpool.Pool, heads string) (audit.Report, error) {
	keys, err := identity.PublicKeys(ctx, pool)
	if err != nil {
		return audit.Report{}, err
	}
	c := audit.VerifyConfig{Keys: func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }}
	f, err := openHeads(heads)
	switch {
	case err == nil:
		defer f.Close()
		c.Heads = f
	case !errors.Is(err, os.ErrNotExist):
		return audit.Report{}, err
	}
	return audit.Verify(ctx, pool, c)
}

// openHeads opens signed heads: a file, or every .jsonl file in a folder and below, as a
// bucket that was copied has them, one after the other.
func openHeads(name string) (io.ReadCloser, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return os.Open(name)
	}
	all := &headFiles{}
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) == ".jsonl" {
			all.names = append(all.names, path)
		}
		return err
	})
	return all, err
}

// headFiles reads files one after the other, each of which ends a line.
type headFiles struct {
	names []string
	now   *os.File
}

// Read implements io.Reader.
func (h *headFiles) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if h.now == nil {
		if len(h.names) == 0 {
			return 0, io.EOF
		}
		f, err := os.Open(h.names[0])
		if err != nil {
			return 0, err
		}
		h.now, h.names = f, h.names[1:]
	}
	n, err := h.now.Read(p)
	if n > 0 || err != io.EOF {
		return n, err
	}
	p[0] = '\n'
	return 1, h.Close()
}

// Close implements io.Closer.
func (h *headFiles) Close() error {
	if h.now == nil {
		return nil
	}
	f := h.now
	h.now = nil
	return f.Close()
}
