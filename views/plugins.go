package views

import (
	"slices"
	"time"
)

// Plugins is the list of installed plugins.
type Plugins struct {
	Filter Filter
	Rows   []PluginLine
	Total  int // of all plugins, filtered or not; 0: first run
	Pager  Pager
}

// PluginHead is what every tab of a plugin's page begins with.
type PluginHead struct {
	ID          string
	Name        string
	Icon        IconName
	Version     string
	Description string
	Publisher   string
	Runtime     string // external, sandbox, …
	State       Status
	Health      Status
	Since       time.Time // since when it is in this state
	Actions     []Action
	Banner      *Banner
	Tabs        []Tab
}

func (h PluginHead) shown() Status { return PluginLine{State: h.State, Health: h.Health}.shown() }

// activity reports whether the reader may open the plugin's activity.
func (h PluginHead) activity() bool {
	return slices.ContainsFunc(h.Tabs, func(t Tab) bool { return t.Href == PluginPath(h.ID, "activity") })
}

// PluginTabs returns the tabs of a plugin's page. Activity is the count of its
// audit rows, if known; current is one of "", "configuration", "permissions", "lanes", "logs" and "activity".
func PluginTabs(id, current string, activity int) []Tab {
	return []Tab{
		{Label: "Overview", Href: PluginPath(id), Current: current == ""},
		{Label: "Configuration", Href: PluginPath(id, "configuration"), Current: current == "configuration"},
		{Label: "Permissions", Href: PluginPath(id, "permissions"), Current: current == "permissions"},
		{Label: "Lanes", Href: PluginPath(id, "lanes"), Current: current == "lanes"},
		{Label: "Logs", Href: PluginPath(id, "logs"), Current: current == "logs"},
		{Label: "Activity", Href: PluginPath(id, "activity"), Current: current == "activity", Count: activity},
	}
}

// PluginOverview is the first tab.
type PluginOverview struct {
	Head       PluginHead
	Health     HealthHistory
	Metrics    []KV       // numbers the plugin reports of itself
	Edges      []LaneEdge // nil when the reader may not see traffic
	Facts      []KV
	Classes    []Class
	Dependents []Dependent
	Moments    []Moment // its last changes
}

// HealthHistory is health over time.
type HealthHistory struct {
	Bars   []Status
	From   time.Time     // of the first bar
	Each   time.Duration // what a bar stands for
	Last   *HealthCheck  // nil: never checked
	Reason string        // why it is not healthy, as the check saw it
	Uses   []Use         // what it uses over the same time, of a plugin that the core runs
}

// Use is what a plugin uses of something over time.
type Use struct {
	Label  string // Memory
	Now    string // 12.0 MiB
	Values []float64
}

// HealthCheck is one look at a plugin.
type HealthCheck struct {
	At     time.Time
	Status Status
	How    string // GET /health, heartbeat
	Took   time.Duration
	Fails  int // in a row
}

// share is what part of the bars is of a status.
func (h HealthHistory) share(s Status) float64 {
	if len(h.Bars) == 0 {
		return 0
	}
	n := 0
	for _, b := range h.Bars {
		if b == s {
			n++
		}
	}
	return float64(n) / float64(len(h.Bars))
}

// LaneEdge is what a plugin does on a lane with one other party.
type LaneEdge struct {
	Lane      Lane
	Text      string // "receives", "calls Hello Publisher"
	What      string // the type, operation or host
	PerMinute float64
	P95       time.Duration
	Denied    int
	Rule      string // that denied most
	RuleHref  string
}

// Dependent is a plugin that needs this one, or that this one needs.
type Dependent struct {
	Name   string
	Href   string
	Icon   IconName
	Status Status
	Note   string
}

// PluginPermissions is the second tab: all that it may do, and who let it.
type PluginPermissions struct {
	Head       PluginHead
	Traits     []TraitLine
	Classes    []ClassLine
	Domains    []DomainLine
	Events     []EventRight
	Operations []OperationLine
	Grants     []GrantLine
	Depends    []DependencyLine
	Grantors   []Party // who may change this
}

// TraitLine is a trait the manifest asks for.
type TraitLine struct {
	Name    string
	Meaning string // from the registry when empty
	Status  Status // accepted, waiting
	By      string
	At      time.Time
}

// ClassLine is a classification of data it may touch, and the trait that covers it.
type ClassLine struct {
	Class   Class
	Trait   string
	Covered bool
}

// DomainLine is a host it may reach through the proxy lane once approved.
type DomainLine struct {
	Host    string
	Status  Status // approved, waiting, expired, declared
	Terms   string // "GET, 443, until 18 December 2026"
	By      string
	At      time.Time
	Actions []Action
}

// EventRight is a type it publishes or receives.
type EventRight struct {
	Type     string
	Publish  bool
	Classes  []Class
	Redacted []string // fields it receives without their values
}

// OperationLine is an operation it offers on the operator lane.
type OperationLine struct {
	Name   string
	Method string
	Path   string
	Class  Class
	Traits []string // the caller must hold
}

// GrantLine is a right to call another plugin, or another's right to call this one.
type GrantLine struct {
	From, To Dependent
	What     string // "any declared operation", or a name
	By       string
	At       time.Time
	Actions  []Action
}

// DependencyLine is what it cannot work without.
type DependencyLine struct {
	Name    string // plugin id or contract
	Version string // the range asked for
	Status  Status // active, missing, …
	Href    string
}

// PluginActivity is the third tab: its audit rows.
type PluginActivity struct {
	Head PluginHead
	List AuditList
}
