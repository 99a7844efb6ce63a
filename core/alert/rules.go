package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// mostRules bounds the rules of a tenant: each is held against each record.
const mostRules = 100

func noRule() error {
	return fault.New(fault.NotFound, "alert.rule_unknown", "There is no such rule; it may have been removed.")
}

// Rules returns every rule: shipped ones, as they were changed, then others by name.
func (s *Service) Rules(ctx context.Context) ([]Rule, error) {
	rows, err := db.New(s.Pool).AlertRuleList(ctx, cmp.Or(actor.From(ctx).Tenant, s.tenant))
	if err != nil {
		return nil, db.Fault(err)
	}
	rules := builtin()
	shipped := len(rules)
	for _, row := range rows {
		r, err := ruleOf(row)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(rules[:shipped], func(b Rule) bool { return b.ID == r.ID }); i >= 0 {
			r.Builtin, r.Changed = true, true
			rules[i] = r
		} else {
			rules = append(rules, r)
		}
	}
	slices.SortStableFunc(rules[shipped:], func(a, b Rule) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return rules, nil
}

func ruleOf(row db.AlertRule) (Rule, error) {
	r := Rule{ID: row.ID, Name: row.Name, Enabled: row.Enabled, Version: row.Version, By: row.ChangedName, At: row.ChangedAt}
	return r, json.Unmarshal(row.Spec, &r.Spec)
}

// Rule returns one rule, or a NotFound fault.
func (s *Service) Rule(ctx context.Context, id string) (Rule, error) {
	rules, err := s.Rules(ctx)
	if err != nil {
		return Rule{}, err
	}
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, noRule()
	}
	return rules[i], nil
}

// Add adds a rule. It returns an Unprocessable fault that lists what is wrong with
// it, or a Conflict fault when the name is taken or there are too many.
func (s *Service) Add(ctx context.Context, name string, enabled bool, in Spec) (Rule, error) {
	name = strings.TrimSpace(name)
	if err := in.check(name); err != nil {
		return Rule{}, err
	}
	rules, err := s.Rules(ctx)
	if err != nil {
		return Rule{}, err
	}
	if len(rules) >= mostRules {
		return Rule{}, fault.New(fault.Conflict, "alert.too_many", "There are %d rules already; remove one first.", mostRules)
	}
	if slices.ContainsFunc(rules, func(r Rule) bool { return strings.EqualFold(r.Name, name) }) {
		return Rule{}, nameTaken()
	}
	return s.keep(ctx, "alert.rule.add", Rule{ID: uuid.Must(uuid.NewV7()).String(), Name: name, Enabled: enabled, Spec: in}, nil)
}

func nameTaken() error {
	return fault.New(fault.Conflict, "alert.name_taken", "There is a rule of that name already; choose another.")
}

// Change changes a rule whose version the caller saw. It returns a Conflict fault
// when somebody else changed it meanwhile.
func (s *Service) Change(ctx context.Context, id string, version int64, name string, enabled bool, in Spec) (Rule, error) {
	name = strings.TrimSpace(name)
	if err := in.check(name); err != nil {
		return Rule{}, err
	}
	rules, err := s.Rules(ctx)
	if err != nil {
		return Rule{}, err
	}
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, noRule()
	}
	if slices.ContainsFunc(rules, func(r Rule) bool { return r.ID != id && strings.EqualFold(r.Name, name) }) {
		return Rule{}, nameTaken()
	}
	was := rules[i]
	if was.Version != version {
		return Rule{}, changedMeanwhile()
	}
	is := was
	is.Name, is.Enabled, is.Spec = name, enabled, in
	return s.keep(ctx, "alert.rule.change", is, &was)
}

func changedMeanwhile() error {
	return fault.New(fault.Conflict, "alert.changed", "Somebody else changed this rule meanwhile; look again.")
}

// keep writes a rule. was is nil for a new one.
func (s *Service) keep(ctx context.Context, action string, r Rule, was *Rule) (Rule, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return Rule{}, err
	}
	who := actor.From(ctx)
	by := string(who.Kind) + ":" + who.ID
	var kept Rule
	err = s.write(ctx, func(w *writing) error {
		var row db.AlertRule
		var err error
		if was == nil || was.Version == 0 { // a shipped rule is not in the table before somebody changes it
			row, err = w.q.AlertRuleInsert(ctx, db.AlertRuleInsertParams{TenantID: who.Tenant, ID: r.ID, Name: r.Name, Spec: spec, Enabled: r.Enabled, Version: 1, ChangedBy: by, ChangedName: who.Name, At: w.now})
			if db.Violates(err, "alert_rules_pkey") {
				return changedMeanwhile()
			}
		} else {
			var there db.AlertRule
			if there, err = w.q.AlertRuleLock(ctx, who.Tenant, r.ID); errors.Is(err, pgx.ErrNoRows) || err == nil && there.Version != was.Version {
				return changedMeanwhile()
			}
			if err == nil {
				row, err = w.q.AlertRuleUpdate(ctx, db.AlertRuleUpdateParams{TenantID: who.Tenant, ID: r.ID, Name: r.Name, Spec: spec, Enabled: r.Enabled, ChangedBy: by, ChangedName: who.Name, At: w.now})
			}
		}
		if db.Violates(err, "alert_rules_name") {
			return nameTaken()
		}
		if err != nil {
			return err
		}
		if kept, err = ruleOf(row); err != nil {
			return err
		}
		kept.Builtin, kept.Changed = r.Builtin, r.Builtin
		e := audit.Entry{Action: action, Object: r.ID, Outcome: audit.OK, After: described(&kept)}
		if was != nil {
			e.Before = described(was)
		}
		w.record(e)
		return nil
	})
	return kept, err
}

// Remove removes a rule; a shipped one is as shipped again. What it opened ends.
// It returns a Conflict fault for a shipped one that nobody changed.
func (s *Service) Remove(ctx context.Context, id string) error {
	was, err := s.Rule(ctx, id)
	if err != nil {
		return err
	}
	if was.Version == 0 {
		return fault.New(fault.Conflict, "alert.shipped", "This rule is as shipped. Switch it off if it should find nothing.")
	}
	return s.write(ctx, func(w *writing) error {
		_, err := w.q.AlertRuleDelete(ctx, actor.From(ctx).Tenant, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return noRule()
		}
		if err != nil {
			return err
		}
		action := "alert.rule.remove"
		if was.Builtin {
			action = "alert.rule.reset"
		}
		w.record(audit.Entry{Action: action, Object: id, Outcome: audit.OK, Before: described(&was)})
		return nil
	})
}

// described is a rule as the audit keeps it.
func described(r *Rule) json.RawMessage {
	raw, _ := json.Marshal(struct { // text and numbers always marshal
		Name    string `json:"name"`
		Enabled bool   `json:"enabled"`
		Spec
	}{r.Name, r.Enabled, r.Spec})
	return raw
}

// inForce returns the rules that are held against records now.
func (s *Service) inForce(ctx context.Context) ([]watched, error) {
	rules, err := s.Rules(ctx)
	if err != nil {
		return nil, err
	}
	var all []watched
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		w, err := s.watch(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// watch looks up whom a rule means.
func (s *Service) watch(ctx context.Context, r Rule) (watched, error) {
	w := watched{Rule: r}
	ids := func(m *Match) ([]string, error) {
		if m == nil || m.Actor == "" {
			return nil, nil
		}
		ids, err := db.New(s.Pool).AuditActorIDs(ctx, s.tenant, m.Actor)
		return append(ids, m.Actor), err
	}
	var err error
	if w.actors, err = ids(&r.Match); err == nil {
		w.clearing, err = ids(r.Clear)
	}
	return w, db.Fault(err)
}
