package views

import "time"

// EgressPerPage is how many hosts the page shows at once.
const EgressPerPage = 30

// Egress is every host that plugins declare or asked for, and what was decided.
type Egress struct {
	Tabs   []Tab
	Filter Filter
	Rows   []EgressRow
	Pager  Pager
	Empty  Empty
}

// EgressRow is one host of one plugin.
type EgressRow struct {
	Plugin   Party
	Host     string
	Declared bool
	Status   Status    // approved, expired, waiting, declared, denied
	Terms    string    // methods, paths, ports, rate, bytes
	Passed   uint64    // requests of the last hour
	Denied   uint64    // of the last hour, too
	Refused  int64     // refusals in all; one that asks again at once counts once in ten seconds
	Last     time.Time // of the refusals
	Rule     string    // of the last refusal
	By       string    // who approved
	Until    time.Time
	Actions  []Action
}
