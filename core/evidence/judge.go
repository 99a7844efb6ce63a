package evidence

import "time"

// Status is how far the facts meet a control.
type Status string

// The statuses, best first.
const (
	InPlace Status = "in_place"
	Partly  Status = "partly"
	Missing Status = "missing"
)

// Evidence is what can be shown of an installation at one moment.
type Evidence struct {
	At           time.Time `json:"at"`
	Days         int       `json:"days"`
	Since        time.Time `json:"since"`
	Organisation string    `json:"organisation"`
	Address      string    `json:"address"` // of the core
	Version      string    `json:"version"` // of the core
	Controls     []Control `json:"controls"`
}

// Control is one control of the rule, and what is there for it.
type Control struct {
	ID         string  `json:"id"`
	Reference  string  `json:"reference"` // where the rule says so
	Title      string  `json:"title"`
	Asks       string  `json:"asks"`
	Status     Status  `json:"status"`
	Configured []Fact  `json:"configured"`
	Records    []Trail `json:"records"`
	Missing    []Gap   `json:"missing"`
	Beyond     string  `json:"beyond"` // what the core cannot see
}

// Fact is one thing that is configured.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Page  Page   `json:"page,omitempty"` // where it is seen
}

// Trail is a kind of record that proves a control.
type Trail struct {
	Action string     `json:"action"`
	Text   string     `json:"text"`
	Last   *time.Time `json:"last"` // in the period; null: none
}

// Gap is something that is missing.
type Gap struct {
	Text string `json:"text"`
	Do   string `json:"do"`
	Page Page   `json:"page,omitempty"` // where that is done; "": a setting
}

// Judge holds the facts against every control. Equal facts have equal answers.
func Judge(f *Facts) []Control {
	all := make([]Control, len(controls))
	for i, c := range controls {
		one := Control{ID: c.id, Reference: c.ref, Title: c.title, Asks: c.asks, Status: InPlace, Configured: c.facts(f), Records: []Trail{}, Missing: []Gap{}, Beyond: c.beyond}
		lacks := func(g Gap, grave bool) {
			one.Missing = append(one.Missing, g)
			if grave {
				one.Status = Missing
			} else if one.Status == InPlace {
				one.Status = Partly
			}
		}
		proved := c.rare
		for _, t := range c.trails {
			r := Trail{Action: t.action, Text: t.text}
			if at, ok := f.Last[t.action]; ok {
				r.Last, proved = &at, true
			}
			one.Records = append(one.Records, r)
		}
		for _, k := range checks {
			if k.control == c.id {
				if text := k.lacks(f); text != "" {
					lacks(Gap{Text: text, Do: k.do, Page: k.page}, k.grave)
				}
			}
		}
		if !proved {
			lacks(Gap{Text: "Nothing was recorded in this period that shows it at work.", Do: "Choose a longer period, or find out why it was not used.", Page: Audit}, false)
		}
		all[i] = one
	}
	return all
}
