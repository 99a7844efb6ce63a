package audit

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
)

// HeadPlace is a place for signed heads that whoever holds the database and this machine
// does not hold too.
type HeadPlace interface {
	// Keep stores lines as the file of heads has them, signed at that time at the
	// latest. Once it returns nil they are there for good. Lines may come twice.
	Keep(ctx context.Context, at time.Time, lines []byte) error
}

// The most that waits for a place that does not answer, in bytes. Beyond it the oldest
// heads go: a later one covers all that an earlier one did.
const maxHeadsWaiting = 1 << 20

// The time that one attempt to keep heads may take, and the waits between two that fail.
const (
	keepTimeout   = 15 * time.Second
	firstKeepWait = time.Second
	lastKeepWait  = time.Minute
)

// HeadCopier keeps a copy of signed heads in another place. A place that stalls holds up
// nobody: what it lacks waits here, and after a restart it gets the heads of then.
type HeadCopier struct {
	name  string
	place HeadPlace
	log   *slog.Logger
	wake  chan struct{}
	mu    sync.Mutex
	lines []byte
	state HeadCopy
}

// HeadCopy is how far a place has come.
type HeadCopy struct {
	Name    string
	Kept    time.Time // when it last took something; zero: never
	Failing time.Time // since when it takes nothing; zero: it does
	Error   string    // the last one, while failing
	Waiting int       // heads it does not have yet
}

// NewHeadCopier returns a HeadCopier to place, which people know by name.
func NewHeadCopier(name string, place HeadPlace, log *slog.Logger) *HeadCopier {
	return &HeadCopier{name: name, place: place, log: log, wake: make(chan struct{}, 1), state: HeadCopy{Name: name}}
}

// State returns how far the place has come.
func (c *HeadCopier) State() HeadCopy {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.Waiting = bytes.Count(c.lines, []byte{'\n'})
	return s
}

// add lets lines wait for the place.
func (c *HeadCopier) add(lines []byte) {
	if len(lines) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, lines...)
	if over := len(c.lines) - maxHeadsWaiting; over > 0 {
		c.lines = bytes.Clone(c.lines[over+1+bytes.IndexByte(c.lines[over:], '\n'):])
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run copies until ctx ends, and then once more. End it after the HeadWriter.
func (c *HeadCopier) Run(ctx context.Context) error {
	wait := firstKeepWait
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			_ = c.keep(last)
			return nil
		case <-c.wake:
		}
		for c.keep(ctx) != nil {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			if ctx.Err() != nil {
				break
			}
			wait = min(2*wait, lastKeepWait)
		}
		wait = firstKeepWait
	}
}

// keep hands over what waits.
func (c *HeadCopier) keep(ctx context.Context) error {
	c.mu.Lock()
	lines := bytes.Clone(c.lines)
	c.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	err := c.place.Keep(ctx, time.Now().UTC(), lines)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.state.Failing.IsZero() {
			c.state.Failing = time.Now().UTC()
			c.log.Error("audit heads cannot be kept in a second place", "place", c.name, "error", err)
		}
		c.state.Error = err.Error()
		return err
	}
	if !c.state.Failing.IsZero() {
		c.log.Info("audit heads are kept in a second place again", "place", c.name)
	}
	c.state = HeadCopy{Name: c.name, Kept: time.Now().UTC()}
	// What was added meanwhile follows; what had to go meanwhile was the oldest.
	if rest, ok := bytes.CutPrefix(c.lines, lines); ok {
		c.lines = bytes.Clone(rest)
	}
	return nil
}
