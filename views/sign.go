package views

import "time"

// SignIn is the sign-in page.
type SignIn struct {
	Org     string
	Email   string // what was typed, after a refusal
	Error   string // names no account: "E-mail or password not accepted."
	Next    string // where to go afterwards, a path of this console
	Notice  string // "You were signed out after 15 minutes without use."
	Version string

	Providers []ProviderButton // other ways to sign in
	LocalOff  bool             // passwords are switched off: only the other ways are shown

	Passkey   bool // passkeys work at this address
	Emergency bool // there is an account for emergencies
}

// SecondStep asks for the second factor after a password that matched.
type SecondStep struct {
	Person  string // e-mail address
	App     bool   // an authenticator app is set up
	Passkey string // what the browser is to ask a passkey, as JSON; empty: there is none
	Error   string
	Next    string
}

// Emergency is where the glass is broken.
type Emergency struct {
	Org     string
	Account string
	Reason  string
	Error   string
	Longest time.Duration // life of such a session
}

// Setup is the page behind the one-time setup link.
type Setup struct {
	Token  string // from the link; asked for when empty
	Fields []Field
	Rules  []string // of the password, as sentences
	Errors ErrorList
	Done   bool // an administrator exists already: nothing to set up
}

// verb is what the form of an invitation does.
func (p Invite) verb() string {
	if p.Reset {
		return "Set the password"
	}
	return "Create the account"
}

// Invite is the page behind a one-time invitation link.
type Invite struct {
	Token  string
	Org    string
	From   string // who invited; empty: not known
	Email  string
	Roles  []string
	Fields []Field // name and password
	Rules  []string
	Errors ErrorList
	Reset  bool   // the account exists: the link sets a new password
	Gone   string // why the link no longer works, when it does not
}
