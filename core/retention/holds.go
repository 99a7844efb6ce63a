package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// maxHolds bounds the holds in force of a tenant: each is asked for each record.
const maxHolds = 100

// Scope is what a hold keeps. Empty fields ask for nothing; an empty Scope keeps everything.
type Scope struct {
	Plugin string // id of a plugin that acted, was acted upon, or was to receive an event
	Actor  string // id, name or e-mail address of who acted or was acted for
	Object string // exact, or a prefix followed by *
	Class  string // a data class touched
	Since  *time.Time
	Until  *time.Time
}

// Hold keeps records from being purged.
type Hold struct {
	ID         uuid.UUID
	Name       string
	Reason     string
	Scope      Scope
	PlacedBy   string // kind:id
	PlacedName string
	PlacedAt   time.Time
	LiftedName string
	LiftedAt   *time.Time // nil: it is in force
	LiftReason string
}

func holdOf(r db.AuditHold) Hold {
	return Hold{
		ID: r.ID, Name: r.Name, Reason: r.Reason, Scope: Scope{r.Plugin, r.Actor, r.Object, r.Class, r.Since, r.Until},
		PlacedBy: r.PlacedBy, PlacedName: r.PlacedName, PlacedAt: r.PlacedAt, LiftedName: r.LiftedName, LiftedAt: r.LiftedAt, LiftReason: r.LiftReason,
	}
}

func unknownHold() error {
	return fault.New(fault.NotFound, "retention.hold_unknown", "There is no such hold.")
}

// Holds returns the holds of the actor's tenant, those in force first; of the lifted
// ones the latest.
func (s *Service) Holds(ctx context.Context) ([]Hold, error) {
	rows, err := db.New(s.Pool).HoldList(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	holds := make([]Hold, len(rows))
	for i, r := range rows {
		holds[i] = holdOf(r)
	}
	return holds, nil
}

// Hold returns one hold, or a NotFound fault.
func (s *Service) Hold(ctx context.Context, id uuid.UUID) (Hold, error) {
	row, err := db.New(s.Pool).HoldGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Hold{}, unknownHold()
	}
	return holdOf(row), db.Fault(err)
}

// Place places a hold. It returns an Unprocessable fault that lists what is wrong with
// it, or a Conflict fault when the name is taken or there are too many. A purge that is
// under way takes nothing that the hold keeps from the moment Place returns.
func (s *Service) Place(ctx context.Context, name, reason string, keep Scope) (Hold, error) {
	name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
	for _, text := range []*string{&keep.Plugin, &keep.Actor, &keep.Object, &keep.Class} {
		*text = strings.TrimSpace(*text)
	}
	if err := checkHold(name, reason, keep); err != nil {
		return Hold{}, err
	}
	who := actor.From(ctx)
	var placed Hold
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := q.RetentionLock(ctx); err != nil {
			return err
		}
		n, err := q.HoldCount(ctx, who.Tenant)
		if err != nil {
			return err
		}
		if n >= maxHolds {
			return fault.New(fault.Conflict, "retention.too_many", "There are %d holds already; lift one first.", maxHolds)
		}
		ids := []string{}
		if keep.Actor != "" {
			if ids, err = q.AuditActorIDs(ctx, who.Tenant, keep.Actor); err != nil {
				return err
			}
		}
		row, err := q.HoldInsert(ctx, db.HoldInsertParams{
			ID: uuid.Must(uuid.NewV7()), TenantID: who.Tenant, Name: name, Reason: reason, Plugin: keep.Plugin, Actor: keep.Actor, ActorIds: ids,
			Object: keep.Object, Class: keep.Class, Since: keep.Since, Until: keep.Until, PlacedBy: string(who.Kind) + ":" + who.ID, PlacedName: who.Name, PlacedAt: s.Now(),
		})
		if db.Violates(err, "audit_holds_name") {
			return fault.New(fault.Conflict, "retention.name_taken", "There is a hold of that name already; choose another.")
		}
		if err != nil {
			return err
		}
		placed = holdOf(row)
		return audit.Append(ctx, q, audit.Entry{Action: "audit.hold.place", Object: row.ID.String(), Outcome: audit.OK, After: described(row)})
	})
	return placed, err
}

// Lift ends a hold. It returns a NotFound fault for one that is none, or a Conflict
// fault for one that was lifted before.
func (s *Service) Lift(ctx context.Context, id uuid.UUID, reason string) (Hold, error) {
	reason = strings.TrimSpace(reason)
	if bad := text("reason", "Reason", reason, 1, 500); bad != nil {
		return Hold{}, refused(bad)
	}
	who := actor.From(ctx)
	was, err := s.Hold(ctx, id)
	if err != nil {
		return Hold{}, err
	}
	var lifted Hold
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.HoldLift(ctx, db.HoldLiftParams{LiftedBy: string(who.Kind) + ":" + who.ID, LiftedName: who.Name, At: s.Now(), Reason: reason, TenantID: who.Tenant, ID: id})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.Conflict, "retention.lifted", "The hold %s was lifted before.", was.Name)
		}
		if err != nil {
			return err
		}
		lifted = holdOf(row)
		return audit.Append(ctx, q, audit.Entry{Action: "audit.hold.lift", Object: id.String(), Outcome: audit.OK, Before: described(row), Detail: map[string]string{"reason": reason}})
	})
	return lifted, err
}

func checkHold(name, reason string, keep Scope) error {
	bad := append(text("name", "Name", name, 1, 100), text("reason", "Reason", reason, 1, 500)...)
	bad = append(bad, text("plugin", "Plugin", keep.Plugin, 0, 256)...)
	bad = append(bad, text("actor", "Actor", keep.Actor, 0, 256)...)
	bad = append(bad, text("object", "Object", keep.Object, 0, 2000)...)
	if _, ok := trait.ParseClass(keep.Class); keep.Class != "" && !ok {
		bad = append(bad, fault.Violation{Path: "/class", Message: "It is public, internal, confidential, pii or phi."})
	}
	if keep.Since != nil && keep.Until != nil && !keep.Since.Before(*keep.Until) {
		bad = append(bad, fault.Violation{Path: "/until", Message: "It must lie after the time the hold begins at."})
	}
	return refused(bad)
}

// text says what is wrong with a text of so many characters.
func text(field, label, value string, least, most int) []fault.Violation {
	n := utf8.RuneCountInString(value)
	if n >= least && n <= most && utf8.ValidString(value) && !strings.ContainsRune(value, 0) {
		return nil
	}
	return []fault.Violation{{Path: "/" + field, Message: fmt.Sprintf("%s: %d to %d characters.", label, least, most)}}
}

func refused(bad []fault.Violation) error {
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.Unprocessable, "retention.hold", "The hold cannot be like that: %s", bad[0].Message)
	for i := range bad {
		bad[i].Rule = f.Code
	}
	f.Violations = bad
	return f
}

// described is a hold as the audit keeps it.
func described(r db.AuditHold) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{ // text and times always marshal
		"name": r.Name, "reason": r.Reason, "plugin": r.Plugin, "actor": r.Actor, "actor_ids": r.ActorIds, "object": r.Object, "class": r.Class, "since": r.Since, "until": r.Until,
	})
	return raw
}
