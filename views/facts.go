package views

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// KV is one labelled fact.
type KV struct {
	Label string
	Value string
	Mono  bool
	Href  string          // makes the value a link
	Copy  bool            // offers to copy the whole value, which is shown shortened
	Body  templ.Component // instead of Value, for what is more than text
}

// Moment is one entry of a timeline.
type Moment struct {
	At   time.Time
	Tone Tone
	Icon IconName
	Text string
	Note string
	Href string
}

func (m Moment) icon() IconName {
	if m.Icon != "" {
		return m.Icon
	}
	return m.Tone.icon()
}

// Change is one line of a comparison. A value that was added has no Before, one
// that was removed no After; one that stayed has both alike.
type Change struct {
	Name          string
	Before, After string
	Added, Gone   bool // tells a missing value from an empty one
}

func (c Change) same() bool { return !c.Added && !c.Gone && c.Before == c.After }

// Tab is one view of an object, with its own address.
type Tab struct {
	Label   string
	Href    string
	Count   int // shown when above zero
	Current bool
}

// Step is one rule of a decision, in the order decided.
type Step struct {
	Rule    string // stable id, such as data.class
	Verdict Verdict
	Text    string   // the rule's sentence for this case
	Missing []string // traits whose absence decided
	Held    []string // traits that were looked at and held
}

// Verdict is what a rule said.
type Verdict string

// The verdicts.
const (
	Pass       Verdict = "pass"
	Deny       Verdict = "deny"
	NotApplied Verdict = "none"    // the rule does not apply here
	NotReached Verdict = "skipped" // already denied
)

type verdictLook struct {
	tone  Tone
	icon  IconName
	word  string
	class string
}

var verdicts = map[Verdict]verdictLook{
	Pass:       {OK, "circle-check", "Pass", ""},
	Deny:       {Danger, "ban", "Deny", "deny"},
	NotApplied: {Neutral, "circle-dashed", "Does not apply", "skip"},
	NotReached: {Neutral, "circle-dashed", "Not needed", "skip"},
}

func (v Verdict) look() verdictLook {
	if l, ok := verdicts[v]; ok {
		return l
	}
	return verdictLook{Neutral, "circle-dashed", string(v), "skip"}
}

// stripTones are the tones of a health strip, with the height of a bar: the
// taller, the worse, so that colour only repeats it.
var stripTones = []struct {
	class    string
	height   int
	statuses []Status
}{
	{"ok", 9, []Status{Healthy}},
	{"warn", 14, []Status{Degraded}},
	{"danger", 20, []Status{Unhealthy, Quarantined}},
	{"none", 3, nil},
}

// stripPath returns the bars of one tone as an SVG path, strokes of 8 in steps of 10.
func stripPath(bars []Status, tone int) string {
	var b strings.Builder
	x := 0 // where the pen is
	for i, s := range bars {
		if toneOfBar(s) != tone {
			continue
		}
		at, h := i*10+4, stripTones[tone].height
		if b.Len() == 0 {
			b.WriteString("M" + strconv.Itoa(at) + " 20")
		} else {
			b.WriteString("m" + strconv.Itoa(at-x) + " " + strconv.Itoa(h))
		}
		b.WriteString("v-" + strconv.Itoa(h))
		x = at
	}
	return b.String()
}

func toneOfBar(s Status) int {
	for i, t := range stripTones {
		for _, one := range t.statuses {
			if one == s {
				return i
			}
		}
	}
	return len(stripTones) - 1
}

// sparkPath returns a line through the values in a box of 240 by 40, and the y of
// its last point. The top is the highest value, with a little air above it.
func sparkPath(values []float64) string {
	if len(values) < 2 {
		return "M0 39H240"
	}
	top := 0.0
	for _, v := range values {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			top = max(top, v)
		}
	}
	var b strings.Builder
	for i, v := range values {
		x := 240 * float64(i) / float64(len(values)-1)
		y := 39.0
		if top > 0 && v > 0 {
			y = 39 - 35*min(v, top)/top
		}
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(short(x) + " " + short(y))
	}
	return b.String()
}

// denyPath marks the places of denials along the foot of a sparkline.
func denyPath(at []int, of int) string {
	var b strings.Builder
	for _, i := range at {
		if of < 2 || i < 0 || i >= of {
			continue
		}
		b.WriteString("M" + short(240*float64(i)/float64(of-1)) + " 40v-5")
	}
	return b.String()
}

// short writes a coordinate with one digit, or none.
func short(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// stripBox is the view box of a health strip.
func stripBox(bars []Status) string { return "0 0 " + strconv.Itoa(max(len(bars)*10-2, 8)) + " 20" }

// kvText is a fact's value as shown: digests and long identifiers are shortened.
func kvText(kv KV) string {
	switch {
	case !kv.Copy:
		return kv.Value
	case strings.Contains(kv.Value, ":"):
		return shortHash(kv.Value)
	default:
		return shorten(kv.Value)
	}
}
