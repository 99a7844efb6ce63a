package sso

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// linkable are the refusals after which an administrator may link the identity.
var linkable = map[string]bool{"identity.unlinked": true, "identity.email_taken": true}

// Linkable reports whether an attempt proved an identity that is nobody's.
func (a Attempt) Linkable() bool { return linkable[a.Code] && a.Subject != "" }

// LinkAttempt links the identity that an attempt proved with a person. The provider
// has proved the one side within the last day; whoever acts stands for the other.
func (s *Service) LinkAttempt(ctx context.Context, id, user uuid.UUID) error {
	a, err := s.Attempt(ctx, id)
	if err != nil {
		return err
	}
	if !a.Linkable() || s.now().Sub(a.At) > 24*time.Hour {
		return fault.New(fault.Conflict, "sso.not_linkable", "This attempt proved no identity that could be linked now; let the person try once more.")
	}
	email := a.Account
	if email == a.Subject {
		email = ""
	}
	return s.People.Link(ctx, user, identity.Vouched{Issuer: a.Issuer, Subject: a.Subject, Email: email, Gives: identity.External{Provider: a.Provider}})
}
