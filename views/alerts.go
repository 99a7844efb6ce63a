package views

import (
	"net/url"
	"time"
)

// Paths of alerts.
const (
	PathAlerts     = "/console/alerts"
	PathAlertRules = PathAlerts + "/rules" // with /new, /try and /{id}
	PathSilences   = PathAlerts + "/silences"
	PathChannels   = PathAlerts + "/channels"
)

// AlertsPerPage is how many alerts a list shows at once.
const AlertsPerPage = 25

// AlertPath returns the address of an alert, or of what is below it.
func AlertPath(id string, below ...string) string { return join(PathAlerts, id, below) }

// AlertRulePath returns the address of a rule of alerts, or of what is below it.
func AlertRulePath(id string, below ...string) string { return join(PathAlertRules, id, below) }

// SilencePath returns the address below a silence.
func SilencePath(id string, below ...string) string { return join(PathSilences, id, below) }

// Severity is how much an alert matters.
type Severity string

type severityLook struct {
	tone Tone
	icon IconName
	word string
}

var severities = map[Severity]severityLook{
	"critical": {Danger, "octagon-x", "Critical"},
	"warning":  {Warn, "triangle-alert", "Warning"},
	"info":     {Info, "info", "Info"},
}

func (s Severity) look() severityLook {
	if l, ok := severities[s]; ok {
		return l
	}
	return severityLook{Neutral, "circle-dashed", string(s)}
}

// Bell stands in the top bar and counts what waits; nil: not for this reader.
type Bell struct {
	Waiting int
	Tone    Tone // of the worst
}

// Alerts is the page of what people should know.
type Alerts struct {
	Tabs   []Tab
	Filter Filter
	Rows   []AlertRow
	Pager  Pager
	None   Empty // shown when the filter is empty too
}

// AlertRow is an alert in a list.
type AlertRow struct {
	ID       string
	Severity Severity
	State    Status // Waiting for open
	Title    string
	Text     string
	Count    int64
	Opened   time.Time
	Last     time.Time
	Silenced time.Time // until when; zero: it is not
	Acked    string    // who acknowledged it
	Actions  []Action
}

// AlertDetail is one alert.
type AlertDetail struct {
	AlertRow
	Meaning string // what the rule says that it means
	Facts   []KV
	Told    []Moment // what became of it, the latest first
	Records []AuditRow
	More    string // address of all records like these; "": none
	Hidden  bool   // the reader may not see the records
}

// AlertTabs returns the tabs of the pages of alerts.
func AlertTabs(current string, silences int) []Tab {
	tabs := []Tab{{Label: "Alerts", Href: PathAlerts}, {Label: "Rules", Href: PathAlertRules}, {Label: "Silences", Href: PathSilences, Count: silences}}
	for i := range tabs {
		tabs[i].Current = tabs[i].Href == current
	}
	return tabs
}

// AlertFilter is what alerts can be filtered by.
type AlertFilter struct{ State, Severity, Rule, Plugin string }

// ReadAlertFilter reads a filter from a query: open alerts where it says nothing.
func ReadAlertFilter(q url.Values) AlertFilter {
	f := AlertFilter{State: q.Get("state"), Severity: q.Get("severity"), Rule: q.Get("rule"), Plugin: q.Get("plugin")}
	return f
}

// Bar returns the filter as a bar.
func (f AlertFilter) Bar(rules, plugins []Option) Filter {
	return Filter{Path: PathAlerts, Fields: []FilterField{
		{Name: "state", Label: "State", Value: f.State, Options: []Option{
			{Value: "open", Label: "Open"}, {Value: "acknowledged", Label: "Acknowledged"}, {Value: "silenced", Label: "Silenced"}, {Value: "resolved", Label: "Resolved"},
		}},
		{Name: "severity", Label: "Severity", Value: f.Severity, Options: []Option{{Value: "critical", Label: "Critical"}, {Value: "warning", Label: "Warning"}, {Value: "info", Label: "Info"}}},
		{Name: "rule", Label: "Rule", Value: f.Rule, Options: rules},
		{Name: "plugin", Label: "Plugin", Value: f.Plugin, Options: plugins},
	}}
}

// AlertRules is the page of the rules behind alerts.
type AlertRules struct {
	Tabs     []Tab
	Add      Action
	Rows     []AlertRuleRow
	Channels []ChannelRow
}

// AlertRuleRow is a rule in the list.
type AlertRuleRow struct {
	ID       string
	Name     string
	Watches  string // in a sentence
	Severity Severity
	On       bool
	Channels string
	From     string // shipped, shipped and changed, or who made it
	Actions  []Action
}

// ChannelRow is a way of telling people.
type ChannelRow struct {
	Name   string
	Ready  bool
	Text   string
	Action Action // a trial
}

// AlertRuleForm adds a rule, or changes one.
type AlertRuleForm struct {
	Title  string
	Text   string
	Path   string // it is posted to
	Verb   string
	Fields []Field
	Hidden []Hidden
	Kinds  []Tab // of a new rule: on records, on health
	Errors ErrorList
	Try    bool // it can be tried on the past
	Days   Field
	Replay *AlertReplay
}

// AlertReplay is what a rule would have found.
type AlertReplay struct {
	Days     int
	Records  int64
	Matching int64
	Partly   bool
	Total    int
	Alerts   []ReplayedAlert
}

// ReplayedAlert is an alert that a rule would have opened.
type ReplayedAlert struct {
	Title string
	First time.Time
	Last  time.Time
	Count int64
	Href  string // of its last record
}

// Silences is the page of what tells nobody for a time.
type Silences struct {
	Tabs []Tab
	Rows []SilenceRow
}

// SilenceRow is a silence in force.
type SilenceRow struct {
	ID      string
	Rule    string
	About   string // "": every alert of the rule
	Reason  string
	Begun   time.Time
	Until   time.Time
	By      string
	Actions []Action
}
