package views

import "time"

// Decision is one decision of the policy, with all facts and rules.
type Decision struct {
	ID      string
	Allowed bool
	Title   string // "Hello Lurker could not call get_profile"
	At      time.Time
	Who     Party
	For     *Party // whom a plugin acted for
	Action  string // operator.call
	Object  string // for people
	Lane    Lane   // empty: none
	Classes []Class
	Trace   string
	Record  string // address of its audit record
	Seq     int64
	Steps   []Step
	Facts   []KV     // every other fact the decision was made from
	Duties  []string // obligations that came with an allow, as sentences
	Missing []MissingTrait
	Note    string // "Deny wins; policy version 41"
}

// MissingTrait is a trait that would have changed the decision, and who may grant it.
type MissingTrait struct {
	Name     string
	Of       string // who lacks it
	Grantors []Party
}

func (d Decision) outcome() Status {
	if d.Allowed {
		return Allowed
	}
	return Denied
}

// grantors lists everyone who may grant a missing trait, once each.
func (d Decision) grantors() []Party {
	var out []Party
	seen := map[string]bool{}
	for _, m := range d.Missing {
		for _, g := range m.Grantors {
			if !seen[g.Name] {
				seen[g.Name] = true
				out = append(out, g)
			}
		}
	}
	return out
}
