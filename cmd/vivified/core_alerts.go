package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
)

// watchful builds what holds rules against the audit and tells people.
func watchful(conf *settings.Settings, pool *pgxpool.Pool, store *audit.Store, plugins *registry.Registry, people *identity.Service, forwarding *siem.Service, calls *operator.Lane, public, replica string, log *slog.Logger) (*alert.Service, error) {
	roots, err := proxy.Roots(conf.String(settings.AlertCAFile))
	if err != nil {
		return nil, err
	}
	return alert.New(alert.Config{
		Pool: pool, Store: store, Plugins: plugins, SIEM: forwarding, Public: public, Replica: replica, Log: log,
		Messenger: courier{plugins: plugins, calls: calls},
		Admins: func(ctx context.Context) (int, error) {
			uses, err := people.TraitUses(ctx)
			return uses[trait.Admin], err
		},
		Ways: func() alert.Ways {
			return alert.Ways{
				WebhookURL: conf.String(settings.AlertWebhookURL), WebhookSecret: conf.String(settings.AlertWebhookSecret),
				To: conf.Strings(settings.AlertEmailTo), From: conf.String(settings.AlertEmailFrom), Roots: roots,
				SMTP: alert.SMTP{
					Address: conf.String(settings.SMTPAddress), Security: alert.Security(conf.String(settings.SMTPSecurity)),
					User: conf.String(settings.SMTPUser), Password: conf.String(settings.SMTPPassword),
				},
			}
		},
	}), nil
}

// communication is the contract of plugins that send messages, and sendMessage
// the operation by which they do.
const (
	communication = "CommunicationPlugin"
	sendMessage   = "send_message"
)

// courier sends messages through the first active plugin that declares it can,
// over the operator lane like anybody else.
type courier struct {
	plugins *registry.Registry
	calls   *operator.Lane
}

// Send implements alert.Messenger.
func (c courier) Send(ctx context.Context, to []string, subject, body string) (bool, error) {
	for _, p := range c.plugins.Snapshot().Plugins() {
		if p.State != policy.Active || !slices.Contains(p.Manifest.Contracts, communication) {
			continue
		}
		if _, ok := p.Manifest.Endpoint(sendMessage); !ok {
			continue
		}
		return true, c.call(ctx, p, to, subject, body)
	}
	return false, nil
}

func (c courier) call(ctx context.Context, p *registry.Plugin, to []string, subject, body string) error {
	message, err := json.Marshal(map[string]any{"to": to, "subject": subject, "body": body})
	if err != nil {
		return err
	}
	who := actor.From(ctx)
	who.Traits = p.Traits // the core hands over no more than that plugin may hold
	answer, err := c.calls.Call(actor.With(ctx, who), operator.Call{
		Route: operator.Route{Target: p.ID, Operation: sendMessage}, Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}},
		Body: bytes.NewReader(message), Length: int64(len(message)), Timeout: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // what it says of a message that it took is its own affair
	if answer.Status < 200 || answer.Status > 299 {
		return fmt.Errorf("%s answered %d %s", p.Name, answer.Status, http.StatusText(answer.Status))
	}
	return nil
}

// headsWatch records when signed heads begin to be kept, fail to be, and are kept again.
type headsWatch struct {
	replica string
	record  func(context.Context, audit.Entry) error // set before heads are signed
	last    audit.Outcome
}

func (w *headsWatch) told(ctx context.Context, err error) {
	e := audit.Entry{Action: "audit.heads", Object: w.replica, Outcome: audit.OK}
	if err != nil {
		e.Outcome, e.Detail = audit.Failed, map[string]string{"error": err.Error()}
	}
	if e.Outcome == w.last {
		return
	}
	if w.record(actor.With(ctx, actor.Core("audit")), e) == nil {
		w.last = e.Outcome
	}
}
