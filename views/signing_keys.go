package views

import "time"

// PathSigningKeys is the list of the core's signing keys.
const PathSigningKeys = "/console/signing-keys" // with /rotate and /{kid}/revoke

// SigningKeyPath returns the address below one signing key.
func SigningKeyPath(kid string, below ...string) string { return join(PathSigningKeys, kid, below) }

// SigningKeys are the keys whose signatures hold now or will.
type SigningKeys struct {
	Tabs   []Tab
	Rows   []SigningKeyRow
	Rotate Action // Ask
}

// SigningKeyRow is one of the core's keys; its private half is nowhere.
type SigningKeyRow struct {
	ID      string
	Phase   KeyPhase
	From    time.Time // it signs from then on
	Retire  time.Time // it signs nothing new from then on
	Expires time.Time // what it signed is void from then on
	Actions []Action
}

// KeyPhase is what a signing key is for now.
type KeyPhase int

// The phases, in the order a key goes through them.
const (
	KeyPublished KeyPhase = iota // others learn of it; it does not sign yet
	KeySigns
	KeyVerifies // it signs nothing new; what it signed still holds
)
