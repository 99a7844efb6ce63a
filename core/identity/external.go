package identity

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// External is what an identity provider's mapping says a person has now.
type External struct {
	Provider string      // its stable id; what another provider gave is not touched
	Roles    []string    // by name
	Groups   []uuid.UUID // of ours
}

// SetExternal gives a person exactly the roles and groups that a provider's mapping
// says, and takes away what the same provider gave before; what people gave stays.
// Roles and groups that are no more are left out, which the record says. Their
// sessions end when that changes what they may, so it comes before the session of
// the sign-in.
//
// The last administrator is not locked out by a mapping: then nothing changes, the
// record says why, and the person is returned as they are.
func (s *Service) SetExternal(ctx context.Context, id uuid.UUID, e External) (User, error) {
	e.Provider = printable(e.Provider, 64)
	if e.Provider == "" {
		return User{}, fault.New(fault.Internal, "internal", "A mapping needs the provider it is of.")
	}
	core := actor.Core("sso")
	core.Tenant = actor.From(ctx).Tenant
	ctx = actor.With(ctx, core)
	var unknown []string
	detail := map[string]any{"provider": e.Provider}
	u, err := s.change(ctx, id, "user.external", detail, func(q *db.Queries, _ User) (err error) {
		if unknown, err = s.putExternal(ctx, q, id, e); unknown != nil {
			detail["unknown"] = unknown
		}
		return err
	})
	if f := fault.Of(err); err == nil || f.Code != "identity.last_admin" && f.Code != "trait.conflict" {
		return u, err
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		var now json.RawMessage
		if u, now, err = s.lockUser(ctx, q, id); err != nil {
			return err
		}
		detail["refused"] = e
		return audit.Append(ctx, q, audit.Entry{
			Action: "user.external", Object: id.String(), Outcome: audit.Failed, Rule: fault.Of(err).Code, Before: now, After: now, Detail: detail,
		})
	})
	return u, err
}

// putExternal writes what a mapping says, and returns what of it is no more.
func (s *Service) putExternal(ctx context.Context, q *db.Queries, id uuid.UUID, e External) (unknown []string, err error) {
	known, err := q.RoleList(ctx)
	if err != nil {
		return nil, err
	}
	var roles []string
	for _, name := range e.Roles {
		if slices.ContainsFunc(known, func(r db.Role) bool { return r.Name == name }) {
			roles = append(roles, name)
		} else {
			unknown = append(unknown, printable(name, 100))
		}
	}
	if err := q.UserRolesDrop(ctx, db.UserRolesDropParams{UserID: id, Source: e.Provider, Keep: append([]string{}, roles...)}); err != nil {
		return nil, err
	}
	for _, name := range roles {
		if err := s.putRole(ctx, q, id, e.Provider, RoleGrant{Role: name}); err != nil {
			return nil, err
		}
	}
	groups := []uuid.UUID{}
	for _, group := range e.Groups {
		err := s.putMember(ctx, q, group, id, e.Provider, MemberGrant{})
		if fault.Is(err, fault.NotFound) {
			unknown = append(unknown, group.String())
			continue
		}
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return unknown, q.GroupMembersDrop(ctx, db.GroupMembersDropParams{UserID: id, Source: e.Provider, Keep: groups})
}
