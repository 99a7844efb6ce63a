//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivified/vivified/pluginmgr/journal"
)

// streams are the pipes of an instance, by the names of their files.
var streams = [...]string{journal.Stdout, journal.Stderr}

// output reads what an instance writes.
type output struct {
	pipes   [len(streams)]*os.File
	reading chan struct{} // holds one value while somebody reads
}

// makePipes makes the pipes in a folder.
func makePipes(dir string) error {
	for _, name := range streams {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			return fmt.Errorf("make the plugin's output: %w", err)
		}
	}
	return nil
}

// open opens the reading ends. They see no end while the instance lives, because
// it holds them open as well.
func (o *output) open(dir string) error {
	o.reading = make(chan struct{}, 1)
	for i, name := range streams {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			o.close()
			return fmt.Errorf("read the plugin's output: %w", err)
		}
		o.pipes[i] = f
	}
	return nil
}

// drain waits until whoever reads has read the last of an instance that ended.
func (o *output) drain() {
	patience := time.NewTimer(drainPatience)
	defer patience.Stop()
	select {
	case o.reading <- struct{}{}:
		<-o.reading
	case <-patience.C:
	}
}

// drainPatience is how long the last lines of an instance are waited for.
const drainPatience = 2 * time.Second

func (o *output) close() {
	for _, f := range o.pipes {
		if f != nil {
			f.Close()
		}
	}
}

// stdio is runc's view of the pipes: open for both ways, so that an instance
// that writes while nobody reads waits instead of being ended.
type stdio struct{ files [len(streams)]*os.File }

func openStdio(dir string) (*stdio, error) {
	var s stdio
	for i, name := range streams {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("open the plugin's output: %w", err)
		}
		s.files[i] = f
	}
	return &s, nil
}

// Close implements runc.IO, as the following do.
func (s *stdio) Close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Stdin has nothing.
func (s *stdio) Stdin() io.WriteCloser { return nil }

// Stdout is read elsewhere.
func (s *stdio) Stdout() io.ReadCloser { return nil }

// Stderr is read elsewhere.
func (s *stdio) Stderr() io.ReadCloser { return nil }

// Set hands the pipes to runc, and by it to the instance.
func (s *stdio) Set(c *exec.Cmd) { c.Stdout, c.Stderr = s.files[0], s.files[1] }

// Logs implements pluginmgr.Starter. What nobody took so far is in the pipes, so
// that since says nothing here.
func (rt *Runtime) Logs(ctx context.Context, instance string, _ time.Time, take func(journal.Line)) error {
	b, err := rt.box(instance)
	if err != nil {
		return err
	}
	select {
	case b.output.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.output.reading }()
	// A reader that is told to stop is woken by its deadline, and the next one reads on.
	stop := context.AfterFunc(ctx, func() {
		for _, f := range b.output.pipes {
			_ = f.SetReadDeadline(time.Now())
		}
	})
	defer stop()
	var both sync.WaitGroup
	var one sync.Mutex
	for i, f := range b.output.pipes {
		_ = f.SetReadDeadline(time.Time{})
		both.Go(func() {
			journal.Scan(f, streams[i], func(l journal.Line) {
				one.Lock()
				defer one.Unlock()
				take(l)
			})
		})
	}
	both.Wait()
	return ctx.Err()
}
