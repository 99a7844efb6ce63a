package views

import "time"

// Forwarding is where the audit is forwarded to.
type Forwarding struct {
	Sinks []SinkRow
	Add   Action
}

// SinkRow is a system that keeps a copy of the audit, and how it fares.
type SinkRow struct {
	ID      string
	Name    string
	Kind    string // as people call it
	Address string
	State   Status    // Active, Failing or Disabled
	Error   string    // why nothing can be sent now
	Since   time.Time // since when
	Waiting int64     // records it does not have yet
	Oldest  time.Time // of them; zero: none waits
	Sent    int64
	SentAt  time.Time
	Refused int64 // records it would not take
	Missed  int64 // records that were gone before it could have them
	Actions []Action
}

// SinkForm adds a sink, or changes one.
type SinkForm struct {
	Title  string
	Text   string
	Path   string // it is posted to
	Verb   string
	Fields []Field
	Hidden []Hidden
	Kinds  []Tab // of a new sink: the form of each kind
	Errors ErrorList
}

// AuditTabs returns the tabs of the audit's pages.
func AuditTabs(current string) []Tab {
	tabs := []Tab{{Label: "Records", Href: PathAudit}, {Label: "Verify", Href: PathProof}, {Label: "Forwarding", Href: PathForwarding}, {Label: "Retention", Href: PathRetention}}
	for i := range tabs {
		tabs[i].Current = tabs[i].Href == current
	}
	return tabs
}

// BrowserProof verifies exports in the browser.
type BrowserProof struct {
	Export string // address of the export that is verified where no file is chosen
	Filter string // what it holds; "": the last 24 hours
}
