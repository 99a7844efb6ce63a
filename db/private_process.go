package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
	err  error         // how it ended; read after done
	log  *serverLog
}

// startProcess starts cmd so that it cannot outlive us: on Linux the kernel
// sends it SIGQUIT when we die, however we die. That signal follows the thread
// that forked, so one thread stays with the child for its whole life.
func startProcess(cmd *exec.Cmd, log *slog.Logger) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{}), log: &serverLog{log: log}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = time.Second // sessions of a killed server keep its stderr a little longer
	dieWithParent(cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop asks for a fast shutdown, then an immediate one, then kills. Only an
// unclean end is an error.
func (p *process) stop(ctx context.Context, patience time.Duration) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, patience}, {syscall.SIGQUIT, time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		_ = p.cmd.Process.Signal(step.signal) // fails only when it has ended
		if p.ended(ctx, step.wait) {
			break
		}
		ctx = context.Background() // ctx cuts the polite wait short, not the rest
	}
	select {
	case <-p.done:
	default:
		return errors.New("the server does not end")
	}
	if p.err != nil && !errors.Is(p.err, exec.ErrWaitDelay) {
		return p.failure()
	}
	return nil
}

// ended waits for the end of the process.
func (p *process) ended(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
	case <-t.C:
	}
	return false
}

// failure says how an ended process ended and what it said last.
func (p *process) failure() error {
	end := p.err
	if end == nil {
		end = errors.New("shut down by somebody else")
	}
	if said := p.log.tail(); said != "" {
		return fmt.Errorf("%w: %s", end, said)
	}
	return end
}

// serverLog passes the server's messages to a logger, line by line, and keeps
// the last few.
type serverLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	part []byte
	last []string
}

// levels ranks PostgreSQL's severities. An ERROR ends a statement and a FATAL
// a session; either is reported to the client, who knows better how bad it is.
var levels = map[string]slog.Level{"WARNING": slog.LevelWarn, "PANIC": slog.LevelError}

const (
	keptLines = 8
	maxLine   = 4096
)

// Write implements io.Writer.
func (l *serverLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		line, rest, found := bytes.Cut(l.part, []byte("\n"))
		if !found && len(l.part) <= maxLine {
			return len(b), nil
		}
		l.line(string(line[:min(len(line), maxLine)]))
		l.part = rest
	}
}

// line handles one message.
func (l *serverLog) line(text string) {
	severity, message, found := strings.Cut(text, ":  ")
	if !found {
		message = text
	}
	level, known := levels[severity]
	switch {
	case strings.Contains(message, "authentication failed"):
		level = slog.LevelWarn
	case !known:
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "postgres: "+message, "severity", severity)
	l.last = append(l.last, text)
	l.last = l.last[max(0, len(l.last)-keptLines):]
}

// tail returns the last messages.
func (l *serverLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, " | ")
}
