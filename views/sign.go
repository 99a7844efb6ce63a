package views

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
