package views

import "time"

// ApprovalsPerPage is how many requests the inbox shows at once.
const ApprovalsPerPage = 25

// Approvals is the inbox: what waits for somebody's word, or had it.
type Approvals struct {
	Tabs   []Tab
	Filter Filter
	Rows   []ApprovalRow
	Pager  Pager
	Empty  Empty
	New    Action // ask for a trait
}

// ApprovalKind is what sort of thing is asked for, in the words of the core.
type ApprovalKind string

type kindLook struct {
	icon IconName
	word string
}

var approvalKinds = map[ApprovalKind]kindLook{
	"egress":    {"globe-lock", "Egress"},
	"widening":  {"git-compare", "Wider manifest"},
	"elevation": {"user-cog", "Elevation"},
	"grant":     {"arrow-left-right", "Grant"},
	"policy":    {"scale", "Policy"},
	"setting":   {"settings", "Setting"},
}

func (k ApprovalKind) look() kindLook {
	if l, ok := approvalKinds[k]; ok {
		return l
	}
	return kindLook{"inbox", string(k)}
}

// Word returns the kind as people read it.
func (k ApprovalKind) Word() string { return k.look().word }

// ApprovalRow is one request in the inbox.
type ApprovalRow struct {
	ID      string
	Kind    ApprovalKind
	Title   string // "Fax Bridge wants to reach api.example.com"
	Terms   string // "for 7 days, GET, port 443"
	Reason  string // of who asked first
	By      Party  // who asked first
	Others  int    // who ask for the same
	At      time.Time
	Expires time.Time // until when it can be decided
	State   Status
	Actions []Action
}

// ApprovalDetail is one request, whole.
type ApprovalDetail struct {
	ApprovalRow
	Askers   []ApprovalAsker
	Facts    []KV
	Changes  []Change // what a wider manifest changes
	Decided  *ApprovalWord
	Deciders []Party // who may decide it; nil once it is decided
}

// ApprovalAsker is somebody who asks, and why.
type ApprovalAsker struct {
	Who    Party
	Reason string
	At     time.Time
}

// ApprovalWord is what somebody said to a request.
type ApprovalWord struct {
	By     string
	Reason string
	At     time.Time
	Until  time.Time // when what was given ends; zero: no end, or nothing was given
	Own    bool      // the last administrator decided what they asked for
}
