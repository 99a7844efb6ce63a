// Package journal keeps the last of what each plugin wrote to its output, on this
// machine: it adds, searches and follows lines.
//
// It refuses to keep more than its cap of any plugin: the oldest lines go. What
// looks like a token or a key is taken out before a line is kept, and files are
// readable to the core alone. Whether a reader may see a plugin's lines, which can
// hold anything that the plugin handles, is decided before it is asked.
package journal

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// segments is how many files the lines of a plugin are spread over. The oldest
// goes as a whole, so that a quarter of the cap is what a plugin may miss.
const segments = 4

// Store keeps lines below a folder. Safe for concurrent use by one process.
type Store struct {
	dir string
	cap int64 // bytes for each plugin
	mu  sync.Mutex
	of  map[string]*book
}

// Open returns the store in dir that keeps up to bytes of each plugin.
func Open(dir string, bytes int64) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the plugins' logs: %w", err)
	}
	return &Store{dir: dir, cap: max(bytes, segments*2*MaxLine), of: map[string]*book{}}, nil
}

// book is the lines of one plugin.
type book struct {
	dir     string
	mu      sync.Mutex
	next    uint64
	file    *os.File // the newest segment, or nil
	written int64    // bytes of it
	more    chan struct{}
}

// book returns the lines of a plugin, which may be none.
func (s *Store) book(plugin string) (*book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.of[plugin]; ok {
		return b, nil
	}
	if plugin == "" || plugin != filepath.Base(plugin) || strings.HasPrefix(plugin, ".") {
		return nil, fmt.Errorf("%q is no plugin id", plugin)
	}
	b := &book{dir: filepath.Join(s.dir, plugin), next: 1, more: make(chan struct{})}
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		newest := files[len(files)-1]
		b.next = newest
		if err := b.scan(newest, func(l Line) bool { b.next = l.Seq + 1; return true }); err != nil {
			return nil, err
		}
	}
	s.of[plugin] = b
	return b, nil
}

// files returns the segments by the number of their first line, oldest first.
func (b *book) files() ([]uint64, error) {
	there, err := os.ReadDir(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a plugin's log: %w", err)
	}
	var first []uint64
	for _, e := range there {
		name, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if n, err := strconv.ParseUint(name, 10, 64); ok && err == nil {
			first = append(first, n)
		}
	}
	slices.SortFunc(first, cmp.Compare[uint64])
	return first, nil
}

func (b *book) path(first uint64) string {
	return filepath.Join(b.dir, strconv.FormatUint(first, 10)+".jsonl")
}

// scan calls visit with the lines of a segment until it says no. A last line that
// was not written whole, as by a core that crashed, is passed over.
func (b *book) scan(first uint64, visit func(Line) bool) error {
	f, err := os.Open(b.path(first))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("read a plugin's log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 64<<10), 8*MaxLine)
	for lines.Scan() {
		var l Line
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Seq > 0 && !visit(l) {
			break
		}
	}
	return lines.Err()
}

// Add keeps a line of a plugin.
func (s *Store) Add(plugin string, l Line) error {
	b, err := s.book(plugin)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Seq, l.Text = b.next, scrub(l.Text)
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := b.turn(s.cap/segments, int64(len(raw))+1); err != nil {
		return err
	}
	n, err := b.file.Write(append(raw, '\n'))
	b.written += int64(n)
	if err != nil {
		return fmt.Errorf("keep a plugin's line: %w", err)
	}
	b.next++
	close(b.more)
	b.more = make(chan struct{})
	return nil
}

// turn opens the next segment when the newest would grow beyond most, and drops
// the oldest.
func (b *book) turn(most, n int64) error {
	if b.file != nil && b.written+n <= most {
		return nil
	}
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("keep a plugin's line: %w", err)
	}
	f, err := os.OpenFile(b.path(b.next), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a plugin's line: %w", err)
	}
	b.file, b.written = f, 0
	files, err := b.files()
	if err != nil {
		return err
	}
	for len(files) > segments {
		if err := os.Remove(b.path(files[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop a plugin's oldest lines: %w", err)
		}
		files = files[1:]
	}
	return nil
}

// Forget drops all lines of a plugin.
func (s *Store) Forget(plugin string) error {
	b, err := s.book(plugin)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	return os.RemoveAll(b.dir)
}

// Close closes the files.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.of {
		b.mu.Lock()
		if b.file != nil {
			b.file.Close()
			b.file = nil
		}
		b.mu.Unlock()
	}
}
