package canonical

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

const (
	// mostPending is how many events one consumer may have been sent without having
	// acknowledged them. A stream acknowledges seconds later: this bounds its speed
	// at some 5,000 events a second, for a few MB of the bus's memory.
	mostPending = 16_384
)

const (
	consumerPrefix = "sub-"
	nameMark       = "__" // between a plugin's id and the name of its consumer
)

var consumerSuffix = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// consumerName is the durable's name. A plugin id has no _ in it: its dots are
// written so, never two in a row, and a name of its own follows after __.
func consumerName(plugin, name string) string {
	base := consumerPrefix + strings.ReplaceAll(plugin, ".", "_")
	if name == "" {
		return base
	}
	return base + nameMark + name
}

// durable is consumerName for a name that somebody typed: one that a plugin may
// give, or the one that a stream of some types has.
func durable(plugin, name string) (string, error) {
	if name != "" && !consumerSuffix.MatchString(strings.TrimPrefix(name, typesMark)) {
		return "", fault.New(fault.Invalid, "event.consumer", "A consumer name is 1 to 32 lower-case letters and digits.")
	}
	return consumerName(plugin, name), nil
}

// typesMark begins the names of consumers that hear part of what their plugin subscribes to.
const typesMark = "types-"

// placed marks a consumer that stands where it is to begin.
const placed = "placed"

// consumer returns a plugin's durable consumer, made or changed as needed. A new
// one begins at the sequence that first returns.
//
// It is made asleep, put at its place, and then woken: no other replica can read
// from one that does not stand yet where it is to begin. One at a time: the loop of
// subscribers and a stream that opens at once want the same one, and to put it at
// its place twice would take it from under whoever reads already.
func (l *Lane) consumer(ctx context.Context, p *registry.Plugin, name string, patterns []string, first func(context.Context) (uint64, error)) (jetstream.Consumer, error) {
	want := jetstream.ConsumerConfig{
		Durable: name, Description: "Events for " + p.ID, FilterSubjects: append(filters(p.Tenant, patterns), againSubject(name)),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.Limits.AckWait, MaxDeliver: -1, MaxAckPending: mostPending,
	}
	l.placing.Lock()
	defer l.placing.Unlock()
	have, err := l.events.Consumer(ctx, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		asleep, until := want, time.Now().Add(time.Hour)
		asleep.PauseUntil = &until
		have = nil
		if _, err = l.events.CreateConsumer(ctx, asleep); errors.Is(err, jetstream.ErrConsumerExists) {
			have, err = l.events.Consumer(ctx, name) // another replica was quicker
		}
	}
	if err != nil {
		return nil, err
	}
	if have != nil {
		was := have.CachedInfo().Config
		if was.DeliverPolicy != jetstream.DeliverAllPolicy { // made by an earlier version: it stands where it stands
			want.DeliverPolicy = was.DeliverPolicy
			return l.events.CreateOrUpdateConsumer(ctx, want)
		}
		if was.Metadata[placed] != "" {
			if slices.Equal(was.FilterSubjects, want.FilterSubjects) && was.AckWait == want.AckWait && was.MaxAckPending == want.MaxAckPending {
				return have, nil
			}
			want.Metadata = map[string]string{placed: was.Metadata[placed]}
			return l.events.CreateOrUpdateConsumer(ctx, want)
		}
	}
	from, err := first(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := l.events.ResetConsumerToSequence(ctx, name, from); err != nil {
		return nil, err
	}
	want.Metadata = map[string]string{placed: time.Now().UTC().Format(time.RFC3339)}
	if _, err := l.events.CreateOrUpdateConsumer(ctx, want); err != nil {
		return nil, err
	}
	if _, err := l.events.ResumeConsumer(ctx, name); err != nil {
		return nil, err
	}
	return l.events.Consumer(ctx, name)
}

// since returns the sequence of the first event kept that came at or after a time.
func (l *Lane) since(ctx context.Context, at time.Time) (uint64, error) {
	c, err := l.events.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, InactiveThreshold: 5 * time.Second,
	})
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	_ = l.events.DeleteConsumer(ctx, info.Name)
	return info.Delivered.Stream + 1, nil
}

// fromNow returns the sequence of the next event.
func (l *Lane) fromNow(ctx context.Context) (uint64, error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq + 1, nil
}

// fromEnabled returns the first event after a plugin was enabled, so that it
// misses none between that moment and the one in which its consumer is made.
func (l *Lane) fromEnabled(p *registry.Plugin) func(context.Context) (uint64, error) {
	return func(ctx context.Context) (uint64, error) {
		if p.EnabledAt == nil {
			return l.fromNow(ctx)
		}
		return l.since(ctx, *p.EnabledAt)
	}
}

// filters are the subjects of some patterns, none of which covers another:
// JetStream refuses overlapping ones.
func filters(tenant string, patterns []string) []string {
	scope := strings.ReplaceAll(tenant, ".", "_")
	if tenant == policy.Everyone {
		scope = "*"
	}
	var subjects []string
	for _, p := range patterns {
		if slices.ContainsFunc(patterns, func(other string) bool { return other != p && covers(other, p) }) {
			continue
		}
		s := "ev." + scope + "." + p
		if p == "*" {
			s = "ev." + scope + ".>"
		} else if prefix, ok := strings.CutSuffix(p, ".*"); ok {
			s = "ev." + scope + "." + prefix + ".>"
		}
		if !slices.Contains(subjects, s) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

// covers reports whether every type that p matches, wide matches too.
func covers(wide, p string) bool {
	if wide == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(wide, "*")
	return ok && strings.HasPrefix(p, prefix)
}
