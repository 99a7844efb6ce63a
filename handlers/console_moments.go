package handlers

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// hour is how far back traffic is counted.
const hour = time.Hour

// moment is how a timeline tells a kind of record.
type moment struct {
	text string
	tone views.Tone
	icon views.IconName
}

// moments are the records timelines tell.
var moments = map[string]moment{
	"plugin.register":        {"Registered", views.Info, "plug"},
	"plugin.return":          {"Came back", views.Neutral, "plug"},
	"plugin.manifest":        {"Manifest replaced", views.Neutral, "file-text"},
	"plugin.manifest.waits":  {"A wider manifest waits", views.Warn, "file-clock"},
	"plugin.manifest.accept": {"Manifest accepted", views.OK, "file-check"},
	"plugin.enable":          {"Enabled", views.OK, "power"},
	"plugin.disable":         {"Disabled", views.Neutral, "power-off"},
	"plugin.unhealthy":       {"Marked unhealthy", views.Danger, "octagon-x"},
	"plugin.quarantine":      {"Quarantined", views.Danger, "octagon-minus"},
	"plugin.unregister":      {"Unregistered", views.Neutral, "unplug"},

	"auth.login":      {"Signed in", views.OK, "lock-keyhole"},
	"auth.logout":     {"Signed out", views.Neutral, "log-out"},
	"user.invite":     {"Invited", views.Info, "mail"},
	"user.link":       {"Given a new link", views.Info, "link"},
	"user.join":       {"Set a password by a link", views.OK, "user-check"},
	"user.rename":     {"Renamed", views.Neutral, "pencil"},
	"user.roles":      {"Roles changed", views.Warn, "user-cog"},
	"user.grant":      {"Given a trait", views.Warn, "key"},
	"user.revoke":     {"A trait taken away", views.Warn, "key"},
	"user.suspend":    {"Suspended", views.Danger, "user-x"},
	"user.reactivate": {"Let in again", views.OK, "user-check"},
	"user.password":   {"Changed the password", views.Neutral, "lock"},
	"session.revoke":  {"A session was ended", views.Neutral, "monitor"},
	"user.delete":     {"Deleted", views.Danger, "trash-2"},
	"setup.complete":  {"Set up this installation", views.OK, "shield-check"},
	"key.create":      {"Made an API key", views.Neutral, "key-round"},
	"key.revoke":      {"Revoked an API key", views.Neutral, "key-round"},
}

// pluginMoments are the last changes of a plugin: from the audit for those who
// may read it, else what the registry itself knows.
func (v *visit) pluginMoments(ctx context.Context, p *registry.Plugin) ([]views.Moment, error) {
	if v.has(trait.AuditViewer) {
		page, err := v.Audit.Search(ctx, audit.Filter{Plugin: p.ID, Action: "plugin.*", Limit: 12})
		if err != nil {
			return nil, err
		}
		return v.timeline(page.Records, 8), nil
	}
	known := []views.Moment{{At: p.RegisteredAt, Icon: "plug", Text: "Registered"}}
	if p.EnabledAt != nil {
		known = append(known, views.Moment{At: *p.EnabledAt, Tone: views.OK, Icon: "power", Text: "Enabled"})
	}
	slices.SortFunc(known, func(a, b views.Moment) int { return b.At.Compare(a.At) })
	return known, nil
}

// timeline tells records, newest first, at most so many.
func (v *visit) timeline(records []audit.Record, most int) []views.Moment {
	var out []views.Moment
	for i := range records {
		r := &records[i]
		look, ok := moments[r.Action]
		if r.Outcome == audit.Deny {
			look, ok = moment{"Denied", views.Danger, "ban"}, true
		} else if r.Outcome == audit.Failed {
			look.tone, look.text = views.Warn, look.text+": failed"
		}
		if !ok || r.Outcome == audit.Allow {
			continue
		}
		m := views.Moment{At: r.At, Tone: look.tone, Icon: look.icon, Text: look.text, Note: v.note(r), Href: views.RecordPath(r.Chain, r.Seq)}
		if out = append(out, m); len(out) == most {
			break
		}
	}
	return out
}

// note is who did it and why, where that says more than the moment itself.
func (v *visit) note(r *audit.Record) string {
	var detail struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(r.Detail, &detail) // no detail, no reason
	note := ""
	switch {
	case r.Outcome == audit.Deny:
		note = r.Action + ", " + r.Rule
	case r.ActorID != r.Object && r.ActorName != "" && r.ActorID != r.Plugin:
		note = "by " + r.ActorName
	case r.Address != "":
		note = "from " + r.Address
	}
	if detail.Reason != "" {
		note = orElse(note, "") + separator(note) + detail.Reason
	}
	return note
}

func separator(before string) string {
	if before == "" {
		return ""
	}
	return ": "
}
