package gate

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vivified/vivified/core/policy"
)

// Hits is how often a rule had a say since the last time somebody asked.
type Hits struct {
	Version int64  `json:"version"` // of the admin rules; 0 for the built-in ones
	Rule    string `json:"rule"`
	Denied  uint64 `json:"denied"`  // it decided a denial
	Granted uint64 `json:"granted"` // it stood for the grant of a call
	Matched uint64 `json:"matched"` // an admin rule matched, whoever decided; a built-in one denied or redacted
}

// tally counts one rule's hits.
type tally struct{ denied, granted, matched atomic.Uint64 }

// take returns the counts and begins again at none.
func (t *tally) take(version int64, rule string) (Hits, bool) {
	h := Hits{version, rule, t.denied.Swap(0), t.granted.Swap(0), t.matched.Swap(0)}
	return h, h.Denied|h.Granted|h.Matched != 0
}

// edition counts the rules of one document, by their place.
type edition struct {
	document *policy.Document
	version  int64
	rules    []policy.AdminRule
	tallies  []tally
}

// coverage counts which rules had a say. Counting takes no lock but when the
// document in force changes.
type coverage struct {
	builtin map[string]*tally // fixed
	current atomic.Pointer[edition]
	mu      sync.Mutex
	past    []*edition // whose last decisions may still be counted
}

func newCoverage() *coverage {
	c := &coverage{builtin: map[string]*tally{"core.default": {}}}
	for _, r := range policy.Rules() {
		c.builtin[r.ID] = &tally{}
	}
	return c
}

// count adds one decision of p.
func (c *coverage) count(p *policy.Policy, d *policy.Decision) {
	if t := c.builtin[d.Rule]; t != nil && (!d.Allow || d.Redact != 0) {
		t.matched.Add(1)
		if !d.Allow {
			t.denied.Add(1)
		}
	}
	m := &d.Matched
	if p.Document() == nil || m.Len() == 0 && d.Reason.Rule == "" {
		return
	}
	e := c.of(p)
	for i := range m.Len() {
		e.tallies[m.At(i)].matched.Add(1)
	}
	if i, ok := m.Grant(); ok && d.Allow {
		e.tallies[i].granted.Add(1)
	}
	if i, ok := d.Denier(); ok {
		e.tallies[i].denied.Add(1)
	}
}

// of returns the counts of the document in force, new ones for a new one.
func (c *coverage) of(p *policy.Policy) *edition {
	if e := c.current.Load(); e != nil && e.document == p.Document() && e.version == p.Version() {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.past {
		if e.document == p.Document() && e.version == p.Version() {
			c.current.Store(e)
			return e
		}
	}
	rules := p.Document().Rules()
	e := &edition{document: p.Document(), version: p.Version(), rules: rules, tallies: make([]tally, len(rules))}
	c.past = append(c.past, e)
	c.current.Store(e)
	return e
}

// take returns what was counted since the last time, rules without hits left out.
func (c *coverage) take() []Hits {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Hits
	for id, t := range c.builtin {
		if h, ok := t.take(0, id); ok {
			all = append(all, h)
		}
	}
	for _, e := range c.past {
		for i := range e.tallies {
			if h, ok := e.tallies[i].take(e.version, e.rules[i].Name()); ok {
				all = append(all, h)
			}
		}
	}
	// Decisions under a document that went out of force end soon after it did: its
	// counts are forgotten with the second one after it.
	for len(c.past) > 2 && c.past[0] != c.current.Load() {
		c.past = slices.Delete(c.past, 0, 1)
	}
	slices.SortFunc(all, func(a, b Hits) int { return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Rule, b.Rule)) })
	return all
}

// Coverage returns how often each rule had a say since Coverage was last called,
// rules that had none left out. It is for one caller, who keeps the sums.
func (g *Gate) Coverage() []Hits { return g.coverage.take() }
