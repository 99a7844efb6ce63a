package identity_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

func TestInvitation(t *testing.T) {
	w := newWorld(t)
	admin := w.as(w.setUp())
	link, err := w.Invite(admin, identity.Invitation{Email: " Pat@Example.com ", Name: " Pat  Lee ", Roles: []identity.RoleGrant{{Role: "viewer"}}})
	works(t, "invite", err)
	if link.User.Email != "pat@example.com" || link.User.Name != "Pat Lee" || link.User.Status != identity.Invited || !link.Expires.Equal(w.clock.now().Add(72*time.Hour)) {
		t.Errorf("invited %+v", link)
	}
	if strings.Contains(w.everything(), link.Secret) {
		t.Error("the link is stored")
	}
	if u, err := w.Invited(w.stranger(), link.Secret); err != nil || u.ID != link.User.ID {
		t.Errorf("the link is for %+v, %v", u, err)
	}
	_, err = w.AcceptInvitation(w.stranger(), link.Secret, "", "pat@example.com!")
	is(t, "a password that is their address", err, fault.Unprocessable, "password.own")
	_, err = w.AcceptInvitation(w.stranger(), link.Secret, "\x00", password)
	is(t, "a bad name", err, fault.Unprocessable, "name.format")
	u, err := w.AcceptInvitation(w.stranger(), link.Secret, "Patricia Lee", password)
	if err != nil || u.Status != identity.Active || u.Name != "Patricia Lee" || !slices.Equal(u.Roles, []string{"viewer"}) {
		t.Fatalf("joined %+v, %v", u, err)
	}
	w.login("pat@example.com")
	for what, secret := range map[string]string{"used": link.Secret, "guessed": "vvi_" + strings.Repeat("A", 43), "empty": "", "another kind": "vvs_" + strings.Repeat("A", 43)} {
		_, err := w.Invited(w.stranger(), secret)
		is(t, what, err, fault.Gone, "link.gone")
		_, err = w.AcceptInvitation(w.stranger(), secret, "", password)
		is(t, what+", accepted", err, fault.Gone, "link.gone")
	}
	for what, in := range map[string]identity.Invitation{
		"user.email": {Email: "PAT@example.com", Name: "Another"},
	} {
		_, err := w.Invite(admin, in)
		is(t, "a taken address", err, fault.Conflict, what)
	}
	for code, in := range map[string]identity.Invitation{
		"email.format": {Email: "pat", Name: "Pat"}, "name.missing": {Email: "p@example.com"},
		"role.unknown":   {Email: "p@example.com", Name: "P", Roles: []identity.RoleGrant{{Role: "root"}}},
		"role.duplicate": {Email: "p@example.com", Name: "P", Roles: []identity.RoleGrant{{Role: "viewer"}, {Role: "viewer"}}},
		"expires.past":   {Email: "p@example.com", Name: "P", Roles: []identity.RoleGrant{{Role: "viewer", Expires: w.in(0)}}},
	} {
		_, err := w.Invite(admin, in)
		is(t, code, err, fault.Unprocessable, code)
	}
}

func TestInvitationEnds(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	invite := func(email string) identity.Link {
		l, err := w.Invite(w.core(), identity.Invitation{Email: email, Name: "Somebody"})
		works(t, "invite", err)
		return l
	}
	late, replaced, suspended, deleted := invite("late@example.com"), invite("rep@example.com"), invite("sus@example.com"), invite("del@example.com")
	fresh, err := w.NewLink(w.core(), replaced.User.ID)
	works(t, "new link", err)
	_, err = w.Suspend(w.core(), suspended.User.ID, "")
	works(t, "suspend", err)
	works(t, "delete", w.Delete(w.core(), deleted.User.ID))
	_, err = w.NewLink(w.core(), suspended.User.ID)
	is(t, "a link for somebody suspended", err, fault.Conflict, "user.status")
	_, err = w.NewLink(w.core(), deleted.User.ID)
	is(t, "a link for somebody deleted", err, fault.NotFound, "user.unknown")
	u, err := w.Reactivate(w.core(), suspended.User.ID)
	if err != nil || u.Status != identity.Invited {
		t.Errorf("somebody without a password is reactivated as %s, %v", u.Status, err)
	}

	w.clock.move(72*time.Hour - time.Microsecond)
	_, err = w.Invited(w.stranger(), late.Secret)
	works(t, "just within three days", err)
	_, err = w.AcceptInvitation(w.stranger(), fresh.Secret, "", password)
	works(t, "the newer link", err)
	w.clock.move(time.Microsecond)
	for what, l := range map[string]identity.Link{"after three days": late, "replaced": replaced, "suspended": suspended, "deleted": deleted} {
		_, err := w.AcceptInvitation(w.stranger(), l.Secret, "", password)
		is(t, what, err, fault.Gone, "link.gone")
	}
}

func TestInvitationOnce(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	link, err := w.Invite(w.core(), identity.Invitation{Email: "pat@example.com", Name: "Pat"})
	works(t, "invite", err)
	var wg sync.WaitGroup
	results := make(chan error, 6)
	for range cap(results) {
		wg.Go(func() { _, err := w.AcceptInvitation(w.stranger(), link.Secret, "", password); results <- err })
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else {
			is(t, "a loser", err, fault.Gone, "link.gone")
		}
	}
	if won != 1 {
		t.Errorf("%d of 6 joined by one link", won)
	}
}

// A link for somebody active sets a new password and ends what was open.
func TestNewLinkResetsPassword(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat")
	g := w.login("pat@example.com")
	w.clock.move(time.Minute)
	link, err := w.NewLink(w.core(), u.ID)
	works(t, "link", err)
	_, err = w.AcceptInvitation(w.stranger(), link.Secret, "", "nine silver spoons")
	works(t, "reset", err)
	_, err = w.bearer(g.Secret)
	is(t, "the session from before", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.Login(w.stranger(), signIn("pat@example.com", password))
	is(t, "the old password", err, fault.Unauthenticated, "auth.login")
	_, err = w.Login(w.stranger(), signIn("pat@example.com", "nine silver spoons"))
	works(t, "the new password", err)
	if n := w.records("user.join", audit.OK); n != 2 {
		t.Errorf("%d rows tell of the two times a password was set by a link", n)
	}
}

// Every trait is said to come from somewhere, and ends with its last reason.
func TestEffective(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat")
	day, week := w.in(24*time.Hour), w.in(7*24*time.Hour)
	_, err := w.SetRoles(w.core(), u.ID, []identity.RoleGrant{{Role: "operator", Expires: day}, {Role: "viewer"}})
	works(t, "roles", err)
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "phi_handler", Reason: "Covering the desk", Expires: week})
	works(t, "trait", err)
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "audit_required"})
	works(t, "trait", err)

	type row struct {
		Trait   string
		From    []string
		Expires *time.Time
	}
	rows := func() (rows []row) {
		held, err := w.Effective(w.core(), u.ID)
		works(t, "effective", err)
		for _, h := range held {
			r := row{Trait: h.Trait.Name, Expires: h.Expires}
			for _, s := range h.From {
				r.From = append(r.From, strings.TrimSpace(string(s.From)+" "+s.Name))
			}
			rows = append(rows, r)
		}
		return rows
	}
	want := []row{
		{"operator", []string{"role operator"}, day},
		{"viewer", []string{"implied operator", "role viewer"}, nil},
		{"plugin_manager", []string{"role operator"}, day},
		{"system_monitor", []string{"role operator"}, day},
		{"event_viewer", []string{"role operator"}, day},
		{"handles_phi", []string{"direct"}, week},
		{"audit_required", []string{"direct", "implied handles_phi"}, nil},
	}
	if diff := cmp.Diff(want, rows(), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("effective (-want +got):\n%s", diff)
	}
	held, err := w.Effective(w.core(), u.ID)
	works(t, "effective", err)
	phi := held[5].From[0]
	if phi.Reason != "Covering the desk" || phi.GrantedBy != "test" || !phi.GrantedAt.Equal(w.clock.now()) {
		t.Errorf("handles_phi comes from %+v", phi)
	}
	// The set that decides is the same list.
	names := func() (names []string) {
		u, err := w.User(w.core(), u.ID)
		works(t, "user", err)
		return trait.Builtin().Names(u.Traits)
	}
	if diff := cmp.Diff([]string{"operator", "viewer", "plugin_manager", "system_monitor", "event_viewer", "handles_phi", "audit_required"}, names()); diff != "" {
		t.Errorf("traits (-want +got):\n%s", diff)
	}
	w.clock.set(*day)
	if diff := cmp.Diff([]string{"viewer", "handles_phi", "audit_required"}, names()); diff != "" {
		t.Errorf("traits when the role ends (-want +got):\n%s", diff)
	}
	w.clock.set(*week)
	if diff := cmp.Diff([]string{"viewer", "audit_required"}, names()); diff != "" {
		t.Errorf("traits when the grant ends (-want +got):\n%s", diff)
	}
	_, err = w.RevokeTrait(w.core(), u.ID, "audit_required")
	works(t, "revoke", err)
	if diff := cmp.Diff([]row{{"viewer", []string{"role viewer"}, nil}}, rows()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	// A trait ends within a running session, too.
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "event_viewer", Expires: w.in(10 * time.Minute)})
	works(t, "grant", err)
	g := w.login("pat@example.com")
	for _, want := range []bool{true, false} {
		who, err := w.bearer(g.Secret)
		if err != nil || who.Has(trait.EventViewer) != want {
			t.Errorf("at %s the session holds event_viewer: %v, %v", w.clock.now(), who.Has(trait.EventViewer), err)
		}
		w.clock.move(10 * time.Minute)
	}
}

// What roles carry that is not for people, or does not exist, gives nothing.
func TestEffectiveFailsClosed(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	w.exec("INSERT INTO roles (name, label, traits) VALUES ('odd', 'Odd', '{viewer,external_service,nonsense,contains_phi}')")
	u := w.person("pat@example.com", "Pat", "odd")
	if u.Traits != trait.SetOf(trait.Viewer) {
		t.Errorf("holds %v", trait.Builtin().Names(u.Traits))
	}
	for _, name := range []string{"external_service", "encryption_required", "root", "", "contains_phi"} {
		_, err := w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: name})
		is(t, "grant "+name, err, fault.Unprocessable, "trait.not_assignable")
	}
	_, err := w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "viewer", Expires: w.in(0)})
	is(t, "an end by now", err, fault.Unprocessable, "expires.past")
	_, err = w.RevokeTrait(w.core(), u.ID, "viewer")
	is(t, "revoke what came by a role", err, fault.NotFound, "trait.not_granted")
	_, err = w.RevokeTrait(w.core(), u.ID, "\x00")
	is(t, "revoke nonsense", err, fault.NotFound, "trait.not_granted")
}

// changes are all ways to change a person.
var changes = map[string]func(ctx context.Context, s *identity.Service, id uuid.UUID) error{
	"rename": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetName(ctx, id, "New Name")
		return err
	},
	"demote": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "viewer"}})
		return err
	},
	"let it end": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "admin", Expires: &end}})
		return err
	},
	"promote": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "admin"}, {Role: "auditor"}})
		return err
	},
	"grant": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.GrantTrait(ctx, id, identity.TraitGrant{Trait: "handles_phi"})
		return err
	},
	"suspend": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.Suspend(ctx, id, "x")
		return err
	},
	"delete": func(ctx context.Context, s *identity.Service, id uuid.UUID) error { return s.Delete(ctx, id) },
	"link": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.NewLink(ctx, id)
		return err
	},
	"log out": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		return s.RevokeSessions(ctx, id, false)
	},
	"invite": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error {
		_, err := s.Invite(ctx, identity.Invitation{Email: uuid.NewString() + "@example.com", Name: "New", Roles: []identity.RoleGrant{{Role: "admin"}}})
		return err
	},
	"reg. token": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error {
		_, _, err := s.CreateRegistrationToken(ctx, "", "", 0)
		return err
	},
	"rotate": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error { return s.Rotate(ctx) },
}

// The last administrator stays, whoever tries and however.
func TestLastAdmin(t *testing.T) {
	for _, name := range []string{"demote", "let it end", "suspend", "delete"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.setUp()
			w.person("sus@example.com", "Sus", "admin")
			_, err := w.Suspend(w.core(), first(t, w, "sus").ID, "")
			works(t, "suspend the other", err)
			_, err = w.Invite(w.core(), identity.Invitation{Email: "inv@example.com", Name: "Inv", Roles: []identity.RoleGrant{{Role: "admin"}}})
			works(t, "invite another", err)
			temp := w.person("tmp@example.com", "Tmp")
			_, err = w.GrantTrait(w.core(), temp.ID, identity.TraitGrant{Trait: "admin", Expires: w.in(time.Hour)})
			works(t, "one for an hour", err)

			for who, ctx := range map[string]context.Context{"herself": w.as(g), "the core": w.core()} {
				is(t, who, changes[name](ctx, w.Service, g.User.ID), fault.Conflict, "identity.last_admin")
			}
			u, err := w.User(w.core(), g.User.ID)
			if err != nil || u.Status != identity.Active || !slices.Equal(u.Roles, []string{"admin"}) {
				t.Errorf("she is now %+v, %v", u, err)
			}
			_, err = w.bearer(g.Secret)
			works(t, "her session", err)
			_, err = w.GrantTrait(w.core(), temp.ID, identity.TraitGrant{Trait: "admin"})
			works(t, "a second one without an end", err)
			works(t, "then it can be done", changes[name](w.core(), w.Service, g.User.ID))
		})
	}
}

// Two administrators cannot remove each other at the same moment.
func TestLastAdminRace(t *testing.T) {
	w := newWorld(t)
	a, other := w.setUp(), w.replica()
	b := w.person("ben@example.com", "Ben", "admin")
	var wg sync.WaitGroup
	results := make(chan error, 2)
	wg.Go(func() { results <- w.Delete(w.core(), a.User.ID) })
	wg.Go(func() { results <- other.Delete(w.core(), b.ID) })
	wg.Wait()
	won := 0
	for range 2 {
		if err := <-results; err == nil {
			won++
		} else {
			is(t, "the loser", err, fault.Conflict, "identity.last_admin")
		}
	}
	if won != 1 {
		t.Errorf("%d of two administrators were removed", won)
	}
}

// Nobody rises above themselves, nor touches those who stand above.
func TestEscalation(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	manager := w.person("uma@example.com", "Uma", "user-manager")
	viewer := w.person("vic@example.com", "Vic", "viewer")
	ctx := w.as(w.login("uma@example.com"))
	for what, try := range map[string]func() error{
		"makes herself admin":         func() error { return changes["promote"](ctx, w.Service, manager.ID) },
		"makes another admin":         func() error { return changes["promote"](ctx, w.Service, viewer.ID) },
		"invites an admin":            func() error { return changes["invite"](ctx, w.Service, uuid.Nil) },
		"gives herself PHI":           func() error { return changes["grant"](ctx, w.Service, manager.ID) },
		"gives another PHI":           func() error { return changes["grant"](ctx, w.Service, viewer.ID) },
		"renames the admin":           func() error { return changes["rename"](ctx, w.Service, admin.User.ID) },
		"suspends the admin":          func() error { return changes["suspend"](ctx, w.Service, admin.User.ID) },
		"deletes the admin":           func() error { return changes["delete"](ctx, w.Service, admin.User.ID) },
		"resets the admin's password": func() error { return changes["link"](ctx, w.Service, admin.User.ID) },
		"ends the admin's sessions":   func() error { return changes["log out"](ctx, w.Service, admin.User.ID) },
		"gives a sensitive role": func() error {
			_, err := w.SetRoles(ctx, viewer.ID, []identity.RoleGrant{{Role: "operator"}})
			return err
		},
	} {
		is(t, "the user manager "+what, try(), fault.Denied, "identity.escalation")
	}
	for what, ctx := range map[string]context.Context{
		"a stranger": w.stranger(), "a plugin": actor.With(w.stranger(), actor.Actor{Kind: actor.Plugin, ID: "p", Tenant: actor.DefaultTenant, Traits: trait.SetOf(trait.Admin)}),
	} {
		for name, change := range changes {
			if name == "reg. token" || name == "rotate" {
				continue // not of people; the gate decides
			}
			is(t, what+": "+name, change(ctx, w.Service, viewer.ID), fault.Denied, "identity.person")
		}
	}
	// What she has she may give, and what is not sensitive.
	for _, role := range []string{"user-manager", "viewer", "developer"} {
		_, err := w.SetRoles(ctx, viewer.ID, []identity.RoleGrant{{Role: role}})
		works(t, "the user manager gives "+role, err)
	}
	_, err := w.SetName(ctx, manager.ID, "Uma Thurgau")
	works(t, "she renames herself", err)
	works(t, "she deletes a viewer", w.Delete(ctx, viewer.ID))
	// Somebody of another tenant is not there.
	elsewhere := actor.With(w.stranger(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Tenant: "other", Traits: trait.SetOf(trait.Admin)})
	for name, change := range changes {
		if slices.Contains([]string{"reg. token", "rotate", "invite"}, name) {
			continue
		}
		is(t, "another tenant's admin: "+name, change(elsewhere, w.Service, manager.ID), fault.NotFound, "user.unknown")
	}
	if page, err := w.Users(elsewhere, identity.UserFilter{}); err != nil || len(page.Users) != 0 {
		t.Errorf("another tenant sees %+v, %v", page.Users, err)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat", "viewer")
	g := w.login("pat@example.com")
	_, key, err := w.CreateAPIKey(w.as(g), "k", []string{"viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	works(t, "delete", w.Delete(w.core(), u.ID))
	for what, secret := range map[string]string{"session": g.Secret, "key": key} {
		_, err := w.bearer(secret)
		is(t, what, err, fault.Unauthenticated, "auth.invalid")
	}
	got, err := w.User(w.core(), u.ID)
	if err != nil || got.Status != identity.Deleted || got.Name != "Pat" {
		t.Errorf("the row says %+v, %v", got, err)
	}
	if n := w.number("SELECT count(*) FROM users WHERE password_hash <> '' AND status = 'deleted'"); n != 0 {
		t.Error("the password hash is kept")
	}
	is(t, "delete again", w.Delete(w.core(), u.ID), fault.NotFound, "user.unknown")
	_, err = w.Reactivate(w.core(), u.ID)
	is(t, "reactivate", err, fault.NotFound, "user.unknown")
	again := w.person("pat@example.com", "Pat again")
	if again.ID == u.ID {
		t.Error("the new person is the old one")
	}
}

func TestUserList(t *testing.T) {
	w := newWorld(t)
	ctx := w.as(w.setUp())
	for i, name := range []string{"Zoë", "adam", "Bea", "bea", "Cy%d_e", "Émile"} {
		w.person(fmt.Sprintf("p%d@example.com", i), name, "viewer")
	}
	_, err := w.Suspend(ctx, first(t, w, "adam").ID, "")
	works(t, "suspend", err)
	works(t, "delete", w.Delete(ctx, first(t, w, "Zoë").ID))
	list := func(f identity.UserFilter) (names []string) {
		for {
			page, err := w.Users(ctx, f)
			works(t, "list", err)
			for _, u := range page.Users {
				names = append(names, u.Name)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				slices.Sort(names)
				return names
			}
		}
	}
	for what, tc := range map[string]struct {
		filter identity.UserFilter
		want   []string
	}{
		"all":            {identity.UserFilter{}, []string{"Bea", "Cy%d_e", "Mara Lindqvist", "adam", "bea", "Émile"}},
		"by twos":        {identity.UserFilter{Limit: 2}, []string{"Bea", "Cy%d_e", "Mara Lindqvist", "adam", "bea", "Émile"}},
		"by one":         {identity.UserFilter{Limit: 1}, []string{"Bea", "Cy%d_e", "Mara Lindqvist", "adam", "bea", "Émile"}},
		"text":           {identity.UserFilter{Text: "BEA"}, []string{"Bea", "bea"}},
		"address":        {identity.UserFilter{Text: "mara@"}, []string{"Mara Lindqvist"}},
		"a percent sign": {identity.UserFilter{Text: "y%d"}, []string{"Cy%d_e"}},
		"an underscore":  {identity.UserFilter{Text: "_"}, []string{"Cy%d_e"}},
		"a backslash":    {identity.UserFilter{Text: `\`}, nil},
		"suspended":      {identity.UserFilter{Status: identity.Suspended}, []string{"adam"}},
		"deleted":        {identity.UserFilter{Status: identity.Deleted}, []string{"Zoë"}},
		"role":           {identity.UserFilter{Role: "admin"}, []string{"Mara Lindqvist"}},
		"no such role":   {identity.UserFilter{Role: "x\x00"}, nil},
	} {
		if diff := cmp.Diff(tc.want, list(tc.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	for _, bad := range []string{"x", "!!", "e30x", b64([]byte(`{"n":"\u0000","i":"00000000-0000-0000-0000-000000000000"}`)), b64([]byte(`[]`))} {
		_, err := w.Users(ctx, identity.UserFilter{Cursor: bad})
		is(t, "cursor "+bad, err, fault.Invalid, "cursor.malformed")
	}
	_, err = w.User(ctx, uuid.New())
	is(t, "nobody", err, fault.NotFound, "user.unknown")
	roles, err := w.Roles(ctx)
	if err != nil || len(roles) != 8 || roles[0].Name != "admin" || !roles[0].Builtin {
		t.Errorf("roles %+v, %v", roles, err)
	}
}

// first returns the person of that name.
func first(t *testing.T, w *world, name string) identity.User {
	t.Helper()
	page, err := w.Users(w.core(), identity.UserFilter{Text: name})
	if err != nil || len(page.Users) == 0 {
		t.Fatalf("no %s: %v", name, err)
	}
	return page.Users[0]
}

// A change says before and after, and who; no change says nothing and ends nothing.
func TestChangeRecorded(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	u := w.person("pat@example.com", "Pat", "viewer")
	g := w.login("pat@example.com")
	_, err := w.SetRoles(w.as(admin), u.ID, []identity.RoleGrant{{Role: "viewer"}})
	works(t, "the same roles", err)
	if n := w.records("user.roles", audit.OK); n != 0 {
		t.Errorf("no change left %d rows", n)
	}
	_, err = w.bearer(g.Secret)
	works(t, "the session after no change", err)
	_, err = w.SetRoles(w.as(admin), u.ID, []identity.RoleGrant{{Role: "auditor", Expires: w.in(time.Hour)}})
	works(t, "other roles", err)
	var by, object string
	var before, after map[string]any
	works(t, "row", w.db.Owner.QueryRow(t.Context(), "SELECT actor_id, object, before, after FROM audit_log WHERE action = 'user.roles'").Scan(&by, &object, &before, &after))
	password := w.clock.now().Format(time.RFC3339)
	want := []map[string]any{
		{"name": "Pat", "status": "active", "password_set_at": password, "traits": []any{}, "roles": []any{map[string]any{"name": "viewer"}}},
		{"name": "Pat", "status": "active", "password_set_at": password, "traits": []any{}, "roles": []any{map[string]any{"name": "auditor", "expires_at": w.in(time.Hour).Format(time.RFC3339)}}},
	}
	if diff := cmp.Diff(want, []map[string]any{before, after}); diff != "" || by != admin.User.ID.String() || object != u.ID.String() {
		t.Errorf("row by %s of %s (-want +got):\n%s", by, object, diff)
	}
}

// Without its record nothing changes.
func TestChangeWithoutAudit(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	ctx := w.as(admin)
	u := w.person("pat@example.com", "Pat", "viewer")
	key, _, err := w.CreateAPIKey(ctx, "k", []string{"viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	w.plugin("greeter", "active")
	refresh := w.tokens("greeter").RefreshToken
	state := func() string {
		var s string
		works(t, "state", w.db.Owner.QueryRow(t.Context(), `SELECT jsonb_build_array(
			(SELECT jsonb_agg(u ORDER BY id) FROM users u), (SELECT jsonb_agg(r ORDER BY user_id, role) FROM user_roles r), (SELECT jsonb_agg(x) FROM user_traits x),
			(SELECT jsonb_agg(s ORDER BY id) FROM sessions s), (SELECT jsonb_agg(i ORDER BY hash) FROM invitations i), (SELECT jsonb_agg(k ORDER BY id) FROM api_keys k),
			(SELECT jsonb_agg(k) FROM signing_keys k), (SELECT jsonb_agg(r) FROM registration_tokens r), (SELECT jsonb_agg(p) FROM plugin_refresh_tokens p))::text`).Scan(&s))
		return s
	}
	before := state()
	w.exec("REVOKE INSERT ON audit_log FROM vivified_app")
	for name, change := range changes {
		if name == "let it end" || name == "demote" {
			continue // refused before it is recorded; changes nothing
		}
		is(t, name, change(ctx, w.Service, u.ID), fault.Unavailable, "audit.unavailable")
	}
	_, _, err = w.CreateAPIKey(ctx, "k", []string{"viewer"}, *w.in(time.Hour))
	is(t, "key", err, fault.Unavailable, "audit.unavailable")
	is(t, "revoke a key", w.RevokeAPIKey(ctx, key.ID), fault.Unavailable, "audit.unavailable")
	is(t, "log out", w.Logout(ctx), fault.Unavailable, "audit.unavailable")
	_, err = w.ChangePassword(ctx, password, "nine silver spoons")
	is(t, "password", err, fault.Unavailable, "audit.unavailable")
	_, err = w.RefreshPlugin(w.stranger(), refresh)
	is(t, "refresh", err, fault.Unavailable, "audit.unavailable")
	_, err = w.IssuePluginTokens(w.stranger(), "greeter")
	is(t, "issue", err, fault.Unavailable, "audit.unavailable")
	_, err = w.bearer("nonsense")
	is(t, "a refused credential", err, fault.Unavailable, "audit.unavailable")
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
	w.exec("GRANT INSERT ON audit_log TO vivified_app")
	works(t, "it recovers by itself", w.Delete(ctx, u.ID))
	_, err = w.RefreshPlugin(w.stranger(), refresh)
	works(t, "the refresh token was not spent", err)
}
