package views

import "time"

// Users is the list of people.
type Users struct {
	Filter    Filter
	Rows      []UserRow
	Pager     Pager
	Bulk      []Option // what can be done to several; empty: nothing
	Invite    Action   // Ask: its answer is InviteDialog
	Several   Action   // invites many
	Emergency *Action  // Ask: makes an account for emergencies; nil: not theirs to make
	Invites   []InviteRow
	More      string // address of all who are invited; empty: these are all
}

// UserRow is a person in the list.
type UserRow struct {
	ID       string
	Name     string
	Email    string
	Roles    []string
	Source   string // local, or the name of a provider
	MFA      bool
	LastSeen time.Time
	State    Status // active, invited, suspended
	Self     bool
	Actions  []Action
}

// InviteRow is an invitation nobody has taken yet.
type InviteRow struct {
	Email   string
	Roles   []string
	By      string
	Expires time.Time
	Actions []Action
}

// InviteForm asks for a new person; once Link is set it shows the link instead.
type InviteForm struct {
	Email, Name Field
	Roles       Field // Type Checks
	Errors      ErrorList
	Link        string // one-time, shown once and never again
	For         string
	Expires     time.Time
}

// UserDetail is one person.
type UserDetail struct {
	UserRow
	Since    time.Time
	Actions  []Action     // suspend, delete, …
	Roles    Field        // Type Checks
	RolesWhy *Why         // why the roles may not be changed
	Given    []GivenRow   // by hand, with ends and reasons
	Give     *Action      // Ask; nil: nobody can be given anything here
	Factors  *UserFactors // nil: somebody deleted has none
	Places   []PlaceRow   // groups they are in
	Join     *Action      // Ask; nil as Give
	Traits   []TraitFrom  // effective, with where each comes from
	Facts    []KV
	Sessions []SessionRow
	Keys     []KeyRow
	Moments  []Moment // nil when the reader may not see the audit

	Identities []IdentityRow
}

// TraitFrom is an effective trait and where it comes from.
type TraitFrom struct {
	Name    string
	From    string // role Viewer, group Ward 4B → role Viewer, implied by admin, granted by Mara Lindqvist
	Expires time.Time
}

// SessionRow is one signed-in browser.
type SessionRow struct {
	ID       string
	Device   string // "Firefox on Linux"
	Address  string
	Since    time.Time
	LastSeen time.Time
	Current  bool
	How      string // "Password and a code"
	Revoke   Action
}

// KeyRow is one API key. The key itself is never here.
type KeyRow struct {
	ID       string
	Name     string
	Prefix   string // vv_3f9a…
	Scope    []string
	Created  time.Time
	Expires  time.Time
	LastUsed time.Time
	Revoked  bool
	Revoke   Action
}
