package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

// everybodysKeys is a page of keys of several people: one in use, one stale, one
// over and one revoked.
func everybodysKeys() views.Keys {
	rotate := views.Action{Label: "Rotate", Object: "Nightly export", Ask: true, Href: views.KeyPath("k1", "rotate")}
	revoke := views.Action{Label: "Revoke", Object: "Old script", Danger: true, Ask: true, Href: views.UserPath("u2", "keys", "k2", "revoke")}
	in := func(k views.OwnedKey, owner, at string) views.OwnedKey {
		k.Owner, k.OwnerAt, k.Prefix, k.Created = owner, views.UserPath(at), "vv_…3f9a", ago(2400*time.Hour)
		return k
	}
	row := func(name string, expires, used time.Time, revoked bool) views.KeyRow {
		return views.KeyRow{ID: name, Name: name, Scope: []string{"viewer", "audit_viewer"}, Expires: expires, LastUsed: used, Revoked: revoked}
	}
	return views.Keys{
		Tabs: []views.Tab{{Label: "Yours", Href: views.PathAPIKeys}, {Label: "Everybody's", Href: views.PathAPIKeys + "?of=all", Current: true}},
		New:  views.Action{Label: "New key", Icon: "plus", Primary: true, Ask: true, Href: views.PathKeys + "/new"}, All: true, Stale: 1,
		Rows: []views.OwnedKey{
			in(views.OwnedKey{KeyRow: row("Nightly export", now.Add(50*time.Hour), ago(8*time.Hour), false), From: "10.20.4.118", Actions: []views.Action{rotate, revoke}}, "Mara Lindqvist", "u1"),
			in(views.OwnedKey{KeyRow: row("Old script", now.Add(900*time.Hour), time.Time{}, false), Stale: true, Actions: []views.Action{revoke}}, "Hannah Weiss", "u2"),
			in(views.OwnedKey{KeyRow: row("Trial", ago(20*time.Hour), ago(40*time.Hour), false), Over: true}, "Hannah Weiss", "u2"),
			in(views.OwnedKey{KeyRow: row("Lost laptop", now.Add(900*time.Hour), time.Time{}, true), Over: true}, "Hannah Weiss", "u2"),
		},
		Pager: views.Pager{Older: views.PathAPIKeys + "?of=all&after=k1"},
	}
}
