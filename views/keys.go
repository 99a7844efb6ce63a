package views

import "time"

// PathAPIKeys is the page of API keys: a person's own and, for administrators with
// ?of=all, everybody's.
const PathAPIKeys = "/console/api-keys"

// Keys is the list of API keys.
type Keys struct {
	Tabs  []Tab // for those who may see everybody's
	Rows  []OwnedKey
	All   bool // everybody's: the owner is named
	Stale int  // how many of these nobody used for a long time
	New   Action
	Pager Pager
}

// OwnedKey is an API key with whose it is and what was done with it.
type OwnedKey struct {
	KeyRow
	Owner   string
	OwnerAt string // address of the owner's page
	From    string // the address it was last used from
	Stale   bool   // in force, and not used for a long time
	Over    bool   // its time is over
	Actions []Action
}

// staleNote says what to do about keys that nobody uses.
func (k Keys) staleNote() string {
	if k.Stale == 1 {
		return "1 key was not used for 90 days. Revoke what nobody needs."
	}
	return number(int64(k.Stale)) + " keys were not used for 90 days. Revoke what nobody needs."
}

// back is where the form of a key leads when it is done.
func (f KeyForm) back() string {
	if f.Back == "" {
		return PathAccount + "#keys"
	}
	return f.Back
}

// goesOn reports whether the key in whose place the new one stands still works.
func (f KeyForm) goesOn(now time.Time) bool { return f.OldUntil.After(now) }
