package approval

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Kind is what sort of thing is asked for.
type Kind string

// The kinds. Subject and Object of a request are, in this order: the plugin and
// the host; the plugin and the digest of what waits; the person and the traits,
// joined by a plus sign; the calling plugin and the one to be called; the policy
// and the publication; the setting and its new value as JSON.
const (
	Egress    Kind = "egress"
	Widening  Kind = "widening"
	Elevation Kind = "elevation"
	Grant     Kind = "grant"
	Policy    Kind = "policy"  // rules to be published, where two people publish
	Setting   Kind = "setting" // one that nobody changes alone
)

// Kinds are all there are.
func Kinds() []Kind { return []Kind{Egress, Widening, Elevation, Grant, Policy, Setting} }

// State is a request's place in its life.
type State string

// The states. Only a waiting request is decided, and only once.
const (
	Waiting   State = "waiting"
	Approved  State = "approved"
	Denied    State = "denied"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
)

// Terms are what is asked for, and in the end what was given.
type Terms struct {
	Days  int        `json:"days,omitempty"`       // how long it is to last, from the decision on; 0: no end
	Until *time.Time `json:"expires_at,omitempty"` // instead of Days, when whoever decides names a time

	Traits     []string `json:"traits,omitempty"`     // elevation; of a widening: what is added
	Operations []string `json:"operations,omitempty"` // grant; empty: every declared one

	Methods      []string `json:"methods,omitempty"`
	PathPrefixes []string `json:"path_prefixes,omitempty"`
	Ports        []int32  `json:"ports,omitempty"`
	Rate         *int32   `json:"rate,omitempty"`    // requests a minute
	Bytes        *int64   `json:"bytes,omitempty"`   // body bytes a request, each way
	Learned      bool     `json:"learned,omitempty"` // the plugin asked for a host that its manifest does not declare

	Version string   `json:"version,omitempty"` // of the manifest that waits
	Adds    []string `json:"adds,omitempty"`    // what it asks for beyond the one in force, in words
}

// end returns when what is given at that time ends; nil: never.
func (t Terms) end(now time.Time) *time.Time {
	if t.Until != nil || t.Days == 0 {
		return t.Until
	}
	end := now.Add(time.Duration(t.Days) * day)
	return &end
}

// text returns terms as they are kept.
func (t Terms) text() ([]byte, error) { return json.Marshal(t) }

const day = 24 * time.Hour

// Asker is somebody who asks: the id of a person, or of the plugin whose doing
// raised the request.
type Asker struct {
	ID     string
	Reason string
	At     time.Time
}

// Request is something asked for, and what became of it.
type Request struct {
	ID       uuid.UUID
	Kind     Kind
	Subject  string
	Object   string
	Terms    Terms
	Reason   string     // of who asked first
	Decision *uuid.UUID // the denial that led to it
	Askers   []Asker    // the first first
	AskedAt  time.Time
	Expires  time.Time // until when it can be decided
	State    State

	DecidedBy     string
	DecidedAt     *time.Time
	DecidedReason string
	Own           bool       // the last administrator decided on what they asked for
	GivenUntil    *time.Time // when what was given ends; nil: no end, or nothing was given
}

// AskedBy reports whether that person is among those who ask.
func (r Request) AskedBy(id string) bool {
	return slices.ContainsFunc(r.Askers, func(a Asker) bool { return a.ID == id })
}

// Concerns reports whether the request is that person's own: asked by them, or
// for something they would get.
func (r Request) Concerns(id string) bool {
	return r.AskedBy(id) || r.Kind == Elevation && r.Subject == id
}

func requestOf(row db.Approval, askers []db.ApprovalAsker) Request {
	r := Request{
		ID: row.ID, Kind: Kind(row.Kind), Subject: row.Subject, Object: row.Object, Reason: row.Reason, Decision: row.DecisionID,
		AskedAt: row.AskedAt, Expires: row.ExpiresAt, State: State(row.State), DecidedAt: row.DecidedAt, Own: row.DecidedSelf, GivenUntil: row.GivenUntil,
	}
	_ = json.Unmarshal(row.Terms, &r.Terms) // written by us
	if row.DecidedBy != nil {
		r.DecidedBy = *row.DecidedBy
	}
	if row.DecidedReason != nil {
		r.DecidedReason = *row.DecidedReason
	}
	for _, a := range askers {
		if a.Approval == row.ID {
			r.Askers = append(r.Askers, Asker{a.AskedBy, a.Reason, a.AskedAt})
		}
	}
	return r
}

// deciders are the traits of which one lets a person decide on a kind.
var deciders = map[Kind][]trait.ID{
	Egress:    {trait.EgressApprover},
	Widening:  {trait.PluginManager, trait.Approver},
	Elevation: {trait.UserManager},
	Grant:     {trait.PolicyManager, trait.PluginManager},
	Policy:    {trait.PolicyManager},
	Setting:   {trait.ConfigManager},
}

// Deciders returns the traits of which one lets a person decide on a kind.
func Deciders(k Kind) []trait.ID { return slices.Clone(deciders[k]) }

// MayDecide reports whether somebody with those traits may decide on a kind, as
// far as the request is not their own.
func MayDecide(traits trait.Set, k Kind) bool {
	return slices.ContainsFunc(deciders[k], traits.Has)
}

// Sees returns the kinds whose requests somebody with those traits may see beside
// their own.
func Sees(traits trait.Set) []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !traits.Has(trait.Approver) && !MayDecide(traits, k) })
}
