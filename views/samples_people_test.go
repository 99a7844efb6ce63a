package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

func userRows() []views.UserRow {
	suspend := func(id, name string) views.Action {
		return views.Action{Label: "Suspend", Object: name, Danger: true, Ask: true, Href: views.UserPath(id, "suspend")}
	}
	self := suspend("u1", "Mara Lindqvist")
	self.Why = &views.Why{Text: "Nobody may suspend themselves."}
	return []views.UserRow{
		{ID: "u1", Name: "Mara Lindqvist", Email: "mara.lindqvist@northgate.example", Roles: []string{"admin"}, Source: "local", MFA: true, LastSeen: now, State: views.Active, Self: true, Actions: []views.Action{self}},
		{ID: "u2", Name: "Hannah Weiss", Email: "hannah.weiss@northgate.example", Roles: []string{"viewer"}, Source: "Northgate SSO", LastSeen: ago(26 * time.Hour), State: views.Active, Actions: []views.Action{suspend("u2", "Hannah Weiss")}},
		{ID: "u3", Name: "Tomás Ferreira", Email: "tomas.ferreira@northgate.example", Roles: []string{"plugin-manager", "developer"}, Source: "local", State: views.Suspended, Actions: []views.Action{{Label: "Restore", Object: "Tomás Ferreira", Href: views.UserPath("u3", "restore")}}},
	}
}

func users() views.Users {
	return views.Users{
		Rows: userRows(), Invite: views.Action{Label: "Invite a person", Icon: "user-plus", Primary: true, Ask: true, Href: views.PathUserInvite},
		Bulk:    []views.Option{{Value: "suspend", Label: "Suspend"}, {Value: "give_role", Label: "Give a role"}},
		Several: views.Action{Label: "Invite several", Icon: "users", Get: true, Href: views.PathInviteMany},
		Filter:  views.Filter{Path: views.PathUsers, In: "name, e-mail"},
		Invites: []views.InviteRow{{Email: "ines.okafor@northgate.example", Roles: []string{"auditor"}, By: "Mara Lindqvist", Expires: now.Add(46 * time.Hour), Actions: []views.Action{{Label: "Withdraw", Object: "the invitation of Ines Okafor", Danger: true, Ask: true, Href: views.UserPath("u9", "withdraw")}}}},
	}
}

func roleField() views.Field {
	return views.Field{Name: "roles", Label: "Roles", Type: views.Checks, Required: true, Help: "A role is a named set of traits.", Options: []views.Option{
		{Value: "admin", Label: "Administrator", Note: "runs the platform, sees no PHI"}, {Value: "viewer", Label: "Viewer", Note: "looks", Selected: true}, {Value: "auditor", Label: "Auditor", Note: "reads the audit"},
	}}
}

func sessions() []views.SessionRow {
	return []views.SessionRow{
		{ID: "s1", Device: "Firefox on Linux", Address: "10.20.4.118", Since: ago(4 * time.Hour), LastSeen: now, Current: true},
		{ID: "s2", Device: "Safari on iPhone", Address: "10.20.9.3", Since: ago(30 * time.Hour), LastSeen: ago(9 * time.Hour), Revoke: views.Action{Label: "End", Object: "Safari on iPhone", Danger: true, Href: views.SessionPath("s2", "revoke")}},
	}
}

func keys() []views.KeyRow {
	return []views.KeyRow{
		{ID: "k1", Name: "Nightly export", Prefix: "vv_3f9a…", Scope: []string{"audit_viewer"}, Created: ago(900 * time.Hour), Expires: now.Add(2000 * time.Hour), LastUsed: ago(8 * time.Hour), Revoke: views.Action{Label: "Revoke", Object: "Nightly export", Danger: true, Ask: true, Href: views.KeyPath("k1", "revoke")}},
		{ID: "k2", Name: "Old script", Prefix: "vv_77c1…", Scope: []string{"viewer", "event_viewer", "audit_viewer"}, Expires: ago(2000 * time.Hour), Revoked: true},
	}
}

func traitsFrom() []views.TraitFrom {
	return []views.TraitFrom{{Name: "viewer", From: "role Viewer"}, {Name: "handles_pii", From: "granted by Mara Lindqvist", Expires: now.Add(23 * time.Hour)}, {Name: "audit_required", From: "implied by handles_pii"}}
}

func given() []views.GivenRow {
	actions := func(kind, name string) []views.Action {
		return []views.Action{{Label: "Change", Object: name, Ask: true, Href: views.UserPath("u2", kind, name, "grant")}, {Label: "Take away", Object: name, Danger: true, Ask: true, Href: views.UserPath("u2", kind, name, "revoke")}}
	}
	return []views.GivenRow{
		{Name: "Viewer", By: "Mara Lindqvist", At: ago(4000 * time.Hour), Actions: actions("roles", "viewer")},
		{Name: "handles_pii", Trait: true, By: "Mara Lindqvist", At: ago(time.Hour), Reason: "Covers the discharge desk", Expires: now.Add(23 * time.Hour), Actions: actions("traits", "handles_pii")},
	}
}

func places() []views.PlaceRow {
	return []views.PlaceRow{
		{Group: "Ward 4B", Provider: "Northgate SSO", At: ago(400 * time.Hour)},
		{Group: "On call", By: "Mara Lindqvist", At: ago(time.Hour), Reason: "Weekend", Expires: now.Add(50 * time.Hour), Actions: []views.Action{{Label: "Take out", Object: "On call", Danger: true, Ask: true, Href: views.UserPath("u2", "groups", "g2", "leave")}}},
	}
}

func user() views.UserDetail {
	return views.UserDetail{
		Given: given(), Give: &views.Action{Label: "Give a role or trait", Icon: "plus", Ask: true, Href: views.UserPath("u2", "grant")},
		Factors: &views.UserFactors{
			Since: ago(400 * time.Hour), Codes: 8, Required: true, Passkeys: []views.PasskeyRow{{Name: "Laptop", Added: ago(90 * time.Hour)}},
			Reset: &views.Action{Label: "Reset", Object: "the second factors of Hannah Weiss", Danger: true, Ask: true, Href: views.UserPath("u2", "reset-factors")},
		},
		Places: places(), Join: &views.Action{Label: "Add to a group", Icon: "plus", Ask: true, Href: views.UserPath("u2", "groups", "join")},
		UserRow: userRows()[1], Since: ago(4000 * time.Hour), Roles: roleField(), Traits: traitsFrom(), Sessions: sessions(), Keys: keys(),
		Actions: []views.Action{{Label: "Suspend", Icon: "user-x", Danger: true, Ask: true, Href: views.UserPath("u2", "suspend")}, {Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: views.UserPath("u2", "delete"), Why: &views.Why{Text: "People with records in the audit are suspended, not deleted."}}},
		Facts:   []views.KV{{Label: "Source", Value: "Northgate SSO"}, {Label: "Second factor", Value: "off"}, {Label: "Last seen", Body: views.Zoned(ago(26*time.Hour), views.Full)}, {Label: "Id", Value: "0195aa10-7e4c-7d21-9f00-4c1d55b0c41d", Mono: true, Copy: true}},
		Moments: []views.Moment{{At: ago(26 * time.Hour), Tone: views.OK, Text: "Signed in", Note: "10.20.9.3"}, {At: ago(27 * time.Hour), Tone: views.Danger, Icon: "ban", Text: "Denied", Note: "data.class"}},
	}
}

func matrix() views.Matrix {
	m := views.Matrix{
		Filter: views.Filter{Path: views.PathRoles, In: "traits"}, Grant: views.Action{Label: "Grant a trait", Icon: "user-plus", Primary: true, Ask: true, Href: views.PathRoles + "/grant"},
		New:   views.Action{Label: "New role", Icon: "plus", Get: true, Href: views.PathRoles + "/new"},
		Roles: []views.MatrixRole{{Name: "admin", Label: "Administrator", People: 2, Builtin: true}, {Name: "ward-clerk", Label: "Ward clerk", People: 41, Groups: 3}},
		Older: views.Pager{ByName: true, Older: views.PathRoles + "?from=x"},
	}
	m.Groups = []views.MatrixGroup{{Label: "Capability", Rows: []views.MatrixRow{{
		Trait: "event_viewer", Href: views.TraitPath("event_viewer"), ImpliedBy: []string{"admin"}, People: 3, Cells: []views.MatrixCell{{By: "admin"}, {Direct: true}},
	}}}, {Label: "Data access", Rows: []views.MatrixRow{{Trait: "handles_phi", Href: views.TraitPath("handles_phi"), Cells: []views.MatrixCell{{}, {Direct: true}}}}}}
	return m
}

func traitDetail() views.TraitDetail {
	return views.TraitDetail{
		Name: "handles_phi", Text: "Works with protected health information (HIPAA).", Facts: []views.KV{{Label: "Roles", Value: "Ward clerk"}, {Label: "Brings along", Value: "audit_required"}},
		Actions: []views.Action{{Label: "Grant", Icon: "user-plus", Primary: true, Ask: true, Href: views.TraitPath("handles_phi", "grant"), Why: &views.Why{Text: "It is above your own traits.", Trait: "admin"}}},
		Holders: []views.HolderRow{
			{Name: "Hannah Weiss", Email: "hannah@northgate.example", Href: views.UserPath("u2"), From: "group Ward 4B → role Ward clerk", Expires: now.Add(23 * time.Hour), State: views.Active},
			{Name: "Priya Raman", Email: "priya@northgate.example", Href: views.UserPath("u3"), From: "role Ward clerk", State: views.Active},
		},
	}
}

func account() views.Account {
	return views.Account{
		Person: views.Person{Name: "Mara Lindqvist", Email: "mara.lindqvist@northgate.example"}, Roles: []string{"Administrator"}, Source: "local account",
		Profile: []views.Field{{Name: "name", Label: "Name", Value: "Mara Lindqvist", Required: true, Autocomplete: "name"}, {Name: "email", Label: "E-mail", Type: views.Email, Value: "mara.lindqvist@northgate.example", Locked: "Only a user manager may change it."}},
		Password: &views.PasswordForm{Rules: []string{"At least 12 characters", "Not one of the commonly used"}, Fields: []views.Field{
			{Name: "current", Label: "Current password", Type: views.Password, Required: true, Autocomplete: "current-password", Error: "It is not the current password."},
			{Name: "password", Label: "New password", Type: views.Password, Required: true, Autocomplete: "new-password"},
		}},
		Sessions: sessions(), Others: &views.Action{Label: "End all others", Danger: true, Href: views.PathSessions + "/revoke-others"},
		Keys: keys(), NewKey: &views.Action{Label: "New key", Ask: true, Icon: "plus", Href: views.PathKeys + "/new"}, Traits: traitsFrom(),
		Errors: views.ErrorList{Title: "1 value needs a correction; nothing was saved", Errors: []views.FieldError{{Field: "f-current", Text: "Current password: it is not the current password."}}},
	}
}

func newAccountFields() []views.Field {
	return []views.Field{
		{Name: "name", Label: "Name", Required: true, Autocomplete: "name"},
		{Name: "password", Label: "Password", Type: views.Password, Required: true, Autocomplete: "new-password", Error: "It has 8 characters; 12 are needed."},
	}
}

func setup() views.Setup {
	fields := append([]views.Field{{Name: "email", Label: "E-mail", Type: views.Email, Required: true, Autocomplete: "username", Value: "mara@northgate.example"}}, newAccountFields()...)
	return views.Setup{Fields: fields, Rules: []string{"At least 12 characters", "Not one of the commonly used"}, Errors: views.Errors("1 value needs a correction", fields...)}
}

func invite() views.Invite {
	return views.Invite{Token: "t0ken", Org: "Northgate Regional", From: "Mara Lindqvist", Email: "ines.okafor@northgate.example", Roles: []string{"Auditor"}, Fields: newAccountFields(), Rules: []string{"At least 12 characters"}}
}

func inviteForm() views.InviteForm {
	return views.InviteForm{Email: views.Field{Name: "email", Label: "E-mail", Type: views.Email, Required: true}, Name: views.Field{Name: "name", Label: "Name"}, Roles: roleField()}
}

func inviteLink() views.InviteForm {
	return views.InviteForm{Link: "https://console.northgate.example/invite?token=0f9a7b", For: "Inés Okafor", Expires: now.Add(48 * time.Hour)}
}

func keyForm() views.KeyForm {
	return views.KeyForm{Name: views.Field{Name: "name", Label: "Name", Required: true}, Expires: views.Field{Name: "expires", Label: "Expires", Type: views.Select, Required: true, Options: []views.Option{{Value: "30", Label: "In 30 days"}, {Value: "90", Label: "In 90 days"}}}, Scope: roleField()}
}

func confirm() views.Confirm {
	return views.Confirm{
		Title: "Quarantine Hello Greeter?", Text: "Its lanes are cut at once and its tokens revoked. Its logs and audit records stay. Only an administrator can let it out again.",
		Reach:  []views.KV{{Label: "Stops working", Value: "Discharge Letters, Referral Desk"}, {Label: "Closed", Value: "3 event types, 2 operations, 1 domain"}, {Label: "In flight", Value: "2 calls, given 10 s to end"}, {Label: "People", Value: "38 used it in the last 30 days"}},
		Fields: []views.Field{{Name: "reason", Label: "Reason", Required: true, Help: "Kept in the audit."}}, Typed: "hello-greeter",
		Action: views.Action{Label: "Quarantine", Icon: "octagon-x", Danger: true, Primary: true, Href: views.PluginPath("hello-greeter", "quarantine"), Fields: []views.Hidden{{Name: "version", Value: "7"}}},
		Back:   views.PluginPath("hello-greeter"),
	}
}

func palette() views.Palette {
	return views.Palette{Query: "gre", Groups: []views.PaletteGroup{
		{Label: "Plugins", Items: []views.PaletteItem{{Label: "Hello Greeter", Href: views.PluginPath("hello-greeter"), Icon: "message-square", Status: views.Unhealthy}, {Label: "Hello Greeter: activity", Href: views.PluginPath("hello-greeter", "activity"), Icon: "scroll-text"}}},
		{Label: "Actions", Items: []views.PaletteItem{{Label: "Quarantine Hello Greeter…", Href: views.PluginPath("hello-greeter", "quarantine"), Icon: "octagon-x", Danger: true}}},
		{Label: "Pages", Items: []views.PaletteItem{{Label: "Audit", Href: views.PathAudit, Icon: "shield-check", Note: "g a"}}},
	}}
}

func problem(status int) views.Problem {
	p := views.Problem{Status: status, Trace: "7c1f09b2e4d84a557c1f09b2e4d84a55", SignedIn: true}
	if status == 403 {
		p.Code, p.Detail, p.Why = "console.audit", "Hannah Weiss may not open the audit.", &views.Why{Text: "Reading the audit is for auditors.", Trait: "audit_viewer", Grantors: []string{"Mara Lindqvist"}, Decision: decisionID}
	}
	return p
}
