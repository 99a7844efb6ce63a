package policy

// Explain answers r with the word of every rule that has one, in order: the
// built-in rules, then the admin rules that matched. Rules after a denial are
// listed as skipped: they were not reached.
func (p *Policy) Explain(r *Request) []Reason {
	var ladder []Reason
	by, denied, stood := p.responsible(r.Action), false, -1
	var said []spoken
	if by.admin != nil {
		said = by.admin.speaks(r)
	}
	for _, rule := range by.rules {
		if denied {
			ladder = append(ladder, Reason{Rule: rule.ID, Outcome: skipped, Sentence: rule.Sentence})
			continue
		}
		v := rule.check(r)
		if v.outcome == skip {
			continue
		}
		if v.outcome == deny && rule.Permits {
			if stands, place, ok := by.standsFor(said); ok {
				stood = place
				ladder = append(ladder, stands)
				if denied = stands.Outcome == deny.String(); !denied {
					ladder = append(ladder, Reason{Rule: rule.ID, Outcome: pass.String(), Sentence: "The rule " + stands.Rule + " stands for the grant."})
				} else {
					ladder = append(ladder, Reason{Rule: rule.ID, Outcome: skipped, Sentence: rule.Sentence})
				}
				continue
			}
		}
		ladder = append(ladder, p.reason(rule, v))
		denied = v.outcome == deny
	}
	if ladder == nil {
		return []Reason{byDefault}
	}
	if denied {
		return ladder
	}
	return append(ladder, by.objects(said, stood)...)
}

// skipped is the outcome of a rule that was not reached.
const skipped = "skipped"

// standsFor returns the word of the permit that stands for a grant, or of the
// rule that denies because it has no value where no permit matches.
func (d *duty) standsFor(said []spoken) (_ Reason, place int, ok bool) {
	for _, s := range said {
		if !s.forbid && s.truth == yes {
			return d.admin.document.reason(s.rule, pass.String(), false), s.rule, true
		}
	}
	for _, s := range said {
		if s.forbid && s.truth == yes {
			break
		}
		if s.truth == failed {
			return d.admin.document.reason(s.rule, deny.String(), true), s.rule, true
		}
	}
	return Reason{}, 0, false
}

// objects returns the words of the admin rules that deny, the first of them, and
// of those that raise the audit level. The one that stood for a grant has spoken.
func (d *duty) objects(said []spoken, stood int) (ladder []Reason) {
	denied := false
	for _, s := range said {
		doc := d.admin.document
		switch {
		case s.rule == stood:
		case !s.forbid && s.truth == yes:
			if !denied && doc.rules[s.rule].Audit > AuditNone {
				ladder = append(ladder, doc.reason(s.rule, pass.String(), false))
			}
		case denied:
			ladder = append(ladder, doc.reason(s.rule, skipped, false))
		default:
			denied = true
			ladder = append(ladder, doc.reason(s.rule, deny.String(), s.truth == failed))
		}
	}
	return ladder
}
