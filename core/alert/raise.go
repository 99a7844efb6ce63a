package alert

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// mostRecords is how many records are kept with an alert: the first ones.
const mostRecords = 50

// writing is one transaction that opens and ends alerts. Its records come last:
// whoever writes to the chain of changes keeps others from it.
type writing struct {
	*Service
	q       *db.Queries
	now     time.Time
	entries []audit.Entry
}

func (s *Service) writing(q *db.Queries) *writing {
	return &writing{Service: s, q: q, now: s.now()}
}

func (w *writing) record(e audit.Entry) { w.entries = append(w.entries, e) }

// close records everything that was done.
func (w *writing) close(ctx context.Context) error {
	for _, e := range w.entries {
		if err := audit.Append(ctx, w.q, e); err != nil {
			return err
		}
	}
	return nil
}

// occurrence is what an alert is opened for.
type occurrence struct {
	rule           *Rule
	key            string
	title, text    string
	plugin, object string
	count          int64     // of what is new
	within         int64     // the same, with what was counted before
	at             time.Time // of the last one
}

// note counts what a rule found towards its active alert, or opens one when there
// were as many within its window as it asks for.
func (w *writing) note(ctx context.Context, f *finding, within int64) error {
	last := f.records[len(f.records)-1]
	for _, r := range f.records {
		if r.At.After(last.At) {
			last = r
		}
	}
	o := occurrence{rule: &f.rule.Rule, key: f.key, title: titled(f.rule.Name, f.label), text: told(last), plugin: last.Plugin, object: last.Object, count: int64(len(f.records)), within: within, at: last.At}
	id, err := w.raise(ctx, o, within >= int64(f.rule.Count))
	if err != nil || id == uuid.Nil {
		return err
	}
	kept, err := w.q.AlertRecordCount(ctx, id)
	if err != nil {
		return err
	}
	for _, r := range f.records[:min(int64(len(f.records)), max(mostRecords-kept, 0))] {
		if err := w.q.AlertRecordAdd(ctx, db.AlertRecordAddParams{Alert: id, Chain: r.Chain, Seq: r.Seq}); err != nil {
			return err
		}
	}
	return nil
}

// raise adds to the active alert of a rule and key, and opens one where there is
// none and open allows it. It returns the alert, or uuid.Nil.
func (w *writing) raise(ctx context.Context, o occurrence, open bool) (uuid.UUID, error) {
	is, err := w.q.AlertActive(ctx, db.AlertActiveParams{TenantID: w.tenant, Rule: o.rule.ID, Key: o.key})
	if err == nil {
		return is.ID, w.q.AlertAgain(ctx, db.AlertAgainParams{ID: is.ID, Count: o.count, LastAt: o.at, Text: o.text})
	}
	if !errors.Is(err, pgx.ErrNoRows) || !open {
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return uuid.Nil, err
	}
	if o.key != others {
		n, err := w.q.AlertActiveCount(ctx, w.tenant, o.rule.ID)
		if err != nil {
			return uuid.Nil, err
		}
		if n >= mostKeys {
			o.key, o.title, o.plugin, o.object = others, titled(o.rule.Name, "others"), "", ""
			return w.raise(ctx, o, open)
		}
	}
	id := uuid.Must(uuid.NewV7())
	n, err := w.q.AlertOpen(ctx, db.AlertOpenParams{
		ID: id, TenantID: w.tenant, Rule: o.rule.ID, RuleName: o.rule.Name, Key: o.key, Severity: string(o.rule.Severity), Title: o.title, Text: o.text, Plugin: o.plugin, Object: o.object,
		Channels: names(o.rule.Channels), Sticky: o.rule.Sticky, QuietSeconds: int64(o.rule.quiet() / time.Second), Count: o.within, At: w.now, LastAt: o.at,
	})
	if err != nil || n == 0 { // none: another replica opened it in this very moment
		return uuid.Nil, err
	}
	w.record(audit.Entry{Action: "alert.open", Object: id.String(), Target: o.plugin, Outcome: audit.OK, Rule: o.rule.ID, Detail: map[string]any{
		"title": o.title, "text": o.text, "severity": o.rule.Severity, "count": o.within, "key": o.key,
	}})
	return id, nil
}

// over ends the condition of the active alert of a rule and key, if there is one.
func (w *writing) over(ctx context.Context, rule, key, why string) error {
	is, err := w.q.AlertActive(ctx, db.AlertActiveParams{TenantID: w.tenant, Rule: rule, Key: key})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.end(ctx, is.ID, why)
}

// end ends the condition of an alert. One that no person has to see is resolved,
// and channels that heard of it hear that too.
func (w *writing) end(ctx context.Context, id uuid.UUID, why string) error {
	is, err := w.q.AlertEnd(ctx, w.now, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it ended before
	}
	if err != nil {
		return err
	}
	action := "alert.end"
	if is.State == string(Resolved) {
		action = "alert.resolve"
		if err := w.tell(ctx, is, eventResolved); err != nil {
			return err
		}
	}
	w.record(audit.Entry{Action: action, Object: id.String(), Target: is.Plugin, Outcome: audit.OK, Rule: is.Rule, Detail: map[string]any{"title": is.Title, "reason": why, "count": is.Count}})
	return nil
}

// tell has the channels of an alert told that are set up. That it is resolved hears
// only who heard that it was opened.
func (w *writing) tell(ctx context.Context, a db.Alert, event string) error {
	if event == eventResolved && a.NotifiedAt == nil {
		return nil
	}
	ready := w.Ready()
	for _, channel := range a.Channels {
		if !ready[Channel(channel)] {
			continue
		}
		if err := w.q.AlertNoticeAdd(ctx, db.AlertNoticeAddParams{ID: uuid.Must(uuid.NewV7()), Alert: a.ID, Channel: channel, Event: event, At: w.now}); err != nil {
			return err
		}
	}
	return nil
}

func names[T ~string](of []T) []string {
	out := make([]string, len(of))
	for i, one := range of {
		out[i] = string(one)
	}
	return out
}

// titled is a rule's name and what it is about.
func titled(rule, label string) string {
	if label == "" {
		return rule
	}
	return rule + ": " + oneLine(label, 120)
}

// outcomeWords say how an action ended.
var outcomeWords = map[audit.Outcome]string{audit.Allow: "was allowed", audit.Deny: "was denied", audit.OK: "was done", audit.Failed: "failed", audit.Unknown: "ended nobody knows how"}

// told is a record in one sentence.
func told(r *audit.Record) string {
	who := r.ActorName
	if who == "" {
		who = r.ActorID
	}
	if who == "" {
		who = r.ActorKind
	}
	text := fmt.Sprintf("%s by %s", r.Action, oneLine(who, 100))
	if r.Object != "" {
		text += " on " + oneLine(r.Object, 160)
	}
	text += " " + outcomeWords[r.Outcome]
	if r.Rule != "" && r.Outcome != audit.Allow {
		text += " (" + oneLine(r.Rule, 80) + ")"
	}
	return text + "."
}

// oneLine makes text fit for a subject or a title: no controls, at most n bytes.
func oneLine(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= n {
		return text
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// times writes a number of occurrences.
func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}
