package identity_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// group makes a group that carries roles, with people in it.
func (w *world) group(name string, roles []string, people ...identity.User) identity.Group {
	w.t.Helper()
	in := identity.GroupEdit{Name: name}
	for _, r := range roles {
		in.Roles = append(in.Roles, identity.RoleGrant{Role: r})
	}
	g, err := w.CreateGroup(w.core(), in)
	works(w.t, "make the group "+name, err)
	for _, u := range people {
		_, err := w.JoinGroup(w.core(), g.ID, u.ID, identity.MemberGrant{})
		works(w.t, u.Name+" joins "+name, err)
	}
	return g
}

// now returns a person as they are now.
func (w *world) now(u identity.User) identity.User {
	w.t.Helper()
	u, err := w.User(w.core(), u.ID)
	works(w.t, "read a person", err)
	return u
}

// Whoever is in a group has what its roles carry, for as long as they are, and it
// says so; their sessions end with each change.
func TestGroup(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	pat := w.person("pat@example.com", "Pat")
	night := w.group("Night shift", []string{"operator"})
	session := w.login("pat@example.com")
	_, err := w.JoinGroup(w.as(admin), night.ID, pat.ID, identity.MemberGrant{Reason: "stands in for Uma", Expires: w.in(3 * time.Hour)})
	works(t, "join", err)
	_, err = w.bearer(session.Secret)
	is(t, "the session from before", err, fault.Unauthenticated, "auth.invalid")
	session = w.login("pat@example.com")
	who, err := w.bearer(session.Secret)
	works(t, "sign in", err)
	if !who.Has(trait.PluginManager) || !who.Has(trait.Viewer) {
		t.Errorf("in the group she has %v", trait.Builtin().Names(who.Traits))
	}
	held, err := w.Effective(w.core(), pat.ID)
	works(t, "effective", err)
	source := func(of trait.ID) identity.Source {
		i := slices.IndexFunc(held, func(h identity.Held) bool { return h.Trait.ID == of })
		if i < 0 {
			t.Fatalf("she has no %s", trait.Builtin().Get(of).Name)
		}
		return held[i].From[0]
	}
	at := w.clock.now()
	want := identity.Source{
		From: identity.FromGroup, Name: "operator", Label: "Operator", Group: "Night shift", GroupID: night.ID.String(),
		Reason: "stands in for Uma", GrantedBy: admin.User.ID.String(), GrantedAt: at, Expires: w.in(3 * time.Hour),
	}
	if diff := cmp.Diff(want, source(trait.PluginManager)); diff != "" {
		t.Errorf("where plugin_manager comes from (-want +got):\n%s", diff)
	}
	if got := source(trait.Viewer); got.From != identity.ImpliedBy || got.Name != "operator" {
		t.Errorf("viewer comes from %+v", got)
	}

	// It ends by itself, at the moment it says, and is recorded once.
	w.clock.move(3*time.Hour - time.Millisecond)
	session = w.login("pat@example.com")
	who, err = w.bearer(session.Secret)
	if err != nil || !who.Has(trait.Operator) {
		t.Errorf("a moment before the end she has %v, %v", trait.Builtin().Names(who.Traits), err)
	}
	w.clock.move(time.Millisecond)
	who, err = w.bearer(session.Secret)
	if err != nil || !who.Traits.Empty() {
		t.Errorf("at the end she has %v, %v", trait.Builtin().Names(who.Traits), err)
	}
	other := w.replica()
	for _, s := range []*identity.Service{w.Service, other, w.Service} {
		works(t, "upkeep", s.Expire(t.Context(), w.clock.now()))
	}
	if n := w.records("grant.expired", audit.OK); n != 1 {
		t.Errorf("%d rows of the end", n)
	}
	if len(w.now(pat).Groups) != 0 {
		t.Errorf("she is still in %v", w.now(pat).Groups)
	}
}

// Every kind of grant that runs out leaves one row with who gave it and why.
func TestExpire(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	pat := w.person("pat@example.com", "Pat")
	g := w.group("Night shift", nil, pat)
	soon := w.in(time.Minute)
	_, err := w.GiveRole(w.as(admin), pat.ID, identity.RoleGrant{Role: "auditor", Reason: "audit week", Expires: soon})
	works(t, "role", err)
	_, err = w.GrantTrait(w.as(admin), pat.ID, identity.TraitGrant{Trait: "approver", Reason: "holiday", Expires: soon})
	works(t, "trait", err)
	_, err = w.ChangeGroup(w.as(admin), g.ID, identity.GroupEdit{Name: g.Name, Roles: []identity.RoleGrant{{Role: "developer", Expires: soon}}})
	works(t, "role of a group", err)
	if got := trait.Builtin().Names(w.now(pat).Traits); !slices.Contains(got, "approver") || !slices.Contains(got, "audit_viewer") || !slices.Contains(got, "developer") {
		t.Fatalf("she has %v", got)
	}
	works(t, "too early", w.Expire(t.Context(), w.clock.now()))
	if n := w.records("grant.expired", audit.OK); n != 0 {
		t.Fatalf("%d rows too early", n)
	}
	w.clock.move(time.Minute)
	if got := w.now(pat); !got.Traits.Empty() || len(got.Carried) != 0 {
		t.Errorf("she still has %v by %v", trait.Builtin().Names(got.Traits), got.Carried)
	}
	works(t, "upkeep", w.Expire(t.Context(), w.clock.now()))
	n := w.number(`SELECT count(*) FROM audit_log WHERE action = 'grant.expired' AND detail->>'granted_by' = $1
		AND (detail->>'role' = 'auditor' AND detail->>'reason' = 'audit week' AND object = $2
			OR detail->>'trait' = 'approver' AND detail->>'reason' = 'holiday' AND object = $2
			OR detail->>'role' = 'developer' AND detail->>'group' = 'Night shift' AND object = $3)`,
		admin.User.ID.String(), pat.ID.String(), g.ID.String())
	if n != 3 {
		t.Errorf("%d of 3 ends are recorded as they were", n)
	}
	// Administrators are told apart from those who are so for a while.
	if got := w.now(admin.User); !got.Traits.Has(trait.Admin) {
		t.Error("the administrator lost what has no end")
	}
}

// adminWays are all ways in which the last administrator could lose the right.
var adminWays = map[string]func(ctx context.Context, w *world, s *identity.Service) error{
	"the group loses the role": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.ChangeGroup(ctx, w.named("Admins"), identity.GroupEdit{Name: "Admins"})
		return err
	},
	"the group's role gets an end": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.ChangeGroup(ctx, w.named("Admins"), identity.GroupEdit{Name: "Admins", Roles: []identity.RoleGrant{{Role: "chief", Expires: w.in(time.Hour)}}})
		return err
	},
	"the group is deleted": func(ctx context.Context, w *world, s *identity.Service) error {
		return s.DeleteGroup(ctx, w.named("Admins"))
	},
	"she leaves the group": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.LeaveGroup(ctx, w.named("Admins"), first(w.t, w, "ada").ID)
		return err
	},
	"her place in the group gets an end": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.JoinGroup(ctx, w.named("Admins"), first(w.t, w, "ada").ID, identity.MemberGrant{Expires: w.in(time.Hour)})
		return err
	},
	"the role loses the trait": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.ChangeRole(ctx, identity.Role{Name: "chief", Label: "Chief", Traits: []string{"viewer"}})
		return err
	},
	"the role is deleted": func(ctx context.Context, w *world, s *identity.Service) error {
		return s.DeleteRole(ctx, "chief", true)
	},
	"she is suspended": func(ctx context.Context, w *world, s *identity.Service) error {
		_, err := s.Suspend(ctx, first(w.t, w, "ada").ID, "")
		return err
	},
	"she is deleted": func(ctx context.Context, w *world, s *identity.Service) error {
		return s.Delete(ctx, first(w.t, w, "ada").ID)
	},
}

// named returns the id of a group.
func (w *world) named(name string) uuid.UUID {
	w.t.Helper()
	page, err := w.Groups(w.core(), identity.GroupFilter{Text: name})
	if err != nil || len(page.Groups) != 1 {
		w.t.Fatalf("%d groups %s, %v", len(page.Groups), name, err)
	}
	return page.Groups[0].ID
}

// onlyAda makes Ada the one administrator, by a custom role that a group carries.
func onlyAda(t *testing.T, w *world) {
	t.Helper()
	mara := w.setUp()
	_, err := w.CreateRole(w.as(mara), identity.Role{Name: "chief", Label: "Chief", Traits: []string{"admin"}})
	works(t, "make a role", err)
	w.group("Admins", []string{"chief"}, w.person("ada@example.com", "Ada"))
	_, err = w.SetRoles(w.core(), mara.User.ID, nil)
	works(t, "the first administrator steps down", err)
}

// The last administrator stays also where a group and a custom role make her one.
func TestLastAdminByGroup(t *testing.T) {
	for name, lose := range adminWays {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			onlyAda(t, w)
			for who, ctx := range map[string]context.Context{"herself": w.as(w.login("ada@example.com")), "the core": w.core()} {
				is(t, who, lose(ctx, w, w.Service), fault.Conflict, "identity.last_admin")
			}
			if !w.now(first(t, w, "ada")).Traits.Has(trait.Admin) {
				t.Fatal("she lost it")
			}
			w.person("bob@example.com", "Bob", "admin")
			works(t, "with a second one", lose(w.core(), w, w.Service))
		})
	}
}

// However two administrators are removed at the same moment, by two replicas, one stays.
func TestLastAdminRaces(t *testing.T) {
	for name, lose := range adminWays {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			onlyAda(t, w)
			bob := w.person("bob@example.com", "Bob", "admin")
			other := w.replica()
			results := make(chan error, 2)
			var wg sync.WaitGroup
			wg.Go(func() { results <- lose(w.core(), w, w.Service) })
			wg.Go(func() {
				_, err := other.SetRoles(w.core(), bob.ID, nil)
				results <- err
			})
			wg.Wait()
			a, b := <-results, <-results
			if (a == nil) == (b == nil) {
				t.Errorf("of two removals came %v and %v", a, b)
			}
			is(t, "the loser", errors.Join(a, b), fault.Conflict, "identity.last_admin")
		})
	}
}

// Nobody hands out by a group, a role or a link what is above themselves.
func TestEscalationByGroup(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	vic := w.person("vic@example.com", "Vic", "viewer")
	uma := w.person("uma@example.com", "Uma", "user-manager")
	empty, admins := w.group("Empty", []string{"admin"}), w.group("Admins", []string{"admin"}, w.person("ann@example.com", "Ann"))
	plain := w.group("Plain", []string{"viewer"}, vic)
	mixed := w.group("Mixed", nil, w.person("phi@example.com", "Phi"))
	_, err := w.GrantTrait(w.core(), first(t, w, "phi").ID, identity.TraitGrant{Trait: "handles_phi"})
	works(t, "PHI", err)
	_, err = w.CreateRole(w.core(), identity.Role{Name: "chief", Label: "Chief", Traits: []string{"admin"}})
	works(t, "role", err)
	_, err = w.CreateRole(w.core(), identity.Role{Name: "reader", Label: "Reader", Traits: []string{"viewer"}})
	works(t, "role", err)
	_, err = w.GiveRole(w.core(), vic.ID, identity.RoleGrant{Role: "reader"})
	works(t, "give it", err)
	ctx := w.as(w.login("uma@example.com"))
	admin, config := []identity.RoleGrant{{Role: "admin"}}, []identity.RoleGrant{{Role: "config-manager"}}
	for what, try := range map[string]func() error{
		"joins the administrators": func() error {
			_, err := w.JoinGroup(ctx, empty.ID, uma.ID, identity.MemberGrant{})
			return err
		},
		"puts another among them": func() error {
			_, err := w.JoinGroup(ctx, admins.ID, vic.ID, identity.MemberGrant{})
			return err
		},
		"takes one out": func() error { _, err := w.LeaveGroup(ctx, admins.ID, first(t, w, "ann").ID); return err },
		"gives a group a role above her": func() error {
			_, err := w.ChangeGroup(ctx, plain.ID, identity.GroupEdit{Name: "Plain", Roles: config})
			return err
		},
		"makes a group above her": func() error {
			_, err := w.CreateGroup(ctx, identity.GroupEdit{Name: "Mine", Roles: admin})
			return err
		},
		"renames one above her, with nobody in it": func() error {
			_, err := w.ChangeGroup(ctx, empty.ID, identity.GroupEdit{Name: "Nobody"})
			return err
		},
		"deletes a group above her": func() error { return w.DeleteGroup(ctx, empty.ID) },
		"changes what somebody above her has": func() error {
			_, err := w.ChangeGroup(ctx, mixed.ID, identity.GroupEdit{Name: "Mixed", Roles: []identity.RoleGrant{{Role: "viewer"}}})
			return err
		},
		"makes a role above her": func() error {
			_, err := w.CreateRole(ctx, identity.Role{Name: "boss", Label: "Boss", Traits: []string{"admin"}})
			return err
		},
		"widens one that she may give": func() error {
			_, err := w.ChangeRole(ctx, identity.Role{Name: "reader", Label: "Reader", Traits: []string{"viewer", "handles_phi"}})
			return err
		},
		"deletes one above her": func() error { return w.DeleteRole(ctx, "chief", true) },
		"gives a custom role above her": func() error {
			_, err := w.GiveRole(ctx, vic.ID, identity.RoleGrant{Role: "chief"})
			return err
		},
		"invites into a group above her": func() error {
			_, err := w.Invite(ctx, identity.Invitation{Email: "new@example.com", Name: "New", Groups: []uuid.UUID{admins.ID}})
			return err
		},
	} {
		is(t, "the user manager "+what, try(), fault.Denied, "identity.escalation")
	}
	_, err = w.ChangeGroup(ctx, plain.ID, identity.GroupEdit{Name: "Plainest", Roles: []identity.RoleGrant{{Role: "user-manager"}}})
	works(t, "what she has she may give by a group", err)
	_, err = w.ChangeGroup(ctx, mixed.ID, identity.GroupEdit{Name: "Renamed"})
	works(t, "a group is renamed whoever is in it", err)
}

// Traits that exclude each other meet in nobody, by whatever way, and not in a role
// or group either; what is not for people is in no role.
func TestConflict(t *testing.T) {
	registry, err := trait.Builtin().With([]trait.Trait{
		{Name: "pays", Label: "Pays", Assignable: trait.ToUser},
		{Name: "approves_payment", Label: "Approves", Assignable: trait.ToUser, Conflicts: []trait.ID{trait.ID(trait.Builtin().Len())}},
	})
	works(t, "custom traits", err)
	w := newWorld(t, func(c *identity.Config) { c.Traits = func() *trait.Registry { return registry } })
	w.setUp()
	pat := w.person("pat@example.com", "Pat")
	_, err = w.CreateRole(w.core(), identity.Role{Name: "payer", Label: "Payer", Traits: []string{"pays"}})
	works(t, "role", err)
	_, err = w.CreateRole(w.core(), identity.Role{Name: "checker", Label: "Checker", Traits: []string{"approves_payment"}})
	works(t, "role", err)
	checkers := w.group("Checkers", []string{"checker"})
	_, err = w.GiveRole(w.core(), pat.ID, identity.RoleGrant{Role: "payer"})
	works(t, "the one", err)
	for what, try := range map[string]func() error{
		"directly": func() error {
			_, err := w.GrantTrait(w.core(), pat.ID, identity.TraitGrant{Trait: "approves_payment"})
			return err
		},
		"by a role":  func() error { _, err := w.GiveRole(w.core(), pat.ID, identity.RoleGrant{Role: "checker"}); return err },
		"by a group": func() error { _, err := w.JoinGroup(w.core(), checkers.ID, pat.ID, identity.MemberGrant{}); return err },
		"in a group": func() error {
			_, err := w.ChangeGroup(w.core(), checkers.ID, identity.GroupEdit{Name: "C", Roles: []identity.RoleGrant{{Role: "checker"}, {Role: "payer"}}})
			return err
		},
	} {
		is(t, "the other "+what, try(), fault.Conflict, "trait.conflict")
	}
	for what, traits := range map[string][]string{"trait.conflict": {"pays", "approves_payment"}, "trait.not_assignable": {"external_service"}, "role.empty": nil} {
		_, err := w.CreateRole(w.core(), identity.Role{Name: "both", Label: "Both", Traits: traits})
		is(t, "a role of it", err, fault.Unprocessable, what)
	}
}

// A mapping gives and takes only what it gave; and it locks nobody out.
func TestExternal(t *testing.T) {
	w := newWorld(t)
	mara := w.setUp()
	pat := w.person("pat@example.com", "Pat", "viewer")
	night, day := w.group("Night shift", []string{"operator"}, pat), w.group("Day shift", []string{"developer"})
	set := func(roles []string, groups ...uuid.UUID) identity.User {
		t.Helper()
		u, err := w.SetExternal(w.stranger(), pat.ID, identity.External{Provider: "dex", Roles: roles, Groups: groups})
		works(t, "mapping", err)
		return u
	}
	u := set([]string{"auditor", "viewer", "no-such-role"}, night.ID, day.ID, uuid.New())
	if !slices.Equal(u.Roles, []string{"viewer"}) || !slices.Equal(u.Carried, []string{"auditor", "developer", "operator", "viewer"}) || len(u.Groups) != 3 {
		t.Errorf("mapped: %v by hand, %v in all, in %v", u.Roles, u.Carried, u.Groups)
	}
	if _, err := w.SetRoles(w.core(), pat.ID, nil); err != nil {
		t.Fatal(err)
	}
	if u = w.now(pat); !u.Traits.Has(trait.Viewer) || !u.Traits.Has(trait.AuditViewer) {
		t.Errorf("by hand nothing of the mapping is taken: %v", trait.Builtin().Names(u.Traits))
	}
	_, err := w.LeaveGroup(w.core(), day.ID, pat.ID)
	is(t, "out of a group that a mapping put her in", err, fault.NotFound, "group.not_member")
	if _, err := w.SetExternal(w.stranger(), pat.ID, identity.External{Provider: "other", Roles: []string{"developer"}}); err != nil {
		t.Fatal(err)
	}
	u = set(nil)
	if !slices.Equal(u.Carried, []string{"developer", "operator"}) || u.Traits.Has(trait.AuditViewer) {
		t.Errorf("the mapping says nothing any more: she has %v, %v", u.Carried, trait.Builtin().Names(u.Traits))
	}
	if n := w.records("user.external", audit.OK); n != 3 {
		t.Errorf("%d rows of three mappings that changed something", n)
	}
	set(nil)
	if n := w.records("user.external", audit.OK); n != 3 {
		t.Errorf("a mapping that changes nothing left a row: %d", n)
	}

	// The last administrator, by a mapping alone.
	set([]string{"admin"})
	_, err = w.SetRoles(w.core(), mara.User.ID, nil)
	works(t, "the first administrator steps down", err)
	if u = set(nil); !u.Traits.Has(trait.Admin) {
		t.Error("a mapping took the last administrator")
	}
	if n := w.records("user.external", audit.Failed); n != 1 {
		t.Errorf("%d rows say that the mapping was not followed", n)
	}
}

// A role in use is deleted only by who says so; a shipped one never.
func TestRole(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	ctx := w.as(admin)
	_, err := w.CreateRole(ctx, identity.Role{Name: "night-watch", Label: "Night watch", Traits: []string{"system_monitor", "phi_handler"}})
	works(t, "make", err)
	r, err := w.Role(ctx, "night-watch")
	if err != nil || !slices.Equal(r.Traits, []string{"system_monitor", "handles_phi"}) || r.Builtin {
		t.Errorf("made %+v, %v", r, err)
	}
	_, err = w.CreateRole(ctx, identity.Role{Name: "night-watch", Label: "Again", Traits: []string{"viewer"}})
	is(t, "the same name", err, fault.Conflict, "role.exists")
	for _, name := range []string{"", "Night", "night watch", "-night", "night--watch", "nacht\u200b", "a/b"} {
		_, err := w.CreateRole(ctx, identity.Role{Name: name, Label: "x", Traits: []string{"viewer"}})
		is(t, "the name "+name, err, fault.Unprocessable, "role.name")
	}
	pat := w.person("pat@example.com", "Pat", "night-watch")
	w.group("Watch", []string{"night-watch"}, w.person("sam@example.com", "Sam"), pat)
	uses, err := w.RoleUses(ctx)
	if err != nil || uses["night-watch"] != (identity.RoleUse{People: 2, Groups: 1}) {
		t.Errorf("it reaches %+v, %v", uses["night-watch"], err)
	}
	counts, err := w.TraitUses(ctx)
	if err != nil || counts[trait.HandlesPHI] != 2 || counts[trait.AuditRequired] != 2 || counts[trait.Admin] != 1 {
		t.Errorf("people by trait: %v, %v", counts, err)
	}
	holders, next, err := w.TraitHolders(ctx, "audit_required", "", 1)
	if err != nil || next == "" || len(holders) != 1 || holders[0].User.Name != "Pat" {
		t.Errorf("holders: %+v, %v, %v", holders, next, err)
	}
	is(t, "delete in use", w.DeleteRole(ctx, "night-watch", false), fault.Conflict, "role.in_use")
	session := w.login("sam@example.com")
	_, err = w.ChangeRole(ctx, identity.Role{Name: "night-watch", Label: "Watch", Traits: []string{"system_monitor"}})
	works(t, "narrow", err)
	_, err = w.bearer(session.Secret)
	is(t, "the session of somebody in the group", err, fault.Unauthenticated, "auth.invalid")
	works(t, "delete anyway", w.DeleteRole(ctx, "night-watch", true))
	if got := w.now(pat); !got.Traits.Empty() || len(got.Carried) != 0 {
		t.Errorf("she kept %v", got.Carried)
	}
	for what, err := range map[string]error{
		"delete": w.DeleteRole(ctx, "viewer", true),
		"change": func() error {
			_, err := w.ChangeRole(ctx, identity.Role{Name: "viewer", Label: "V", Traits: []string{"admin"}})
			return err
		}(),
	} {
		is(t, what+" a shipped role", err, fault.Conflict, "role.builtin")
	}
	is(t, "delete none", w.DeleteRole(ctx, "no-role", true), fault.NotFound, "role.unknown")
	if n := w.number("SELECT count(*) FROM audit_log WHERE action LIKE 'role.%' AND outcome = 'ok' AND actor_id = $1", admin.User.ID.String()); n != 3 {
		t.Errorf("%d rows of three changes", n)
	}
}

// The filters of the list of people find them by every way they have something.
func TestUserFilters(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	direct, role := w.person("dir@example.com", "Dir"), w.person("rol@example.com", "Rol", "user-manager")
	_, err := w.GrantTrait(w.core(), direct.ID, identity.TraitGrant{Trait: "user_manager", Expires: w.in(time.Hour)})
	works(t, "grant", err)
	g := w.group("Managers", []string{"user-manager"}, w.person("gro@example.com", "Gro"))
	names := func(f identity.UserFilter) (names []string) {
		t.Helper()
		page, err := w.Users(w.core(), f)
		works(t, "list", err)
		for _, u := range page.Users {
			names = append(names, u.Name)
		}
		return names
	}
	for what, row := range map[string]struct {
		f    identity.UserFilter
		want []string
	}{
		"a trait, also implied":  {identity.UserFilter{Trait: "user_manager"}, []string{"Dir", "Gro", "Mara Lindqvist", "Rol"}},
		"an implied trait":       {identity.UserFilter{Trait: "can_view_user"}, []string{"Mara Lindqvist"}},
		"no trait of ours":       {identity.UserFilter{Trait: "nonsense"}, nil},
		"a role, also by group":  {identity.UserFilter{Role: "user-manager"}, []string{"Gro", "Rol"}},
		"a group":                {identity.UserFilter{Group: g.ID}, []string{"Gro"}},
		"a source":               {identity.UserFilter{Source: "oidc"}, nil},
		"a trait and a group":    {identity.UserFilter{Trait: "user_manager", Group: g.ID}, []string{"Gro"}},
		"a status and a pattern": {identity.UserFilter{Status: identity.Active, Text: "_"}, nil},
	} {
		if diff := cmp.Diff(row.want, names(row.f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	w.clock.move(time.Hour)
	if got := names(identity.UserFilter{Trait: "user_manager"}); slices.Contains(got, "Dir") {
		t.Errorf("after its end the grant is still found: %v", got)
	}
	_ = role
}
