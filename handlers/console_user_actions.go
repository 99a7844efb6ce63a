package handlers

import (
	"context"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// What may not be done to just anybody.
const (
	suspend = "suspend"
	remove  = "delete"
)

// whyNot says why a person may not be changed by whoever looks; verb is one of the
// above, or empty for any other change. It is a courtesy: core/identity decides.
func (v *visit) whyNot(ctx context.Context, u identity.User, verb string) *views.Why {
	if u.Status == identity.Deleted {
		return &views.Why{Text: u.Name + " was deleted; the account is kept for the audit."}
	}
	if names := v.beyond(u.Traits); len(names) > 0 {
		return &views.Why{Text: u.Name + " has traits above your own.", Trait: names[0], Grantors: v.holders(ctx, trait.Admin)}
	}
	if verb == "" {
		return nil
	}
	if f := v.notOneself(u); f != nil {
		return &views.Why{Text: f.Sentence}
	}
	if u.Traits.Has(trait.Admin) && u.Status == identity.Active && len(v.holders(ctx, trait.Admin)) == 1 {
		return &views.Why{Text: "This is the last active administrator."}
	}
	return nil
}

// notOneself refuses what would lock whoever does it out.
func (v *visit) notOneself(u identity.User) *fault.Fault {
	if !v.isSelf(u) {
		return nil
	}
	return fault.New(fault.Conflict, "user.self", "Nobody suspends or deletes themselves; ask another user manager.")
}

// userActions is what can be done to a person on their page.
func (v *visit) userActions(ctx context.Context, u identity.User) []views.Action {
	if u.Status == identity.Deleted {
		return nil
	}
	var actions []views.Action
	if u.Source == local && u.Status != identity.Suspended {
		label := "Password link"
		if u.Status == identity.Invited {
			label = "New invitation link"
		}
		actions = append(actions, views.Action{Label: label, Icon: "link", Ask: true, Href: userPath(u, "link"), Why: v.whyNot(ctx, u, "")})
	}
	if u.Status == identity.Active && !v.isSelf(u) {
		actions = append(actions, views.Action{Label: "View as", Icon: "eye", Ask: true, Href: userPath(u, "view-as")})
	}
	return append(actions, v.suspension(ctx, u, ""),
		views.Action{Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: userPath(u, "delete"), Why: v.whyNot(ctx, u, remove)})
}

// rowActions is what can be done to a person in the list.
func (v *visit) rowActions(ctx context.Context, u identity.User) []views.Action {
	a := v.suspension(ctx, u, u.Name)
	a.Icon = "" // a row has no room for it
	return []views.Action{a}
}

// suspension keeps a person out or lets them in again, whichever is possible.
// Object names the person where the page does not.
func (v *visit) suspension(ctx context.Context, u identity.User, object string) views.Action {
	if u.Status == identity.Suspended {
		return views.Action{Label: "Restore", Object: object, Icon: "user-check", Href: userPath(u, "restore"), Why: v.whyNot(ctx, u, "")}
	}
	return views.Action{Label: "Suspend", Object: object, Icon: "user-x", Danger: true, Ask: true, Href: userPath(u, "suspend"), Why: v.whyNot(ctx, u, suspend)}
}
