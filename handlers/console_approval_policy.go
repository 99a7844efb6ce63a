package handlers

import (
	"context"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// policyKind is the kind of request under which publications of rules stand in the
// inbox; the rulebook keeps and decides them.
const policyKind = "policy"

// publications returns the versions of the rules that wait for a second person,
// to those who may see them.
func (v *visit) publications(ctx context.Context) ([]rulebook.Waiting, error) {
	if !v.has(trait.PolicyManager) && !v.has(trait.Approver) {
		return nil, nil
	}
	return v.Rules.Waiting(ctx)
}

// publicationRow is a publication of rules as the inbox shows it.
func (v *visit) publicationRow(ctx context.Context, w rulebook.Waiting) views.ApprovalRow {
	var why *views.Why
	switch {
	case !v.has(trait.PolicyManager):
		why = v.why(ctx, trait.PolicyManager, "You see this, and others decide it.")
	case w.Author == v.who.ID:
		why = &views.Why{Text: "Nobody publishes what they wrote where two persons have to agree."}
	}
	path, title := func(verb string) string { return views.PolicyWaitingPath(w.ID.String(), verb) }, w.AuthorName+" wants to publish rules"
	return views.ApprovalRow{
		ID: w.ID.String(), Href: views.PathPolicies, Kind: policyKind, Title: title, Reason: w.Comment,
		By: v.party(string(actor.User), w.Author, w.AuthorName), At: w.AskedAt, Expires: w.ExpiresAt, State: views.Waiting,
		Actions: []views.Action{
			{Label: "Approve", Object: title, Ask: true, Href: path("approve"), Why: why},
			{Label: "Deny", Object: title, Ask: true, Danger: true, Href: path("deny"), Why: why},
		},
	}
}
