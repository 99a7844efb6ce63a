package alert

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

const (
	mostDays     = 90
	mostReplayed = 50_000 // records looked at in a replay: the newest
	mostShown    = 100    // alerts that a replay tells of
)

// Would is an alert that a rule would have opened.
type Would struct {
	Key, Title string
	First      time.Time
	Last       time.Time
	Count      int64
	Chain      string // of the last record
	Seq        int64
}

// Replay is what a rule would have found.
type Replay struct {
	Since    time.Time // how far back it looked
	Records  int64     // looked at
	Matching int64
	Partly   bool // there were more records than are looked at
	Alerts   []Would
	Total    int // also those beyond Alerts
}

// Replay holds a rule against the records of the last days and says which alerts it
// would have opened, oldest first. It changes nothing and tells nobody. It returns
// an Unprocessable fault for a rule that cannot be, and a Conflict fault for one on
// health, of which no past is kept here.
func (s *Service) Replay(ctx context.Context, name string, in Spec, days int) (Replay, error) {
	if err := in.check(strings.TrimSpace(name)); err != nil {
		return Replay{}, err
	}
	if in.OnHealth() {
		return Replay{}, fault.New(fault.Conflict, "alert.no_past", "A rule on health is about the present; only rules on records can be tried on the past.")
	}
	if days < 1 || days > mostDays {
		return Replay{}, refused("alert.days", []fault.Violation{{Path: "/days", Message: "It looks back from one to 90 days."}})
	}
	w, err := s.watch(ctx, Rule{Name: name, Spec: in})
	if err != nil {
		return Replay{}, err
	}
	now := s.now()
	out := Replay{Since: now.AddDate(0, 0, -days)}
	sightings, err := s.matching(ctx, &w, &out, now)
	if err != nil {
		return Replay{}, err
	}
	p := past{rule: &w, going: map[string]*Would{}, times: map[string][]time.Time{}}
	for _, one := range slices.Backward(sightings) {
		p.take(one)
	}
	out.Matching, out.Total = p.matching, len(p.alerts)
	slices.SortStableFunc(p.alerts, func(a, b *Would) int { return a.First.Compare(b.First) })
	for _, a := range p.alerts[:min(len(p.alerts), mostShown)] {
		out.Alerts = append(out.Alerts, *a)
	}
	return out, nil
}

// sighting is a record that meets a rule, or ends what met it.
type sighting struct {
	at         time.Time
	met        bool
	key, label string
	chain      string
	seq        int64
}

// matching returns the sightings until a time, newest first, and notes in out how
// much was looked at.
func (s *Service) matching(ctx context.Context, w *watched, out *Replay, until time.Time) ([]sighting, error) {
	f := w.Match.filter()
	if w.Clear != nil { // what ends it must be seen too
		f = audit.Filter{}
		if w.Clear.Action == w.Match.Action {
			f.Action = w.Match.Action
		}
	}
	f.Since, f.Until, f.Limit = out.Since, until, 500
	var all []sighting
	for {
		page, err := s.Store.Search(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page.Records {
			r := &page.Records[i]
			met := w.Match.fits(r, w.actors)
			if met || w.Clear != nil && w.Clear.fits(r, w.clearing) {
				key, label := w.Spec.By.of(r)
				all = append(all, sighting{r.At, met, key, label, r.Chain, r.Seq})
			}
		}
		out.Records += int64(len(page.Records))
		if f.Cursor = page.Next; f.Cursor == "" || out.Records >= mostReplayed {
			out.Partly = f.Cursor != ""
			return all, nil
		}
	}
}

// past is a rule held against records one after the other.
type past struct {
	rule     *watched
	matching int64
	going    map[string]*Would
	times    map[string][]time.Time // of the records within the window, by key
	alerts   []*Would
}

func (p *past) take(one sighting) {
	if !one.met {
		delete(p.going, one.key)
		return
	}
	p.matching++
	window := time.Duration(p.rule.Window)
	recent := append(p.times[one.key], one.at)
	for !recent[0].After(one.at.Add(-window)) {
		recent = recent[1:]
	}
	p.times[one.key] = recent
	a := p.going[one.key]
	if a != nil && p.rule.Clear == nil && one.at.Sub(a.Last) > window {
		a = nil // all was quiet since
	}
	if a == nil {
		if len(recent) < p.rule.Count {
			delete(p.going, one.key)
			return
		}
		a = &Would{Key: one.key, Title: titled(p.rule.Name, one.label), First: recent[0], Count: int64(len(recent)) - 1}
		p.going[one.key], p.alerts = a, append(p.alerts, a)
	}
	a.Last, a.Chain, a.Seq = one.at, one.chain, one.seq
	a.Count++
}
