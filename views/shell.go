package views

import (
	"strings"
	"time"
)

// Shell is what surrounds a page's content: rail, top bar, toasts. Handlers put
// into it only what this person may see.
type Shell struct {
	Title    string // of the document, before " · Vivified"
	Org      string // whose installation this is, below the name in the rail
	Nav      []NavGroup
	Apps     []NavItem // pages that plugins add
	Bell     *Bell     // alerts that wait; nil: not for this reader
	Mark     *Watermark
	Crumbs   []Crumb
	Person   Person
	Live     bool // the page has parts that update themselves
	Toasts   []Toast
	Idle     time.Duration // longest pause in the session; 0: none is watched
	ViewNote *Banner       // a state of the session, such as "view as", above the content
}

// Person is who is signed in.
type Person struct {
	Name  string
	Email string
}

// NavGroup is a group of the rail. A group without items is not drawn.
type NavGroup struct {
	Label string
	Icon  IconName
	Items []NavItem
}

// NavItem is a page in the rail.
type NavItem struct {
	Label   string
	Href    string
	Icon    IconName // only of an app
	Current bool
	Count   int    // of what waits there
	Tone    Tone   // of the count
	Key     string // pressed after g, it leads here
}

// Crumb is a step of the breadcrumb; the last one is the page itself.
type Crumb struct{ Label, Href string }

func (g NavGroup) current() bool {
	for _, i := range g.Items {
		if i.Current {
			return true
		}
	}
	return false
}

// waiting sums the counts of a group, for when it is closed.
func (g NavGroup) waiting() (n int, tone Tone) {
	for _, i := range g.Items {
		n += i.Count
		if i.Count > 0 && (tone == "" || worse(i.Tone, tone)) {
			tone = i.Tone
		}
	}
	return n, tone
}

func worse(a, b Tone) bool {
	for _, t := range severity {
		switch t {
		case b:
			return false
		case a:
			return true
		}
	}
	return false
}

// StandardNav returns the rail of this console for a reader at the path. The page
// it belongs to is current, also when the path lies below it. Items that may not
// be seen are left out; a group that loses all goes too.
func StandardNav(path string, may func(page string) bool) []NavGroup {
	groups := []NavGroup{
		{"Home", "house", []NavItem{{Label: "Overview", Href: PathOverview, Key: "o"}, {Label: "Approvals", Href: PathApprovals, Key: "i"}, {Label: "Alerts", Href: PathAlerts, Key: "b"}}},
		{"Plugins", "blocks", []NavItem{{Label: "Marketplace", Href: PathMarketplace, Key: "f"}, {Label: "Installed", Href: PathPlugins, Key: "p"}, {Label: "Jobs", Href: PathJobs, Key: "j"}, {Label: "Registration", Href: PathTokens, Key: "n"}}},
		{"Traffic", "waypoints", []NavItem{{Label: "Lane map", Href: PathLanes, Key: "l"}, {Label: "Events", Href: PathEvents, Key: "e"}, {Label: "Egress", Href: PathEgress, Key: "x"}}},
		{"Govern", "shield-check", []NavItem{{Label: "Policies", Href: PathPolicies, Key: "r"}, {Label: "Audit", Href: PathAudit, Key: "a"}, {Label: "Evidence", Href: PathEvidence, Key: "v"}}},
		{"People", "users", []NavItem{{Label: "Users", Href: PathUsers, Key: "u"}, {Label: "Groups", Href: PathGroups, Key: "m"}, {Label: "Roles & traits", Href: PathRoles, Key: "t"}, {Label: "API keys", Href: PathAPIKeys, Key: "k"}, {Label: "Single sign-on", Href: PathSSO, Key: "s"}}},
		{"System", "sliders-horizontal", []NavItem{{Label: "Configuration", Href: PathConfig, Key: "c"}, {Label: "Secrets", Href: PathSecrets}}},
	}
	// Who may not see the page of an item may see one below it, which then stands there.
	below := map[string]NavItem{PathEgress: {Label: "Egress credentials", Href: PathCredentials, Key: "x"}}
	var out []NavGroup
	for _, g := range groups {
		var items []NavItem
		for _, i := range g.Items {
			current := path == i.Href || i.Href != PathOverview && strings.HasPrefix(path, i.Href+"/")
			if one, ok := below[i.Href]; ok && !may(i.Href) {
				i = one
			}
			if i.Current = current; may(i.Href) {
				items = append(items, i)
			}
		}
		if len(items) > 0 {
			g.Items = items
			out = append(out, g)
		}
	}
	return out
}
