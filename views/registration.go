package views

import "time"

// PathTokens is the list of what plugins register by.
const PathTokens = "/console/registration-tokens" // with /new and /{id}/revoke

// TokenPath returns the address below one registration token.
func TokenPath(id string, below ...string) string { return join(PathTokens, id, below) }

// Tokens is the list of registration tokens.
type Tokens struct {
	Tabs  []Tab
	Note  Banner // who may register now
	Rows  []TokenRow
	New   Action // Ask: its answer is TokenDialog
	Pager Pager
}

// TokenRow is one registration token; its secret is nowhere.
type TokenRow struct {
	Label   string
	Plugin  string // the id it is bound to; empty: it is good for one plugin, once
	By      string
	At      time.Time
	Expires time.Time
	State   TokenState
	UsedBy  *Party // the plugin that registered by it
	UsedAt  time.Time
	Actions []Action
}

// TokenState is what a registration token is still good for.
type TokenState int

// The states.
const (
	TokenOpen    TokenState = iota // a plugin may register by it
	TokenUsed                      // one did: it may come back, and no other
	TokenOver                      // its time is over
	TokenRevoked                   // somebody ended it
)

// TokenForm asks for a registration token; once Token is set it shows that
// instead, this once.
type TokenForm struct {
	Fields  []Field
	Errors  ErrorList
	Token   string
	Plugin  string // the id it is bound to
	Expires time.Time
}

// use says in which setting an SDK reads the token.
func (f TokenForm) use() string { return "VIVIFIED_REGISTRATION_TOKEN=" + f.Token }
