package alert

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Stage is how far an alert has come.
type Stage string

// The stages.
const (
	Open         Stage = "open"
	Acknowledged Stage = "acknowledged"
	Resolved     Stage = "resolved"
)

// Stages are all of them.
func Stages() []Stage { return []Stage{Open, Acknowledged, Resolved} }

// Alert is something that a rule found.
type Alert struct {
	ID         uuid.UUID
	Rule       string
	RuleName   string
	Key        string // what it is about, within its rule
	Severity   Severity
	Title      string
	Text       string
	Plugin     string // it is about; "": none
	Object     string
	Channels   []Channel
	Sticky     bool
	Stage      Stage
	Count      int64 // how often its condition was met
	OpenedAt   time.Time
	LastAt     time.Time
	EndedAt    *time.Time // nil: its condition goes on
	ResolvedAt *time.Time
	NotifiedAt *time.Time
	AckedName  string
	AckedAt    *time.Time
	Note       string
	Silenced   time.Time // until when; zero: it is not
}

type alertRow = db.Alert

func alertOf(r alertRow, silenced time.Time) Alert {
	a := Alert{
		ID: r.ID, Rule: r.Rule, RuleName: r.RuleName, Key: r.Key, Severity: Severity(r.Severity), Title: r.Title, Text: r.Text, Plugin: r.Plugin, Object: r.Object,
		Sticky: r.Sticky, Stage: Stage(r.State), Count: r.Count, OpenedAt: r.OpenedAt.UTC(), LastAt: r.LastAt.UTC(), EndedAt: r.EndedAt, ResolvedAt: r.ResolvedAt, NotifiedAt: r.NotifiedAt,
		AckedName: r.AckedName, AckedAt: r.AckedAt, Note: r.Note,
	}
	for _, c := range r.Channels {
		a.Channels = append(a.Channels, Channel(c))
	}
	if silenced.Unix() > 0 {
		a.Silenced = silenced.UTC()
	}
	return a
}

// Filter says which alerts to list. Empty fields ask for nothing.
type Filter struct {
	Stage    Stage
	Silenced *bool
	Rule     string
	Severity Severity
	Plugin   string
	Limit    int    // of a page; default 50, at most 200
	Cursor   string // Page.Next of the page before
}

// Page is one page of alerts, newest first.
type Page struct {
	Alerts []Alert
	Next   string // "" on the last
}

// List returns a page of the alerts of the actor's tenant, or an Invalid fault for
// a filter that cannot be.
func (s *Service) List(ctx context.Context, f Filter) (Page, error) {
	if f.Stage != "" && !slices.Contains(Stages(), f.Stage) || f.Severity != "" && !slices.Contains(Severities(), f.Severity) ||
		len(f.Rule) > 100 || len(f.Plugin) > 256 || !utf8.ValidString(f.Rule+f.Plugin) || strings.ContainsRune(f.Rule+f.Plugin, 0) {
		return Page{}, fault.New(fault.Invalid, "alert.filter", "Alerts cannot be listed like that: the state is open, acknowledged or resolved, the severity critical, warning or info.")
	}
	limit := min(f.Limit, 200)
	if limit <= 0 {
		limit = 50
	}
	p := db.AlertListParams{
		TenantID: actor.From(ctx).Tenant, State: string(f.Stage), Rule: f.Rule, Severity: string(f.Severity), Plugin: f.Plugin, Now: s.now(), Most: int32(limit) + 1,
		BeforeAt: s.now().AddDate(100, 0, 0), BeforeID: uuid.Max,
	}
	if f.Silenced != nil {
		p.Silenced = map[bool]string{true: "yes", false: "no"}[*f.Silenced]
	}
	if f.Cursor != "" {
		var ok bool
		if p.BeforeAt, p.BeforeID, ok = readCursor(f.Cursor); !ok {
			return Page{}, fault.New(fault.Invalid, "alert.filter", "The cursor is not one that this list gave out.")
		}
	}
	rows, err := db.New(s.Pool).AlertList(ctx, p)
	if err != nil {
		return Page{}, db.Fault(err)
	}
	var page Page
	for i, r := range rows {
		if i == limit {
			last := page.Alerts[limit-1]
			page.Next = writeCursor(last.OpenedAt, last.ID)
			break
		}
		page.Alerts = append(page.Alerts, alertOf(r.Alert, r.SilencedUntil))
	}
	return page, nil
}

func writeCursor(at time.Time, id uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(at.UTC().Format(time.RFC3339Nano) + " " + id.String()))
}

func readCursor(text string) (at time.Time, id uuid.UUID, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return at, id, false
	}
	before, after, _ := strings.Cut(string(raw), " ")
	at, err = time.Parse(time.RFC3339Nano, before)
	if err == nil {
		id, err = uuid.Parse(after)
	}
	return at, id, err == nil && at.Year() > 1970 && at.Year() < 3000
}

func unknown() error {
	return fault.New(fault.NotFound, "alert.unknown", "There is no such alert; resolved ones are forgotten in time.")
}

// Alert returns one alert, or a NotFound fault.
func (s *Service) Alert(ctx context.Context, id uuid.UUID) (Alert, error) {
	row, err := db.New(s.Pool).AlertGet(ctx, db.AlertGetParams{Now: s.now(), TenantID: actor.From(ctx).Tenant, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return Alert{}, unknown()
	}
	if err != nil {
		return Alert{}, db.Fault(err)
	}
	return alertOf(row.Alert, row.SilencedUntil), nil
}

// Records returns the first records that an alert was opened for, in the order of
// their time. Those purged since are left out. Whether somebody may read the audit
// is for the caller to ask.
func (s *Service) Records(ctx context.Context, id uuid.UUID) ([]audit.Record, error) {
	rows, err := db.New(s.Pool).AlertRecords(ctx, id)
	if err != nil {
		return nil, db.Fault(err)
	}
	var records []audit.Record
	for _, r := range rows {
		one, err := s.Store.Get(ctx, r.Chain, r.Seq)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, one)
	}
	slices.SortStableFunc(records, func(a, b audit.Record) int { return a.At.Compare(b.At) })
	return records, nil
}

// Waiting counts the open alerts that are not silenced, by severity.
func (s *Service) Waiting(ctx context.Context) (map[Severity]int, error) {
	rows, err := db.New(s.Pool).AlertWaiting(ctx, actor.From(ctx).Tenant, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	n := map[Severity]int{}
	for _, r := range rows {
		n[Severity(r.Severity)] = int(r.N)
	}
	return n, nil
}

const mostNote = 1000 // characters of a note or a reason

// Acknowledge notes that whoever acts has seen an open alert and says so in a
// note. It returns a Conflict fault for one that is not open any more.
func (s *Service) Acknowledge(ctx context.Context, id uuid.UUID, note string) (Alert, error) {
	note = strings.TrimSpace(note)
	if bad := text("note", "The note", note, 1, mostNote); bad != nil {
		return Alert{}, refused("alert.note", bad)
	}
	was, err := s.Alert(ctx, id)
	if err != nil {
		return Alert{}, err
	}
	who := actor.From(ctx)
	var is Alert
	err = s.write(ctx, func(w *writing) error {
		row, err := w.q.AlertAcknowledge(ctx, db.AlertAcknowledgeParams{TenantID: who.Tenant, ID: id, AckedBy: string(who.Kind) + ":" + who.ID, AckedName: who.Name, At: w.now, Note: note})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.Conflict, "alert.not_open", "This alert is %s already.", was.Stage)
		}
		if err != nil {
			return err
		}
		is = alertOf(row, was.Silenced)
		w.record(audit.Entry{Action: "alert.acknowledge", Object: id.String(), Target: row.Plugin, Outcome: audit.OK, Rule: row.Rule, Detail: map[string]any{"title": row.Title, "note": note, "state": row.State}})
		if is.Stage == Resolved {
			return w.tell(ctx, row, eventResolved)
		}
		return nil
	})
	return is, err
}

// write makes one transaction whose records come last.
func (s *Service) write(ctx context.Context, f func(*writing) error) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		w := s.writing(q)
		if err := f(w); err != nil {
			return err
		}
		return w.close(ctx)
	})
}

// Notice is what a channel was told of an alert.
type Notice struct {
	Channel  Channel
	Event    string // opened or resolved
	At       time.Time
	SentAt   *time.Time // nil: not yet
	Attempts int
	GivenUp  bool
	Error    string // of the last attempt
}

// Notices returns what the channels were told of an alert.
func (s *Service) Notices(ctx context.Context, id uuid.UUID) ([]Notice, error) {
	rows, err := db.New(s.Pool).AlertNotices(ctx, id)
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Notice, len(rows))
	for i, r := range rows {
		all[i] = Notice{Channel(r.Channel), r.Event, r.MadeAt, r.SentAt, int(r.Attempts), r.GivenUp, r.LastError}
	}
	return all, nil
}
