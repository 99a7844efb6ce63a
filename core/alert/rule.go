package alert

import (
	"time"
)

// Severity is how much an alert matters.
type Severity string

// The severities, least first.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Severities are all severities, worst first.
func Severities() []Severity { return []Severity{Critical, Warning, Info} }

// Channel is a way of telling people. The console always shows an alert.
type Channel string

// The channels.
const (
	Webhook Channel = "webhook"
	Email   Channel = "email"
)

// Channels are all channels.
func Channels() []Channel { return []Channel{Webhook, Email} }

// By is what alerts of a rule are told apart by.
type By string

// The ways. One leaves all that a rule finds in one alert.
const (
	ByNothing By = ""
	ByActor   By = "actor"
	ByPlugin  By = "plugin"
	ByObject  By = "object"
	ByAddress By = "address"
	ByRule    By = "rule"
	ByAction  By = "action"
)

// Bys are all ways.
func Bys() []By { return []By{ByNothing, ByActor, ByPlugin, ByObject, ByAddress, ByRule, ByAction} }

// Match describes records. Empty fields ask for nothing; all others must hold.
type Match struct {
	Action    string `json:"action,omitempty"` // exact, or a prefix followed by *
	Outcome   string `json:"outcome,omitempty"`
	ActorKind string `json:"actor_kind,omitempty"` // user, plugin, system or anonymous
	Actor     string `json:"actor,omitempty"`      // id or name of who acted or was acted for
	Plugin    string `json:"plugin,omitempty"`     // that acted, was acted upon, or was to receive an event
	Object    string `json:"object,omitempty"`     // exact, or a prefix followed by *
	Class     string `json:"class,omitempty"`      // a data class touched
	Rule      string `json:"rule,omitempty"`       // the rule or fault that decided
	Address   string `json:"address,omitempty"`

	// Detail are members of the record's detail and the values they must have,
	// as text: {"ok": "false"}.
	Detail map[string]string `json:"detail,omitempty"`
}

// Spec is what a rule watches, and what it does when that comes about.
type Spec struct {
	Text     string    `json:"text"` // what it means and what to do, for people
	Severity Severity  `json:"severity"`
	Channels []Channel `json:"channels"`

	// Sticky alerts wait for a person even when their condition ended.
	Sticky bool `json:"sticky"`

	// Of a rule on records: so many that Match describes, within Window, of one
	// By. The condition ends once a record fits Clear, or, without one, when none
	// came for a Window.
	Match  Match    `json:"match,omitzero"`
	Count  int      `json:"count,omitempty"`
	Window Duration `json:"window,omitempty"`
	By     By       `json:"by,omitempty"`
	Clear  *Match   `json:"clear,omitempty"`

	// Of a rule on health: the state that is watched, and how long it must go on.
	State State    `json:"state,omitempty"`
	For   Duration `json:"for,omitempty"`
}

// Rule is a rule and where it comes from.
type Rule struct {
	ID      string
	Name    string
	Enabled bool
	Spec
	Builtin bool  // shipped: it can be changed and switched off, and put back
	Changed bool  // a shipped one that somebody changed
	Version int64 // 0: as shipped
	By      string
	At      time.Time // of the last change
}

// OnHealth reports whether the rule watches a state, not records.
func (s *Spec) OnHealth() bool { return s.State != "" }

// quiet is how long nothing must happen for an alert's condition to end; 0 when
// something else tells.
func (s *Spec) quiet() time.Duration {
	if s.OnHealth() || s.Clear != nil {
		return 0
	}
	return time.Duration(s.Window)
}

// Duration is a length of time that JSON has as "5m0s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	*d = Duration(t)
	return err
}
