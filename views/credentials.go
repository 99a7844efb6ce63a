package views

import "time"

// Credentials are what the core adds to egress.
type Credentials struct {
	Tabs []Tab
	Rows []CredentialRow
	Add  Action
}

// CredentialRow is one credential; its secret is nowhere.
type CredentialRow struct {
	Plugin  Party
	Host    string
	Kind    string // as people call it
	Name    string // of the header or parameter, the user or client
	At      time.Time
	Actions []Action
}

// CredentialForm sets a credential.
type CredentialForm struct {
	Text   string
	Kind   string
	Kinds  []Tab // the form of each kind
	Fields []Field
	Errors ErrorList
}

// CredentialPath returns the address of one credential's page, or of what is below it.
func CredentialPath(plugin, host string, below ...string) string {
	return join(PathCredentials, plugin, append([]string{host}, below...))
}
