package views

import "time"

// Account is a person's own page.
type Account struct {
	Person   Person
	Roles    []string
	Source   string
	Profile  []Field
	Password *PasswordForm // nil: the password is kept elsewhere
	Factors  Factors
	Sessions []SessionRow

	Identities []IdentityRow
	Link       []Action // providers more identities may be linked of

	Others *Action // ends every other session
	Keys   []KeyRow
	NewKey *Action // Ask: its answer is KeyDialog
	Traits []TraitFrom
	Errors ErrorList
}

// PasswordForm changes a password.
type PasswordForm struct {
	Fields []Field // current, new
	Rules  []string
}

// KeyForm asks for a new API key; once Key is set it shows the key instead.
type KeyForm struct {
	Name    Field
	Expires Field // Type Select
	Scope   Field // Type Checks: a subset of the owner's traits
	Errors  ErrorList
	Key     string // shown once and never again
	Back    string // where it leads when done; "": the account

	OldUntil time.Time // when the key it stands in place of ends; zero: there is none
}
