package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// How long each part of stopping may take; together less than 5 s.
const (
	coreDrains  = 2500 * time.Millisecond // after SIGTERM, with the plugins still there
	pluginsStop = time.Second             // after SIGTERM
	coreStops   = 4500 * time.Millisecond // after its SIGTERM, in all
)

// runner runs the processes of a Procfile.
type runner struct {
	dir     string
	console *console
	env     func(entry) []string        // of each process
	port    func(entry) int             // that a process above core opens when it is there; 0: none
	ready   func(context.Context) error // returns once the core is
	ran     func()                      // called once everything was started

	core    *process
	samples []*process // all others
}

// run starts what stands above core, the core, and when it is ready the rest.
// It ends when ctx does, or when the core does, which is an error; by then
// everything has ended. Closing kill has everything killed at once.
func (r *runner) run(ctx context.Context, entries []entry, kill <-chan struct{}) error {
	at := slices.IndexFunc(entries, func(e entry) bool { return e.name == coreEntry })
	ctx, cancel := context.WithCancel(ctx)
	defer r.stop(kill)
	defer cancel() // first: nothing is started again
	for _, e := range entries[:at] {
		p := r.keep(ctx, e)
		if err := awaitPort(ctx, r.port(e), p.done); err != nil {
			return orStopped(ctx, fmt.Errorf("%s: %w", e.name, err))
		}
	}
	ended := make(chan error, 1)
	core := newProcess(entries[at], r.dir, r.env(entries[at]), r.console)
	r.core = core
	go func() {
		err := core.run()
		close(core.done)
		ended <- err
	}()
	if err := r.await(ctx, core); err != nil {
		return orStopped(ctx, err)
	}
	for _, e := range entries[at+1:] {
		r.keep(ctx, e)
	}
	r.ran()
	select {
	case <-ctx.Done():
		r.console.say("stopping; once more for at once")
		return nil
	case err := <-ended:
		return coreEnded(err)
	}
}

// orStopped is err, or nil when it came of being stopped.
func orStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func coreEnded(err error) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("the core ended by itself: %w", err)
}

// await returns when the core is ready, or has ended.
func (r *runner) await(ctx context.Context, core *process) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- r.ready(ctx) }()
	select {
	case err := <-ready:
		return err
	case <-core.done:
		return errors.New("the core ended before it was ready; its last lines say why")
	}
}

// keep runs a process, again whenever it ends and with growing pauses, until it
// is told to end.
func (r *runner) keep(ctx context.Context, e entry) *process {
	p := newProcess(e, r.dir, r.env(e), r.console)
	r.samples = append(r.samples, p)
	go func() {
		defer close(p.done)
		const least, most = 500 * time.Millisecond, 30 * time.Second
		pause := least
		for {
			began := time.Now()
			err := p.run()
			if p.ending() || ctx.Err() != nil {
				return
			}
			if time.Since(began) > most {
				pause = least
			}
			r.console.say(fmt.Sprintf("%s ended (%s); starting it again in %s", p.name, howEnded(err), pause))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, most)
		}
	}()
	return p
}

func howEnded(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// stop ends everything: the core first, which lets calls under way finish while
// the plugins are still there, then the plugins; what does not heed is killed.
func (r *runner) stop(kill <-chan struct{}) {
	began := time.Now()
	all := r.samples
	if r.core != nil {
		all = append(slices.Clone(all), r.core)
		r.core.signal(syscall.SIGTERM)
		settled([]*process{r.core}, coreDrains, kill)
	}
	tell(r.samples, syscall.SIGTERM)
	settled(r.samples, pluginsStop, kill)
	tell(r.samples, syscall.SIGKILL)
	settled(all, coreStops-time.Since(began), kill)
	tell(all, syscall.SIGKILL)
	for _, p := range all {
		<-p.done
	}
}

func tell(all []*process, s syscall.Signal) {
	for _, p := range all {
		select {
		case <-p.done:
		default:
			p.signal(s)
		}
	}
}

// settled waits until all have ended, the time is over, or kill is closed.
func settled(all []*process, patience time.Duration, kill <-chan struct{}) {
	over := time.NewTimer(patience)
	defer over.Stop()
	for _, p := range all {
		select {
		case <-p.done:
		case <-over.C:
			return
		case <-kill:
			return
		}
	}
}

// awaitPort waits until something on this machine accepts connections at a port,
// at most 10 s, or until done is closed. Port 0 is not waited for.
func awaitPort(ctx context.Context, port int, done <-chan struct{}) error {
	if port == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-done:
			return errors.New("it ended before it was there")
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on its port %d", port)
		}
	}
}
