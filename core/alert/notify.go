package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/db"
)

// What channels are told.
const (
	eventOpened   = "opened"
	eventResolved = "resolved"
	eventTrial    = "trial"
)

const (
	patience = 20 * time.Second // of one message
	firstTry = 15 * time.Second // before the second attempt; doubles
	lastTry  = 24 * time.Hour   // after which a message is given up
	longWait = 30 * time.Minute
)

// errNoWay says that a channel is not set up. It is no failure of the other side,
// and is not tried again.
var errNoWay = errors.New("it is not set up")

// notify tells the channels what is due, one message after the other, and returns
// when nothing is.
func (s *Service) notify(ctx context.Context) error {
	for ctx.Err() == nil {
		q, now := db.New(s.Pool), s.now()
		n, err := q.AlertNoticeClaim(ctx, now.Add(2*patience), now)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		row, err := q.AlertGet(ctx, db.AlertGetParams{Now: now, TenantID: s.tenant, ID: n.Alert})
		if err != nil {
			return err
		}
		sent := s.send(ctx, Channel(n.Channel), message{s.Public, n.Event, n.ID, alertOf(row.Alert, time.Time{})})
		if ctx.Err() != nil {
			return nil // whoever goes on sends it again
		}
		if err := s.settle(ctx, n, row.Alert, sent); err != nil {
			return err
		}
	}
	return nil
}

// settle notes what came of a message. The first failure and the last are recorded,
// and every success.
func (s *Service) settle(ctx context.Context, n db.AlertNotice, a alertRow, sent error) error {
	now := s.now()
	p := db.AlertNoticeDoneParams{ID: n.ID, NextAt: now}
	e := audit.Entry{Action: "alert.notify", Object: a.ID.String(), Target: a.Plugin, Outcome: audit.OK, Rule: a.Rule}
	detail := map[string]any{"channel": n.Channel, "event": n.Event, "attempt": n.Attempts, "message": n.ID}
	recorded := true
	if sent == nil {
		p.SentAt = &now
	} else {
		wait := min(firstTry<<min(n.Attempts-1, 10), longWait)
		p.LastError, p.NextAt = oneLine(sent.Error(), 500), now.Add(wait)
		p.GivenUp = errors.Is(sent, errNoWay) || now.Add(wait).Sub(n.MadeAt) > lastTry
		e.Outcome, detail["error"], detail["given_up"] = audit.Failed, p.LastError, p.GivenUp
		recorded = n.Attempts == 1 || p.GivenUp
		s.Log.WarnContext(ctx, "a channel was not told of an alert", "alert", a.ID, "channel", n.Channel, "error", sent, "given_up", p.GivenUp)
	}
	return s.write(ctx, func(w *writing) error {
		if recorded {
			e.Detail = detail
			w.record(e)
		}
		return w.q.AlertNoticeDone(ctx, p)
	})
}

// message is what one channel is told.
type message struct {
	public string
	event  string
	id     uuid.UUID
	alert  Alert
}

// link is the address of the alert's page.
func (m *message) link() string { return m.public + "/console/alerts/" + m.alert.ID.String() }

func (m *message) subject() string {
	word := strings.ToUpper(string(m.alert.Severity))
	switch m.event {
	case eventResolved:
		word = "RESOLVED"
	case eventTrial:
		word = "TRIAL"
	}
	return "[Vivified] " + word + ": " + oneLine(m.alert.Title, 160)
}

// body is the message for people. It holds names, never data.
func (m *message) body() string {
	var b strings.Builder
	a := &m.alert
	fmt.Fprintf(&b, "%s\n\n%s\n\n", a.Title, a.Text)
	switch {
	case m.event == eventTrial:
		b.WriteString("This is a trial: nothing is wrong.\n\n")
	case m.event == eventResolved:
		fmt.Fprintf(&b, "Resolved at %s. Opened at %s, met %s.\n\n", moment(*a.ResolvedAt), moment(a.OpenedAt), times(a.Count))
	default:
		fmt.Fprintf(&b, "Severity: %s\nOpened at %s, met %s.\n\n", a.Severity, moment(a.OpenedAt), times(a.Count))
	}
	fmt.Fprintf(&b, "Look at it: %s\n", m.link())
	return b.String()
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// payload is the message for programs.
func (m *message) payload(now time.Time) ([]byte, error) {
	a := &m.alert
	return json.Marshal(map[string]any{"type": "alert." + m.event, "timestamp": now.UTC().Format(time.RFC3339), "data": map[string]any{
		"id": a.ID, "rule": a.Rule, "name": a.RuleName, "key": a.Key, "severity": a.Severity, "state": a.Stage, "title": a.Title, "text": a.Text,
		"plugin": a.Plugin, "object": a.Object, "count": a.Count, "opened_at": a.OpenedAt, "last_at": a.LastAt, "resolved_at": a.ResolvedAt, "url": m.link(),
	}})
}

// send tells one channel.
func (s *Service) send(ctx context.Context, channel Channel, m message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ways := s.Ways()
	if channel == Webhook {
		if ways.WebhookURL == "" {
			return errNoWay
		}
		to, err := siem.NewPoster(ways.WebhookURL, ways.WebhookSecret, ways.Roots, s.Now)
		if err != nil {
			return err
		}
		defer to.Close()
		body, err := m.payload(s.Now())
		if err != nil {
			return err
		}
		return to.Post(ctx, "msg_"+m.id.String(), body)
	}
	if len(ways.To) == 0 {
		return errNoWay
	}
	if s.Messenger != nil {
		ok, err := s.Messenger.Send(ctx, ways.To, m.subject(), m.body())
		if ok && err == nil {
			return nil
		}
		if ok && ways.SMTP.Address == "" {
			return err
		}
		if ok {
			s.Log.WarnContext(ctx, "no plugin sent an alert; it goes to the mail server", "error", err)
		}
	}
	if ways.SMTP.Address == "" {
		return errNoWay
	}
	return ways.SMTP.send(ctx, mail{from: ways.From, to: ways.To, subject: m.subject(), body: m.body(), id: m.id, at: s.Now()}, ways.Roots)
}

// Ready says which channels are set up.
func (s *Service) Ready() map[Channel]bool {
	w := s.Ways()
	return map[Channel]bool{Webhook: w.WebhookURL != "", Email: len(w.To) > 0 && (w.SMTP.Address != "" || s.Messenger != nil)}
}

// Try tells a channel something that says it is a trial. It returns a BadGateway
// fault with what went wrong.
func (s *Service) Try(ctx context.Context, channel Channel) error {
	if channel != Webhook && channel != Email {
		return fault.New(fault.NotFound, "alert.channel", "There is no such channel; there are webhook and email.")
	}
	who := actor.From(ctx)
	m := message{s.Public, eventTrial, uuid.Must(uuid.NewV7()), Alert{
		ID: uuid.Nil, RuleName: "Trial", Severity: Info, Stage: Open, Title: "A trial of alerts", Text: "Asked for by " + oneLine(who.Name, 100) + ".", OpenedAt: s.now(), LastAt: s.now(), Count: 1,
	}}
	sent := s.send(actor.With(ctx, actor.Core("alerts")), channel, m)
	e := audit.Entry{Action: "alert.trial", Object: string(channel), Outcome: audit.OK}
	if sent != nil {
		e.Outcome, e.Detail = audit.Failed, map[string]any{"error": oneLine(sent.Error(), 500)}
	}
	if err := s.write(ctx, func(w *writing) error { w.record(e); return nil }); err != nil {
		return err
	}
	switch {
	case errors.Is(sent, errNoWay):
		return fault.New(fault.Conflict, "alert.channel_unset", "The channel %s is not set up. Set alert_webhook_url and alert_webhook_secret, or alert_email_to and smtp_address, in the settings.", channel)
	case sent != nil:
		return fault.New(fault.BadGateway, "alert.refused", "The channel %s did not take a trial message: %s.", channel, strings.TrimSuffix(oneLine(sent.Error(), 300), "."))
	}
	return nil
}
