package views

import (
	"cmp"
	"slices"
	"time"
)

// Overview is the first page: the worst thing first. A list that is nil is not for
// the reader to see; one that is empty has nothing in it yet.
type Overview struct {
	Plugins, Healthy int
	Attention        []Attention
	Lanes            []LaneTile
	Table            []PluginLine // the few worst; the rest is one link away
	Events           []Traffic    // the last few of each lane, newest first
	Calls            []Traffic
	Egress           []Traffic
	Proof            *Proof // nil when the reader may not see the audit
	EventsAt         string // where all events are; empty: the reader may not open that
}

// Attention is something that waits for a person.
type Attention struct {
	Tone    Tone // Danger, Warn or Info
	Title   string
	Text    string // one sentence: what happened and what it holds up
	Since   time.Time
	Actions []Action
}

// LaneTile is one lane at a glance.
type LaneTile struct {
	Lane      Lane
	PerMinute float64
	P95       time.Duration // 0: nothing passed
	Denied    float64       // share of all that was decided, 0 to 1
	Alarm     bool          // the share is high enough to colour it
	Series    []float64     // rate over time, oldest first
	DeniedAt  []int         // places in Series with a denial
	Since     time.Time     // of the first value
	Href      string
}

// PluginLine is a plugin in a table.
type PluginLine struct {
	ID      string
	Name    string
	Icon    IconName
	Version string
	State   Status   // active, disabled, …
	Health  Status   // healthy, …; empty where the state says all
	Bars    []Status // health over time, oldest first; every bar as long as the last
	Traits  []string
	Lanes   []Lane // that it may use
	P95     time.Duration
	Actions []Action // in the table of installed plugins
}

// shown is the one status a table shows: the health of what is active, else the state.
func (p PluginLine) shown() Status {
	if p.State == Active && p.Health != "" {
		return p.Health
	}
	return p.State
}

// Traffic is one thing that passed a lane, or was refused there.
type Traffic struct {
	At      time.Time
	From    Party
	What    string // event type, operation or host, as it is
	To      string // whom it was meant for, if one
	Outcome Status
	Rule    string // that refused it
	Href    string // the event, or the decision
}

// Proof is the state of the audit.
type Proof struct {
	Status  Status // intact, broken or unknown
	Records int64
	Head    time.Time // of the last record
	Checked time.Time // last verification
	By      string    // who or what verified
	Chains  int
}

// sorted returns what waits, the worst first and, among equals, the oldest.
func (o Overview) sorted() []Attention {
	out := slices.Clone(o.Attention)
	slices.SortStableFunc(out, func(a, b Attention) int {
		if a.Tone != b.Tone {
			return cmp.Compare(slices.Index(severity, a.Tone), slices.Index(severity, b.Tone))
		}
		return a.Since.Compare(b.Since)
	})
	return out
}

// worst returns the way to the worst item.
func (o Overview) worst() (Action, bool) {
	for _, a := range o.sorted() {
		for _, action := range a.Actions {
			if action.Get && !action.Ask && action.Why == nil {
				return action, true
			}
		}
	}
	return Action{}, false
}
