package views

import (
	"fmt"
	"strings"
	"time"
)

// The addresses of the marketplace and of jobs.
const (
	PathMarketplace   = "/console/marketplace" // with /{id}
	PathImport        = PathMarketplace + "/import"
	PathPublisherKeys = PathMarketplace + "/keys" // with /new and /{id}/revoke
	PathJobs          = "/console/jobs"           // with /{id}, /{id}/live, /{id}/cancel and /{id}/retry
)

// MarketplacePath is a plugin's page on the shelf.
func MarketplacePath(id string, below ...string) string { return join(PathMarketplace, id, below) }

// JobPath is a job's page.
func JobPath(id string, below ...string) string { return join(PathJobs, id, below) }

// Marketplace is the shelf that plugins are installed from.
type Marketplace struct {
	Filter Filter
	Cards  []MarketCard
	Total  int // on the shelf, filtered or not
	Import Action
	Keys   string // address of the publishers' keys
}

// MarketCard is one plugin on the shelf.
type MarketCard struct {
	ID        string
	Name      string
	Icon      IconName
	Publisher string
	Version   string
	Text      string
	Classes   []Class
	Traits    []string
	Signed    SignedMark
	Risk      RiskMark
	Installed string   // the version that is here, or empty
	Newer     bool     // what is on the shelf is newer than that
	Blocked   []string // why it may not be installed
}

// SignedMark says who vouches for a bundle.
type SignedMark struct {
	Trusted, Needed int // signatures
}

func (s SignedMark) look() (tone Tone, icon IconName, word string) {
	switch {
	case s.Trusted >= s.Needed && s.Trusted > 0:
		return OK, "file-check", "Signed"
	case s.Trusted > 0:
		return Warn, "file-x", fmt.Sprintf("%d of %d keys", s.Trusted, s.Needed)
	case s.Needed > 0:
		return Danger, "file-x", "Unsigned"
	}
	return Neutral, "file-x", "Unsigned"
}

// RiskMark is a risk score.
type RiskMark struct {
	Score int
	Level string // low, medium or high
}

func (r RiskMark) look() (tone Tone, word string) {
	switch r.Level {
	case "high":
		return Danger, "High"
	case "medium":
		return Warn, "Medium"
	}
	return OK, "Low"
}

// bars draws ten bars of which as many are on as the score has tens; from ninety on all.
func (r RiskMark) bars() (on, off string) {
	lit := min(10, (r.Score+9)/10)
	var a, b strings.Builder
	for i := range 10 {
		to := &a
		if i >= lit {
			to = &b
		}
		fmt.Fprintf(to, "M%d 0h5v8h-5z", 6*i)
	}
	return a.String(), b.String()
}

// Listing is one plugin on the shelf: all that it could do, before it is installed.
type Listing struct {
	Card      MarketCard
	Versions  []Tab // the newest first
	May       []MayLine
	Cannot    []string
	Factors   []RiskFactor
	Signature []KV
	Depends   []DependencyLine
	Readme    string
	Changelog string
	Install   *InstallForm // nil: it is here already
	Remove    Action
	Download  string
}

// MayLine is one thing a plugin may do once it is enabled.
type MayLine struct {
	Icon    IconName
	Text    string
	Names   []string // untranslated, after the text
	Detail  string
	Lane    Lane
	Classes []Class
}

// RiskFactor is what adds to a score.
type RiskFactor struct {
	What   string
	Points int
}

// InstallForm installs what the page shows.
type InstallForm struct {
	Path   string
	Digest string
	Verb   string
}

// ImportForm takes a .vvplugin file.
type ImportForm struct {
	Error string
}

// PublisherKeys are the keys whose signatures count.
type PublisherKeys struct {
	Add    Action
	Keys   []PublisherKey
	Needed int // signatures that a plugin must have
}

// PublisherKey is one of them.
type PublisherKey struct {
	ID      string
	Name    string
	By      string
	At      time.Time
	Revoked time.Time // zero: it counts
	Reason  string
	Actions []Action
}

// KeyTrust is the form that trusts a key.
type KeyTrust struct {
	Errors ErrorList
	Fields []Field
}

// Jobs lists what is, and was, done to plugins.
type Jobs struct {
	Rows  []JobRow
	Pager Pager
}

// JobRow is one job.
type JobRow struct {
	ID     string
	Title  string // "Install greeter"
	State  JobState
	Stage  string
	By     string
	At     time.Time
	Detail string
}

// JobState is where a job or a stage of one stands.
type JobState string

// look is how a state is shown.
func (s JobState) look() (tone Tone, icon IconName, word string) {
	switch s {
	case "running":
		return Info, "loader", "Running"
	case "undoing":
		return Warn, "undo-2", "Taking it back"
	case "succeeded":
		return OK, "circle-check", "Done"
	case "failed":
		return Danger, "circle-alert", "Failed"
	case "cancelled":
		return Neutral, "ban", "Cancelled"
	}
	return Neutral, "circle-dashed", "Waiting"
}

// Job is one job with its stages.
type Job struct {
	Row     JobRow
	Stages  []JobStage
	Done    int64 // bytes, of the stage under way
	Total   int64
	Facts   []KV
	Next    *Action // where to go from here, once it is done
	Actions []Action
	Live    string // SSE; empty once it has ended
}

// JobStage is one stage.
type JobStage struct {
	Label string
	State JobState
	Note  string
	Took  time.Duration
}

func publisherAnd(c MarketCard) string {
	if c.Publisher == "" {
		return c.Version
	}
	return c.Publisher + ", " + c.Version
}

func versionBy(c MarketCard) string {
	said := "Version " + c.Version
	if c.Publisher != "" {
		said += " by " + c.Publisher
	}
	if c.Text != "" {
		said += ". " + c.Text
	}
	return said
}

func signaturesAsked(n int) string {
	switch n {
	case 0:
		return "Signatures are shown, and none is asked for: marketplace_signatures says how many a plugin must have."
	case 1:
		return "A plugin must be signed by one of them before it is installed or started."
	}
	return "A plugin must be signed by " + number(int64(n)) + " of them before it is installed or started."
}

func commaUnlessLast(i, n int) string {
	if i < n-1 {
		return ","
	}
	return ""
}
