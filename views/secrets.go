package views

import "time"

// Secrets is what is kept sealed, and by which keys.
type Secrets struct {
	Rows    []SecretRow
	Custody *Custody // nil when the reader may not see it
	More    int      // how many there are beyond those shown
}

// SecretRow is one secret. There is nowhere to put its value.
type SecretRow struct {
	Of    Party  // the plugin, or nobody: the installation
	Key   string // of the setting, or a pointer into the plugin's settings
	Href  string // where it is replaced or cleared
	By    string
	At    time.Time
	Stale bool // long not replaced
}

// Custody is what keeps the secrets.
type Custody struct {
	Source  string
	Master  string
	Pending bool
	Keys    []SealingKey
	Rotate  Action
}

// SealingKey is a key under which secrets are sealed.
type SealingKey struct {
	ID, Master    string
	Made, Wrapped time.Time
	Seals         bool
}
