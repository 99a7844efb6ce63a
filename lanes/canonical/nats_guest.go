package canonical

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// A plugin may connect to the bus itself, with its token. What it says there goes
// to the core, and what it hears the core sends it: it publishes below in.<id>
// and subscribes below out.<id>, an id's dots written as _, and nothing else. So
// policy, redaction and records are those of every other way to listen.

// Guests proves the plugins that connect to the bus.
type Guests interface {
	// PluginByToken returns the plugin that a token proves, and when the token ends.
	PluginByToken(ctx context.Context, token string) (actor.Actor, time.Time, error)
	// Recheck returns an Unauthenticated fault once the credential of who is not good any more.
	Recheck(ctx context.Context, who actor.Actor) (actor.Actor, error)
}

const (
	// mostGuests is how many connections one plugin may have.
	mostGuests = 8
	// proving is how long the proof of a token may take; a server waits 2 s for it.
	proving = 1500 * time.Millisecond
	// lookAgain is how often connections are looked at whose credential may have ended
	// without the plugin's standing changing.
	lookAgain = 3 * time.Second
)

// guest is one connection of a plugin.
type guest struct {
	who  actor.Actor
	ends time.Time // of its token
}

// admit proves the plugin that connects with a token from an address.
func (l *Lane) admit(token, address string) (guest, error) {
	ctx, cancel := context.WithTimeout(context.Background(), proving)
	defer cancel()
	ctx = actor.WithAddress(actor.WithTrace(ctx, actor.TraceOf(nil)), address)
	who, ends, err := l.Guests.PluginByToken(ctx, token)
	if err != nil {
		return guest{}, err
	}
	if _, err := l.listener(who.ID); err != nil {
		return guest{}, l.Gate.Refuse(actor.With(ctx, who), "event.listen", who.ID, fault.Of(err))
	}
	return guest{who, ends}, nil
}

// welcome reports whether a guest may stay.
func (l *Lane) welcome(ctx context.Context, g guest) bool {
	if _, err := l.listener(g.who.ID); err != nil || time.Now().After(g.ends) {
		return false
	}
	_, err := l.Guests.Recheck(ctx, g.who)
	return !fault.Is(err, fault.Unauthenticated)
}

// doorkeeper shows guests out that may not stay. What a bus calls a connection is
// its own affair.
type doorkeeper[K comparable] struct {
	mu     sync.Mutex
	guests map[K]guest
	out    func(K) // closes a connection
}

func (d *doorkeeper[K]) enter(k K, g guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guests == nil {
		d.guests = map[K]guest{}
	}
	d.guests[k] = g
}

// oldest returns the connection of a plugin whose token ends first.
func (d *doorkeeper[K]) oldest(plugin string) (first K) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ends time.Time
	for k, g := range d.guests {
		if g.who.ID == plugin && (ends.IsZero() || g.ends.Before(ends)) {
			first, ends = k, g.ends
		}
	}
	return first
}

// forget drops a connection that is gone.
func (d *doorkeeper[K]) forget(k K) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.guests, k)
}

// here counts the connections of a plugin.
func (d *doorkeeper[K]) here(plugin string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, g := range d.guests {
		if g.who.ID == plugin {
			n++
		}
	}
	return n
}

// sweep closes the connections of those that stay does not let stay.
func (d *doorkeeper[K]) sweep(stay func(K, guest) bool) {
	d.mu.Lock()
	all := make(map[K]guest, len(d.guests))
	for k, g := range d.guests {
		all[k] = g
	}
	d.mu.Unlock()
	for k, g := range all {
		if stay(k, g) {
			continue
		}
		d.out(k)
		d.forget(k)
	}
}

// openDoors lets plugins onto the bus, and hears what they say there, until ctx ends.
func (l *Lane) openDoors(ctx context.Context) error {
	if l.Guests == nil {
		return nil
	}
	stay := func(g guest) bool {
		ctx, cancel := context.WithTimeout(ctx, sweepTime)
		defer cancel()
		return l.welcome(ctx, g)
	}
	switch {
	case l.Bus.Address().IsValid():
		admit := l.admit
		l.Bus.gate.admit.Store(&admit)
		context.AfterFunc(ctx, func() { l.Bus.gate.admit.Store(nil) })
		go l.watchGuests(ctx, func() { l.Bus.gate.sweep(func(_ uint64, g guest) bool { return stay(g) }) })
	case l.Callout != nil:
		asked, err := l.openCallout(ctx, *l.Callout)
		if err != nil {
			return err
		}
		go l.watchGuests(ctx, func() { asked.sweep(func(_ connection, g guest) bool { return stay(g) }) })
	default:
		return nil
	}
	_, err := l.openInlet(ctx)
	return err
}

// watchGuests shows guests out as soon as their plugin leaves the lanes, and soon
// after their credential ended, until ctx ends.
func (l *Lane) watchGuests(ctx context.Context, sweep func()) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		changed := l.Plugins.Changed()
		sweep()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// inward and outward are the subjects below which a plugin publishes and subscribes.
func inward(plugin string) string  { return "in." + strings.ReplaceAll(plugin, ".", "_") }
func outward(plugin string) string { return "out." + strings.ReplaceAll(plugin, ".", "_") }

// insider returns the active plugin whose subjects hold that token.
func insider(snap *registry.Snapshot, token string) (*registry.Plugin, bool) {
	if p, ok := snap.Plugin(token); ok {
		return p, p.State == policy.Active
	}
	p, ok := snap.Plugin(strings.ReplaceAll(token, "_", "."))
	return p, ok && p.State == policy.Active
}

// replicaToken stands for one replica in subjects: what is settled goes to the one
// that holds it.
func replicaToken() string { return strings.ToLower(rand.Text()[:10]) }

// sweepTime bounds how long the look at one guest may take.
const sweepTime = time.Second
