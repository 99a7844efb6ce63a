package vivified

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// state keeps the refresh token over restarts, in a file that only the
// plugin's own user can read. Without a directory it keeps nothing.
type state struct {
	dir string
	id  string
}

func (s state) file() string { return filepath.Join(s.dir, s.id+".refresh") }

// load returns the kept refresh token, or "" when there is none.
func (s state) load() (string, error) {
	if s.dir == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read refresh token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// save replaces the kept refresh token in one step, so that a crash leaves the
// old one or the new one and never half of either.
func (s state) save(token string) error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("keep refresh token: %w", err)
	}
	// CreateTemp makes the file with mode 0600.
	temp, err := os.CreateTemp(s.dir, s.id+".*")
	if err != nil {
		return fmt.Errorf("keep refresh token: %w", err)
	}
	_, err = temp.WriteString(token + "\n")
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), s.file())
	}
	if err != nil {
		return fmt.Errorf("keep refresh token: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}
