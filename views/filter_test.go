package views_test

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/vivified/vivified/views"
)

// links returns the addresses on a drawn part, in order.
func links(d doc) []string {
	var out []string
	for _, g := range d.tags {
		if href, ok := g.attr("href"); ok && g.name == "a" {
			out = append(out, href)
		}
	}
	return out
}

func TestFilterLivesInTheAddress(t *testing.T) {
	q, err := url.ParseQuery("q=fax&actor=Mara+Lindqvist&outcome=deny&range=7d")
	if err != nil {
		t.Fatal(err)
	}
	bar := views.ReadAuditFilter(q).Bar(views.PathAudit, nil, nil)
	got := links(parse(t, draw(t, views.FilterBar(bar), views.Prefs{})))
	want := []string{
		// the ranges; the usual one is not written
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&q=fax&range=15m",
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&q=fax&range=1h",
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&q=fax",
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&q=fax&range=7d",
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&q=fax&range=custom",
		// the chips, each without its own part
		"/console/audit?actor=Mara+Lindqvist&outcome=deny&range=7d",
		"/console/audit?outcome=deny&q=fax&range=7d",
		"/console/audit?actor=Mara+Lindqvist&q=fax&range=7d",
		"/console/audit?range=7d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := bar.Link(views.PathExport, url.Values{"format": {"csv"}}); got != "/console/audit/export?actor=Mara+Lindqvist&format=csv&outcome=deny&q=fax&range=7d" {
		t.Errorf("an export of the filter is at %s", got)
	}
	if !bar.On() || views.ReadAuditFilter(url.Values{"range": {"1h"}}).Bar(views.PathAudit, nil, nil).On() {
		t.Error("a filter is on when it leaves something out besides the time")
	}
}

func TestRangeBounds(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		query    string
		from, to time.Time
		ok       bool
	}{
		{"", now.Add(-24 * time.Hour), time.Time{}, true},
		{"range=15m", now.Add(-15 * time.Minute), time.Time{}, true},
		{"range=forever", now.Add(-24 * time.Hour), time.Time{}, true},
		{"range=7d&from=2020-01-01T00:00", now.Add(-7 * 24 * time.Hour), time.Time{}, true},
		{"range=custom", time.Time{}, time.Time{}, true},
		{"range=custom&from=2026-11-01T10:00&to=2026-11-02T10:00:30", time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 9, 0, 30, 0, time.UTC), true},
		{"range=custom&from=2026-11-01T10:00:00Z", time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC), time.Time{}, true},
		{"range=custom&from=yesterday", time.Time{}, time.Time{}, false},
	} {
		q, err := url.ParseQuery(row.query)
		if err != nil {
			t.Fatal(err)
		}
		from, to, ok := views.ReadRange(q).Bounds(now, berlin)
		if !from.Equal(row.from) || !to.Equal(row.to) || ok != row.ok {
			t.Errorf("%q covers %v to %v, %v; want %v to %v, %v", row.query, from, to, ok, row.from, row.to, row.ok)
		}
	}
	if from, _, ok := (views.Range{}).Bounds(now, time.UTC); !ok || !from.Equal(now.Add(-24*time.Hour)) {
		t.Errorf("an empty range begins at %v", from)
	}
}

func FuzzRange(f *testing.F) {
	f.Add("custom", "2026-11-01T10:00", "")
	f.Fuzz(func(t *testing.T, value, from, to string) {
		views.ReadRange(url.Values{"range": {value}, "from": {from}, "to": {to}}).Bounds(now, time.UTC)
	})
}

func TestAddresses(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{views.PluginPath("fax-bridge"), "/console/plugins/fax-bridge"},
		{views.PluginPath("fax-bridge", "activity"), "/console/plugins/fax-bridge/activity"},
		{views.PluginPath("../admin"), "/console/plugins/..%2Fadmin"},
		{views.UserPath("a?b#c", "roles"), "/console/users/a%3Fb%23c/roles"},
		{views.RecordPath("lane/core-1", 12), "/console/audit/lane~core-1/12"},
		{views.ChainOfSegment(views.ChainSegment("lane/core-1")), "lane/core-1"},
	} {
		if row.got != row.want {
			t.Errorf("%s, want %s", row.got, row.want)
		}
	}
}

func TestOnlyLocalAddressesBecomeLinks(t *testing.T) {
	for href, want := range map[string]string{
		"/console": "/console", "?open=1": "?open=1", "#main": "#main", "": "#",
		"//evil.test": "#", "/\\evil.test": "#", "/\tevil": "#", "https://evil.test": "#", "javascript:x": "#", "console": "#", "data:,x": "#",
	} {
		d := parse(t, draw(t, views.Button(views.Action{Label: "x", Get: true, Href: href}), views.Prefs{}))
		if got := links(d)[0]; got != want {
			t.Errorf("%q becomes a link to %q, want %q", href, got, want)
		}
	}
}

func TestRailShowsOnlyWhatMayBeSeen(t *testing.T) {
	nav := views.StandardNav(views.PluginPath("fax", "activity"), func(page string) bool { return page == views.PathPlugins || page == views.PathOverview })
	var seen []string
	for _, g := range nav {
		for _, i := range g.Items {
			mark := ""
			if i.Current {
				mark = " here"
			}
			seen = append(seen, g.Label+" / "+i.Label+mark)
		}
	}
	if diff := cmp.Diff([]string{"Home / Overview", "Plugins / Installed here"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestWorstComesFirst(t *testing.T) {
	_, body := samples()[6].draw(nil)
	page := draw(t, body, views.Prefs{})
	last := -1
	for _, title := range []string{"Fax Bridge is unhealthy", "1 egress domain waits", "42 denials", "A plugin waits to be enabled"} {
		at := strings.Index(page, title)
		if at < last {
			t.Errorf("%q stands too early", title)
		}
		last = at
	}
	if strings.Count(page, `class="worst"`) != 1 {
		t.Error("exactly one item is tinted, the worst")
	}
}

func TestDisabledActionsSayWhy(t *testing.T) {
	why := views.Why{Text: "Only plugin managers may.", Trait: "plugin_manager", Grantors: []string{"A", "B", "C", "D"}, Decision: "d1"}
	action := views.Action{Label: "Disable", Href: "/x", Why: &why}
	d := parse(t, draw(t, views.Button(action), views.Prefs{})+draw(t, views.Whys([]views.Action{action}), views.Prefs{}))
	d.referencesExist(t)
	for _, g := range d.tags {
		if g.name == "form" || g.name == "a" && !strings.Contains(attrOf(g, "href"), "/console/decisions/d1") {
			t.Errorf("an action that is not permitted can still be used: <%s %v>", g.name, g.attrs)
		}
	}
	text := textOf(d.source)
	if want := "Disable: Only plugin managers may. Needs the trait plugin_manager. A, B and 2 others may grant it. Why"; !strings.Contains(text, want) {
		t.Errorf("%q lacks %q", text, want)
	}
}

func attrOf(g tag, name string) string {
	value, _ := g.attr(name)
	return value
}

// textOf returns what a page says, with its white space made single spaces.
func textOf(source string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(source))
	for z.Next() != html.ErrorToken {
		if token := z.Token(); token.Type == html.TextToken {
			b.WriteString(token.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestFigures(t *testing.T) {
	tile := func(l views.LaneTile) string {
		l.Lane = views.Operator
		return textOf(draw(t, views.LaneCard(l), views.Prefs{}))
	}
	for _, row := range []struct {
		tile views.LaneTile
		want string
	}{
		{views.LaneTile{}, "0 /min – p95 0 % denied"},
		{views.LaneTile{PerMinute: 64.94, P95: 18720 * time.Microsecond, Denied: 0.021}, "64.9 /min 18.7 ms p95 2.1 % denied"},
		{views.LaneTile{PerMinute: 12345.6, P95: 212 * time.Millisecond, Denied: 0.0004}, "12,346 /min 212 ms p95 0.04 % denied"},
		{views.LaneTile{PerMinute: 12, P95: 1900 * time.Millisecond, Denied: 1}, "12 /min 1.9 s p95 100 % denied"},
	} {
		if got := tile(row.tile); !strings.Contains(got, row.want) {
			t.Errorf("%q lacks %q", got, row.want)
		}
	}
}

func TestIdentifiersAreShortenedAndCopiedWhole(t *testing.T) {
	long := "01959f3c-7a10-7e4c-9d21-6f2ab0c41d55"
	html := draw(t, views.ID(long), views.Prefs{})
	if !strings.Contains(html, ">01959f3c…1d55<") || !strings.Contains(html, `data-copy="`+long+`"`) {
		t.Error(html)
	}
	if html := draw(t, views.ID("hello-greeter"), views.Prefs{}); !strings.Contains(html, ">hello-greeter<") {
		t.Error(html)
	}
}

func TestHealthStripIsTallerWhereWorse(t *testing.T) {
	html := draw(t, views.HealthStrip("x", []views.Status{views.Healthy, views.Healthy, views.Degraded, views.Unhealthy, views.Unknown}, true), views.Prefs{})
	for _, want := range []string{`class="ok" stroke-width="8" d="M4 20v-9m10 9v-9"`, `class="warn" stroke-width="8" d="M24 20v-14"`, `class="danger" stroke-width="8" d="M34 20v-20"`, `class="none" stroke-width="8" d="M44 20v-3"`, `viewBox="0 0 48 20"`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s lacks %s", html, want)
		}
	}
}

func TestSparklineOfOddSeries(t *testing.T) {
	for name, series := range map[string][]float64{"none": nil, "one": {3}, "zeros": {0, 0, 0}, "negative": {-1, 2}, "not numbers": {math.NaN(), math.Inf(1), math.Inf(-1), 3}} {
		d := parse(t, draw(t, views.Sparkline("x", series, []int{-1, 0, 99}), views.Prefs{}))
		for _, g := range d.tags {
			if path := attrOf(g, "d"); strings.Contains(path, "NaN") || strings.Contains(path, "Inf") {
				t.Errorf("%s: %s", name, path)
			}
		}
	}
}
