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
	Rule    string // that denied
	Because string // its sentence
	Now     *DecidedNow
	Actions []Action // ask for what would let it pass, or give it
	Steps   []Step
	Facts   []KV     // every other fact the decision was made from
	Duties  []string // obligations that came with an allow, as sentences
	Missing []MissingTrait
	Remedy  string  // what else would let it pass, as a sentence
	Helpers []Party // who may give that
	Note    string  // "Deny wins; policy version 41"
}

// MissingTrait is a trait that would have changed the decision, and who may grant it.
type MissingTrait struct {
	Name      string
	Of        string   // who lacks it
	ImpliedBy []string // traits that bring it along
	Grantors  []Party
}

// DecidedNow is what would be decided with the rights of today.
type DecidedNow struct {
	Passes bool
	Text   string // why not, or what changed
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
	for _, g := range d.Helpers {
		if !seen[g.Name] {
			seen[g.Name] = true
			out = append(out, g)
		}
	}
	return out
}
