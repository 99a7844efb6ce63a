package alert

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

const (
	longest      = 30 * 24 * time.Hour // of a silence
	mostSilences = 200
)

// Silence is a time in which a rule, or one alert of it, tells nobody.
type Silence struct {
	ID       uuid.UUID
	Rule     string
	RuleName string
	Key      *string // nil: every alert of the rule
	Reason   string
	BegunAt  time.Time
	Until    time.Time
	By       string
}

// Silences returns the silences in force, the one that ends first on top.
func (s *Service) Silences(ctx context.Context) ([]Silence, error) {
	rows, err := db.New(s.Pool).AlertSilenceList(ctx, actor.From(ctx).Tenant, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	rules, err := s.Rules(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Silence, len(rows))
	for i, r := range rows {
		all[i] = silenceOf(r)
		if j := slices.IndexFunc(rules, func(one Rule) bool { return one.ID == r.Rule }); j >= 0 {
			all[i].RuleName = rules[j].Name
		}
	}
	return all, nil
}

func silenceOf(r db.AlertSilence) Silence {
	return Silence{ID: r.ID, Rule: r.Rule, RuleName: r.Rule, Key: r.Key, Reason: r.Reason, BegunAt: r.BegunAt, Until: r.Until, By: r.BegunName}
}

// Silence keeps a rule's channels from being told for a time: of every alert, or of
// those about key. It returns an Unprocessable fault without a reason or for a time
// that is none or longer than 30 days.
func (s *Service) Silence(ctx context.Context, rule string, key *string, reason string, how time.Duration) (Silence, error) {
	reason = strings.TrimSpace(reason)
	bad := text("reason", "The reason", reason, 1, mostNote)
	if how < time.Minute || how > longest {
		bad = append(bad, fault.Violation{Path: "/for", Message: "A silence lasts from one minute to 30 days."})
	}
	if bad != nil {
		return Silence{}, refused("alert.silence", bad)
	}
	one, err := s.Rule(ctx, rule)
	if err != nil {
		return Silence{}, err
	}
	who := actor.From(ctx)
	var begun Silence
	err = s.write(ctx, func(w *writing) error {
		n, err := w.q.AlertSilenceCount(ctx, who.Tenant)
		if err != nil {
			return err
		}
		if n >= mostSilences {
			return fault.New(fault.Conflict, "alert.too_many", "There are %d silences already; end one first.", mostSilences)
		}
		row, err := w.q.AlertSilenceAdd(ctx, db.AlertSilenceAddParams{
			ID: uuid.Must(uuid.NewV7()), TenantID: who.Tenant, Rule: rule, Key: key, Reason: reason, At: w.now, Until: w.now.Add(how), BegunBy: string(who.Kind) + ":" + who.ID, BegunName: who.Name,
		})
		if err != nil {
			return err
		}
		begun = silenceOf(row)
		begun.RuleName = one.Name
		w.record(audit.Entry{Action: "alert.silence", Object: row.ID.String(), Outcome: audit.OK, Rule: rule, Detail: map[string]any{"rule": one.Name, "key": key, "reason": reason, "until": row.Until}})
		return nil
	})
	return begun, err
}

// EndSilence ends a silence before its time, or returns a NotFound fault.
func (s *Service) EndSilence(ctx context.Context, id uuid.UUID) error {
	who := actor.From(ctx)
	return s.write(ctx, func(w *writing) error {
		row, err := w.q.AlertSilenceEnd(ctx, db.AlertSilenceEndParams{TenantID: who.Tenant, ID: id, At: w.now, EndedName: who.Name})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "alert.silence_unknown", "There is no such silence; it may be over.")
		}
		if err != nil {
			return err
		}
		w.record(audit.Entry{Action: "alert.silence.end", Object: id.String(), Outcome: audit.OK, Rule: row.Rule, Detail: map[string]any{"key": row.Key, "until": row.Until}})
		return nil
	})
}

// lapse ends the silences whose time is over, and has the channels told of what is
// open still.
func (s *Service) lapse(ctx context.Context) error {
	return s.write(ctx, func(w *writing) error {
		rows, err := w.q.AlertSilenceLapse(ctx, s.tenant, w.now)
		if err != nil {
			return err
		}
		for _, r := range rows {
			w.record(audit.Entry{Action: "alert.silence.end", Object: r.ID.String(), Outcome: audit.OK, Rule: r.Rule, Detail: map[string]any{"key": r.Key, "until": r.Until, "reason": "Its time was over."}})
		}
		untold, err := w.q.AlertUntold(ctx, s.tenant, w.now)
		if err != nil {
			return err
		}
		for _, a := range untold {
			if err := w.tell(ctx, a, eventOpened); err != nil {
				return err
			}
			if err := w.q.AlertTold(ctx, w.now, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
