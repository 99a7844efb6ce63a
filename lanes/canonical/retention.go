package canonical

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/manifest"
)

// keeps is how long events of a type are kept: as is said of the type itself,
// else of the longest pattern that covers it, else of all.
func (l Limits) keeps(typ string) time.Duration {
	if d, ok := l.KeepTypes[typ]; ok {
		return d
	}
	for at := strings.LastIndexByte(typ, '.'); at > 0; at = strings.LastIndexByte(typ[:at], '.') {
		if d, ok := l.KeepTypes[typ[:at]+".*"]; ok {
			return d
		}
	}
	return l.Keep
}

// longest is how long any event is kept.
func (l Limits) longest() time.Duration {
	most := l.Keep
	for _, d := range l.KeepTypes {
		most = max(most, d)
	}
	return most
}

// normalKeeps returns retentions by normalised type or pattern. What is no type
// stands for none.
func normalKeeps(by map[string]time.Duration) map[string]time.Duration {
	out := make(map[string]time.Duration, len(by))
	for pattern, d := range by {
		if p, ok := manifest.NormalizeEventPattern(pattern); ok && d > 0 {
			out[p] = d
		}
	}
	return out
}

// trim removes events whose type is kept for less time than the stream keeps any.
// Several replicas may do so at a time.
func (l *Lane) trim(ctx context.Context) error {
	longest := l.Limits.longest()
	if len(l.Limits.KeepTypes) == 0 {
		return nil // the stream's own limit does it
	}
	info, err := l.events.Info(ctx, jetstream.WithSubjectFilter("ev.>"))
	if err != nil {
		return err
	}
	before := map[time.Duration]uint64{} // retention → the first sequence that stays
	for subject := range info.State.Subjects {
		_, typ, ok := strings.Cut(strings.TrimPrefix(subject, "ev."), ".")
		keep := l.Limits.keeps(typ)
		if !ok || keep >= longest {
			continue
		}
		first, known := before[keep]
		if !known {
			if first, err = l.since(ctx, l.Now().Add(-keep)); err != nil {
				return err
			}
			before[keep] = first
		}
		if first <= info.State.FirstSeq {
			continue // nothing is as old
		}
		if err := l.events.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(first)); err != nil {
			return err
		}
	}
	return nil
}

// leavesWith lets a copy of an event leave the stream when the event itself does.
func (l *Lane) leavesWith(m meta, h nats.Header) {
	left := l.Limits.keeps(m.Type) - l.Now().Sub(m.Time)
	h.Set(jetstream.MsgTTLHeader, strconv.Itoa(max(1, int(left.Seconds())))+"s")
}
