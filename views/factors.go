package views

import (
	"strings"
	"time"
)

// Factors are a person's own second factors.
type Factors struct {
	Since      *time.Time // since when an authenticator app is set up; nil: none
	AppActions []Action
	Passkeys   []PasskeyRow
	Add        Action
	Codes      int // recovery codes left
	Renew      *Action
	None       bool
	Due        *time.Time // one is required by then, and there is none
}

// PasskeyRow is one passkey.
type PasskeyRow struct {
	Name     string
	Added    time.Time
	LastUsed *time.Time
	Remove   Action
}

// TOTP sets up an authenticator app.
type TOTP struct {
	Secret string // in groups, to be typed
	Error  string
}

// NewPasskey registers a passkey.
type NewPasskey struct {
	Options string // what the browser is to ask, as JSON; empty: not at this address
	Origin  string // then: where it can be done
	Name    string
	Error   string
}

// RecoveryCodes are shown this once.
type RecoveryCodes struct {
	Text  string
	Codes []string
}

// Enrol is all there is for somebody whose session lacks the second factor
// required of them.
type Enrol struct {
	Name     string
	Has      bool // they have one, which this session has not shown
	App      bool
	Passkeys bool // they work at this address
}

// StepUp asks for a fresh proof before something dangerous.
type StepUp struct {
	Action   string // where the form goes
	Form     string // what was typed before, sealed
	Next     string // the page that is wanted, when nothing was typed
	Target   string // what htmx swaps once it is done
	Back     string
	Password bool
	App      bool
	Passkey  string   // what the browser is to ask a passkey, as JSON; empty: there is none
	Again    []Action // sign in again instead, for those who have nothing else
	Error    string
}

// lines joins codes, one a line.
func lines(codes []string) string { return strings.Join(codes, "\n") }

// NewBreakGlass asks for an account for emergencies; once Password is set it shows
// that instead, this once.
type NewBreakGlass struct {
	Account  Field
	Traits   Field // Type Checks
	Errors   ErrorList
	Made     string // its address
	Password string
	Expires  time.Time
}
