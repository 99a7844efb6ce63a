package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

const wardID = "01a1f951-5c82-7310-911f-c47134e11636"

func groups() views.Groups {
	return views.Groups{
		Filter: views.Filter{Path: views.PathGroups, In: "name", Fields: []views.FilterField{{Name: "role", Label: "Role", Options: []views.Option{{Value: "viewer", Label: "Viewer"}}}}},
		New:    views.Action{Label: "New group", Icon: "plus", Primary: true, Get: true, Href: views.PathGroups + "/new"},
		Rows:   []views.GroupRow{{ID: wardID, Name: "Ward 4B", Text: "Nurses and clerks", Roles: []string{"Viewer", "Ward clerk"}, People: 41}, {ID: "g2", Name: "Night shift"}},
		Pager:  views.Pager{ByName: true, Older: views.PathGroups + "?after=x"},
	}
}

func groupDetail() views.GroupDetail {
	why := &views.Why{Text: "Ward 4B carries traits above your own.", Trait: "handles_phi", Grantors: []string{"Mara Lindqvist"}}
	at := func(verb string) string { return views.GroupPath(wardID, verb) }
	return views.GroupDetail{
		ID: wardID, Name: "Ward 4B", Text: "Nurses and clerks",
		Actions: []views.Action{{Label: "Edit", Icon: "pencil", Get: true, Href: at("edit")}, {Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: at("delete"), Why: why}},
		Facts:   []views.KV{{Label: "People", Value: "2 people"}, {Label: "Id", Value: wardID, Mono: true, Copy: true}},
		Roles:   []views.CarriedRole{{Label: "Ward clerk", Href: views.RolePath("ward-clerk"), Expires: now.Add(50 * time.Hour), Actions: []views.Action{{Label: "Take away", Object: "Ward clerk", Danger: true, Ask: true, Href: views.GroupPath(wardID, "roles", "ward-clerk", "revoke")}}}},
		Give:    views.Action{Label: "Give a role", Icon: "plus", Ask: true, Href: at("grant")}, Join: views.Action{Label: "Add a person", Icon: "user-plus", Ask: true, Href: at("join")},
		Traits: []string{"viewer", "handles_pii"},
		Members: []views.MemberRow{
			{Name: "Hannah Weiss", Email: "hannah@northgate.example", Href: views.UserPath("u2"), By: "Mara Lindqvist", At: ago(50 * time.Hour), Reason: "Covers November", Expires: now.Add(170 * time.Hour), State: views.Active,
				Actions: []views.Action{{Label: "Take out", Object: "Hannah Weiss", Danger: true, Ask: true, Href: views.UserPath("u2", "groups", wardID, "leave")}}},
			{Name: "Priya Raman", Email: "priya@northgate.example", Href: views.UserPath("u3"), By: "Northgate SSO", At: ago(50 * time.Hour), State: views.Suspended},
		},
		Pager: views.Pager{ByName: true, Older: views.GroupPath(wardID) + "?after=x#members"},
	}
}

func roleDetail() views.RoleDetail {
	return views.RoleDetail{
		Name: "ward-clerk", Label: "Ward clerk", Text: "Keeps the lists of a ward.", Own: true,
		Actions: []views.Action{{Label: "Copy", Icon: "copy", Get: true, Href: views.PathRoles + "/new?like=ward-clerk"}, {Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: views.RolePath("ward-clerk", "delete")}},
		Facts:   []views.KV{{Label: "Name", Value: "ward-clerk", Mono: true, Copy: true}}, Direct: []string{"viewer", "handles_pii"}, Implied: []string{"audit_required"},
		Groups:  []views.KV{{Label: "41 people", Value: "Ward 4B", Href: views.GroupPath(wardID)}},
		Holders: traitDetail().Holders, Pager: views.Pager{ByName: true, Newer: views.RolePath("ward-clerk")},
	}
}

func groupForm() views.Form {
	fields := []views.Field{{Name: "name", Label: "Name", Required: true, Error: "There is a group of that name already."}, roleField()}
	return views.Form{Title: "New group", Text: "It begins empty.", Reach: []views.KV{{Label: "People", Value: "1 person has it"}}, Fields: fields, Errors: views.Errors("1 value needs a correction", fields...), Post: views.PathGroups, Submit: "Make the group", Back: views.PathGroups}
}

// tokens are one of each state.
func tokens() views.Tokens {
	revoke := []views.Action{{Label: "Revoke", Object: "The stock service", Danger: true, Ask: true, Href: views.TokenPath(wardID, "revoke")}}
	return views.Tokens{
		Tabs: []views.Tab{{Label: "Registration tokens", Href: views.PathTokens, Current: true}, {Label: "Signing keys", Href: views.PathSigningKeys}},
		Note: views.Banner{Tone: views.Info, Title: "Plugins register by a token.", Text: "Without one they are refused."},
		New:  views.Action{Label: "New token", Icon: "plus", Primary: true, Ask: true, Href: views.PathTokens + "/new"},
		Rows: []views.TokenRow{
			{Label: "The stock service", Plugin: "stock", By: "Mara Lindqvist", At: ago(time.Hour), Expires: now.Add(23 * time.Hour), Actions: revoke},
			{Label: "Trial", By: "Mara Lindqvist", At: ago(time.Hour), Expires: now.Add(23 * time.Hour), State: views.TokenUsed, UsedBy: &views.Party{Name: "Hello Greeter", Href: views.PluginPath("hello-greeter")}, UsedAt: ago(time.Minute), Actions: revoke},
			{By: "Mara Lindqvist", At: ago(90 * time.Hour), Expires: ago(time.Hour), State: views.TokenOver},
			{Label: "Lost", By: "Mara Lindqvist", At: ago(90 * time.Hour), Expires: now.Add(time.Hour), State: views.TokenRevoked},
		},
		Pager: views.Pager{Older: views.PathTokens + "?after=x"},
	}
}

func signingKeys() views.SigningKeys {
	row := func(id string, phase views.KeyPhase, from time.Duration) views.SigningKeyRow {
		return views.SigningKeyRow{ID: id, Phase: phase, From: now.Add(from), Retire: now.Add(from + 720*time.Hour), Expires: now.Add(from + 721*time.Hour),
			Actions: []views.Action{{Label: "Revoke", Object: id, Danger: true, Ask: true, Href: views.SigningKeyPath(id, "revoke")}}}
	}
	return views.SigningKeys{
		Tabs: tokens().Tabs, Rotate: views.Action{Label: "Rotate", Icon: "rotate-ccw", Primary: true, Ask: true, Href: views.PathSigningKeys + "/rotate"},
		Rows: []views.SigningKeyRow{row("CFabBbgwfLZLEfBEP-9Bv1", views.KeyPublished, 10*time.Minute), row("3Se2lQgSzzzLEfBEP-9Bv1", views.KeySigns, -time.Hour), row("z", views.KeyVerifies, -700*time.Hour)},
	}
}

func expiring() views.ExpiringGrants {
	row := func(trait, what string, d time.Duration, actions []views.Action) views.ExpiringRow {
		return views.ExpiringRow{Person: "Hannah Weiss", Email: "hannah@northgate.example", Href: views.UserPath("u2"), Trait: trait, What: what, By: "Mara Lindqvist", At: ago(time.Hour), Reason: "Covers November", Expires: now.Add(d), Actions: actions}
	}
	return views.ExpiringGrants{
		Tabs: []views.Tab{{Label: "Roles", Href: views.PathRoles}, {Label: "Expiring grants", Href: views.PathExpiring, Current: true}},
		Rows: []views.ExpiringRow{
			row("handles_pii", "", time.Hour, []views.Action{{Label: "Take away", Object: "handles_pii", Danger: true, Ask: true, Href: views.UserPath("u2", "traits", "handles_pii", "revoke")}}),
			row("", "Role Auditor", 50*time.Hour, nil), row("", "Group Ward 4B", 170*time.Hour, groupDetail().Members[0].Actions),
		},
		Pager: views.Pager{ByName: true, Older: views.PathExpiring + "?after=x"},
	}
}

// groupSamples are the pages of groups and roles, and of how plugins prove who they are.
func groupSamples() []sample {
	at, role, reg := crumbs("People", "", "Groups", ""), crumbs("People", "", "Roles & traits", views.PathRoles, "Ward clerk", ""), crumbs("Plugins", "", "Registration tokens", "")
	return []sample{
		in("groups", views.PathGroups, at, groups, views.GroupsPage, views.GroupsBody),
		in("groups-first", views.PathGroups, at, func() views.Groups { g := groups(); g.Rows = nil; return g }, views.GroupsPage, views.GroupsBody),
		in("groups-none", views.PathGroups, at, func() views.Groups { g := groups(); g.Rows, g.Filter.Search = nil, "zzz"; return g }, views.GroupsPage, views.GroupsBody),
		in("group", views.GroupPath(wardID), at, groupDetail, views.GroupPage, views.GroupBody),
		in("group-empty", views.GroupPath(wardID), at, func() views.GroupDetail { g := groupDetail(); g.Roles, g.Members, g.Traits = nil, nil, nil; return g }, views.GroupPage, views.GroupBody),
		in("group-form", views.PathGroups+"/new", at, groupForm, views.FormPage, views.FormBody),
		in("role", views.RolePath("ward-clerk"), role, roleDetail, views.RolePage, views.RoleBody),
		in("role-shipped", views.RolePath("auditor"), role, func() views.RoleDetail {
			r := roleDetail()
			r.Own, r.Holders, r.Groups, r.Implied = false, nil, nil, nil
			return r
		}, views.RolePage, views.RoleBody),
		in("expiring", views.PathExpiring, role, expiring, views.ExpiringPage, views.ExpiringBody),
		in("expiring-none", views.PathExpiring, role, func() views.ExpiringGrants { e := expiring(); e.Rows = nil; return e }, views.ExpiringPage, views.ExpiringBody),
		in("tokens", views.PathTokens, reg, tokens, views.TokensPage, views.TokensBody),
		in("tokens-first", views.PathTokens, reg, func() views.Tokens { t := tokens(); t.Tabs, t.Rows = nil, nil; return t }, views.TokensPage, views.TokensBody),
		alone("token-dialog", views.PathTokens+"/new", func() views.TokenForm { return views.TokenForm{Fields: groupForm().Fields, Errors: groupForm().Errors} }, views.TokenDialog),
		alone("token-made", views.PathTokens, func() views.TokenForm {
			return views.TokenForm{Token: "vvp_U2cM9Nf7pfRnOnu", Plugin: "stock", Expires: now.Add(24 * time.Hour)}
		}, views.TokenDialog),
		in("token-made-page", views.PathTokens, reg, func() views.TokenForm {
			return views.TokenForm{Token: "vvp_U2cM9Nf7pfRnOnu", Expires: now.Add(24 * time.Hour)}
		}, views.TokenFormPage, views.TokenFormBody),
		in("signing-keys", views.PathSigningKeys, reg, signingKeys, views.SigningKeysPage, views.SigningKeysBody),
	}
}
