package identity_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
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
