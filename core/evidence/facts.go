package evidence

import (
	"slices"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/rulebook"
)

// Way is how something that the core talks to is reached.
type Way string

// The ways.
const (
	Here      Way = "here"      // inside the core, or on this machine
	Encrypted Way = "encrypted" // over TLS
	Clear     Way = "clear"     // over a network, readable by whoever is on it
)

// Facts are what the checks look at: the installation at one moment.
type Facts struct {
	At    time.Time
	Since time.Time // the period's beginning

	// Settings.
	SecondFactor string        // of whom one is required: nobody, sensitive, everybody
	Grace        time.Duration // how long somebody may go without it
	Fresh        time.Duration // how long a proof lets dangerous actions through
	Emergency    time.Duration // longest session of an account for emergencies
	Idle         time.Duration
	IdlePHI      time.Duration
	Absolute     time.Duration
	KeyLife      time.Duration
	LocalLogin   bool // passwords are accepted
	Rescue       bool // passwords are accepted whatever LocalLogin says
	FourEyes     bool // two people publish rules
	Registration string
	AutoEnable   bool
	EgressAuto   bool
	HeadsEvery   time.Duration
	KeepPHI      int // days
	KeepSecurity int // days
	KeepOther    int // days

	// Ways.
	Secure     bool // people and plugins reach the core over TLS
	Database   Way
	Bus        Way
	KeyOutside bool // the master key does not lie in the data directory

	// People and keys.
	Roles     []string // by name
	Glass     []Glass
	Unseen    int      // uses of accounts for emergencies that nobody acknowledged
	Providers []string // identity providers people sign in by
	Keys      []Key

	Rules      rulebook.Standing
	AdminRules int
	Plugins    []Plugin

	// The audit.
	Chains   int
	Records  int64     // that the chains count, removed ones too
	First    time.Time // of the first change; zero: it is not there
	Heads    *File     // where signed heads are kept; nil: there is none
	Archived Archived
	Copies   []audit.HeadCopy // other places that get them
	Sinks    []Sink
	Verified *Verified // the last verification; nil: none

	// Last is when something was last recorded in the period, by action; an
	// action that was not is not in it.
	Last map[string]time.Time
}

// Glass is an account for emergencies.
type Glass struct {
	Name    string
	Active  bool
	Expires time.Time // when its seal runs out
}

// usable reports whether somebody could get in with it.
func (g *Glass) usable(at time.Time) bool { return g.Active && at.Before(g.Expires) }

// Key is a signing key of the core.
type Key struct {
	ID      string
	Signs   bool // what is signed now is signed with it
	Expires time.Time
}

// Plugin is a plugin that is in use.
type Plugin struct {
	ID       string
	PHI      bool // its manifest says so, or it was given the trait
	Audited  bool // it holds audit_required
	Recorded bool // its traffic is recorded, not its denials alone
	Way      Way
}

// Archived is what was purged from the database and lies in archives.
type Archived struct {
	Files   int64
	Records int64
	Holds   int64     // in force
	First   time.Time // when the first change was written, where an archive has it
}

// File is a file with signed heads.
type File struct {
	At    time.Time // when it was last written
	Bytes int64
}

// Sink is a system that the audit is forwarded to.
type Sink struct {
	Name    string
	Enabled bool
	Failing bool
	Behind  int64 // records it does not have yet
	Missed  int64 // records it will never have
}

// Verified is a verification of the whole audit.
type Verified struct {
	At   time.Time
	By   string
	OK   bool
	Rows int64
}

// forwarded reports whether another system gets every record.
func (f *Facts) forwarded() bool {
	for _, s := range f.Sinks {
		if s.Enabled {
			return true
		}
	}
	return false
}

// apart reports whether something outside this machine would show that the chains were
// computed anew: a system that gets every record, or a place that gets the heads.
func (f *Facts) apart() bool { return len(f.Copies) > 0 || f.forwarded() }

// copyFailing reports whether a place does not take the heads.
func (f *Facts) copyFailing() bool {
	return slices.ContainsFunc(f.Copies, func(c audit.HeadCopy) bool { return !c.Failing.IsZero() })
}

// phi returns the plugins in use that work with PHI and that ok is false for.
func (f *Facts) phi(ok func(Plugin) bool) (ids []string) {
	for _, p := range f.Plugins {
		if p.PHI && !ok(p) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
