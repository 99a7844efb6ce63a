package handlers

import (
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/retention"
)

// purgeView is what a purge did.
type purgeView struct {
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	By       string    `json:"by"` // "": its time had come
	Records  int64     `json:"records"`
	Archives int64     `json:"archives"`
	Error    string    `json:"error,omitempty"`
}

func purgeOf(p retention.Purged) purgeView {
	return purgeView{p.Began.UTC(), p.Ended.UTC(), p.By, p.Records, p.Archives, p.Error}
}

// dueView is what the next purge would do to one chain.
type dueView struct {
	Chain   string    `json:"chain"`
	First   int64     `json:"first"`
	Records int64     `json:"records"`
	Stays   int64     `json:"stays"`
	StaysAt time.Time `json:"stays_at"`
	Hold    string    `json:"hold,omitempty"`
}

// nextPurge returns when the next purge is due, now at the earliest, and what it would take.
func (s *Server) nextPurge(c echo.Context) (time.Time, []retention.Due, error) {
	ctx := c.Request().Context()
	at, err := s.Retention.Next(ctx)
	if err != nil {
		return at, nil, err
	}
	if now := s.Retention.Now(); at.Before(now) {
		at = now
	}
	all, err := s.Retention.Preview(ctx, at)
	return at, all, err
}

// showRetention handles GET /admin/audit/retention.
func (s *Server) showRetention(c echo.Context) error {
	at, all, err := s.nextPurge(c)
	if err != nil {
		return err
	}
	last, err := s.Retention.Last(c.Request().Context())
	if err != nil {
		return err
	}
	k, chains := s.Retention.Kept(), []dueView{}
	for _, d := range all {
		chains = append(chains, dueView{d.Chain, d.First, d.Records(), d.Stays, d.StaysAt.UTC(), d.Hold})
	}
	answer := map[string]any{
		"keep_days":  map[string]int{"phi": k.PHI, "pii": k.PII, "confidential": k.Confidential, "security": k.Security, "other": k.Other},
		"next_purge": at.UTC(), "chains": chains, "last_purge": nil,
	}
	if last != nil {
		answer["last_purge"] = purgeOf(*last)
	}
	return c.JSON(http.StatusOK, answer)
}

// purgeAudit handles POST /admin/audit/retention/purge.
func (s *Server) purgeAudit(c echo.Context) error {
	done, err := s.Retention.Purge(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, purgeOf(done))
}

// holdView is a hold on the audit.
type holdView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Reason     string     `json:"reason"`
	Plugin     string     `json:"plugin,omitempty"`
	Actor      string     `json:"actor,omitempty"`
	Object     string     `json:"object,omitempty"`
	Class      string     `json:"class,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	PlacedBy   string     `json:"placed_by"`
	PlacedName string     `json:"placed_name"`
	PlacedAt   time.Time  `json:"placed_at"`
	LiftedName string     `json:"lifted_name,omitempty"`
	LiftedAt   *time.Time `json:"lifted_at"`
	LiftReason string     `json:"lift_reason,omitempty"`
}

func holdOf(h retention.Hold) holdView {
	k := h.Scope
	return holdView{
		h.ID.String(), h.Name, h.Reason, k.Plugin, k.Actor, k.Object, k.Class, k.Since, k.Until, h.PlacedBy, h.PlacedName, h.PlacedAt.UTC(), h.LiftedName, h.LiftedAt, h.LiftReason,
	}
}

// holdAt returns the hold in the address.
func (s *Server) holdAt(c echo.Context) (retention.Hold, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return retention.Hold{}, fault.New(fault.NotFound, "retention.hold_unknown", "There is no such hold.")
	}
	return s.Retention.Hold(c.Request().Context(), id)
}

// listHolds handles GET /admin/audit/holds.
func (s *Server) listHolds(c echo.Context) error {
	all, err := s.Retention.Holds(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]holdView, len(all))
	for i, h := range all {
		items[i] = holdOf(h)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// showHold handles GET /admin/audit/holds/:id.
func (s *Server) showHold(c echo.Context) error {
	h, err := s.holdAt(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, holdOf(h))
}

// placeHold handles POST /admin/audit/holds.
func (s *Server) placeHold(c echo.Context) error {
	var in struct {
		Name   string     `json:"name"`
		Reason string     `json:"reason"`
		Plugin string     `json:"plugin"`
		Actor  string     `json:"actor"`
		Object string     `json:"object"`
		Class  string     `json:"class"`
		Since  *time.Time `json:"since"`
		Until  *time.Time `json:"until"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	h, err := s.Retention.Place(c.Request().Context(), in.Name, in.Reason, retention.Scope{Plugin: in.Plugin, Actor: in.Actor, Object: in.Object, Class: in.Class, Since: in.Since, Until: in.Until})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, holdOf(h))
}

// liftHold handles POST /admin/audit/holds/:id/lift.
func (s *Server) liftHold(c echo.Context) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	h, err := s.holdAt(c)
	if err != nil {
		return err
	}
	if h, err = s.Retention.Lift(c.Request().Context(), h.ID, in.Reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, holdOf(h))
}

// archiveView is a file that keeps what was purged.
type archiveView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Place      string     `json:"place"`
	Chain      string     `json:"chain"`
	First      int64      `json:"first"`
	Last       int64      `json:"last"`
	Records    int64      `json:"records"`
	Begins     time.Time  `json:"begins"`
	Ends       time.Time  `json:"ends"`
	Bytes      int64      `json:"bytes"`
	SHA256     string     `json:"sha256"`
	VerifiedAt time.Time  `json:"verified_at"`
	PurgedAt   *time.Time `json:"purged_at"`
}

// listArchives handles GET /admin/audit/archives.
func (s *Server) listArchives(c echo.Context) error {
	all, err := s.Retention.Archives(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]archiveView, len(all))
	for i, a := range all {
		items[i] = archiveView{
			a.ID.String(), a.Name, a.Place, a.Chain, a.First, a.Last, a.Records(), a.Begins.UTC(), a.Ends.UTC(), a.Bytes, hex.EncodeToString(a.SHA256), a.Verified.UTC(), a.Purged,
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// sendArchive handles GET /admin/audit/archives/:id and what the console links to. That
// it is read is recorded first; whoever has it verifies it like any other export.
func (s *Server) sendArchive(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return fault.New(fault.NotFound, "retention.archive_unknown", "There is no such archive.")
	}
	a, err := s.Retention.Archive(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Gate.Record(ctx, audit.Entry{Action: "audit.export", Object: "archive/" + a.Name, Outcome: audit.OK}); err != nil {
		return err
	}
	r, err := s.Retention.Open(ctx, a)
	if err != nil {
		return err
	}
	defer r.Close()
	h := c.Response().Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Length", strconv.FormatInt(a.Bytes, 10))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="`+a.Name+`"`)
	if n, err := io.Copy(piecesOf(c), io.LimitReader(r, a.Bytes)); err != nil || n != a.Bytes {
		s.Log.ErrorContext(ctx, "an archive of the audit broken off", "archive", a.Name, "sent", n, "error", err)
		panic(http.ErrAbortHandler) // it must not look whole
	}
	return nil
}
