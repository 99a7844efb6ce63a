package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// A look as somebody else shows what both may see, is bound to one session, and
// ends by itself.
func TestViewAs(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	ctx := w.as(admin)
	nora := w.person("nora@example.com", "Nora", "developer")
	_, err := w.GrantTrait(w.core(), nora.ID, identity.TraitGrant{Trait: "handles_phi"})
	works(t, "PHI for her", err)
	_, err = w.ViewAs(ctx, nora.ID, " \u200b ")
	is(t, "without a reason", err, fault.Unprocessable, "view_as.reason")
	_, err = w.ViewAs(ctx, admin.User.ID, "x")
	is(t, "as herself", err, fault.Conflict, "view_as.self")
	look, err := w.ViewAs(ctx, nora.ID, "She reports an empty page.")
	works(t, "look", err)
	if look.Ends.Sub(look.Started) != 15*time.Minute {
		t.Errorf("it lasts %s", look.Ends.Sub(look.Started))
	}

	who, err := w.bearer(admin.Secret)
	works(t, "her session", err)
	if !who.Viewing() || who.ID != admin.User.ID.String() || who.OnBehalf.ID != nora.ID.String() {
		t.Fatalf("she acts as %+v", who)
	}
	for id, want := range map[trait.ID]bool{trait.Developer: true, trait.EventViewer: true, trait.Admin: false, trait.UserManager: false, trait.HandlesPHI: false} {
		if who.Has(id) != want {
			t.Errorf("looking she has %s: %v", trait.Builtin().Get(id).Name, who.Has(id))
		}
	}
	if again, err := w.bearer(w.login("mara@example.com").Secret); err != nil || again.Viewing() {
		t.Errorf("another session of hers looks too: %+v, %v", again.OnBehalf, err)
	}

	// She changes nothing, begins no other look, and sends no plugin.
	looking := actor.With(w.stranger(), who)
	for name, change := range changes {
		if name == "reg. token" || name == "rotate" {
			continue // for the gate: she has no right to either
		}
		is(t, name, change(looking, w.Service, nora.ID), fault.Denied, "view_as.read_only")
	}
	_, err = w.ViewAs(looking, w.person("ola@example.com", "Ola").ID, "x")
	is(t, "out of a look another", err, fault.Conflict, "view_as.nested")
	_, _, err = w.CreateAPIKey(looking, "k", []string{"viewer"}, *w.in(time.Hour))
	is(t, "a key", err, fault.Denied, "identity.session")
	_, err = w.Delegation("greeter", who, "trace")
	is(t, "a plugin acting for her", err, fault.Denied, "view_as.read_only")

	// A key of hers beside the session does not lead out of it.
	w.exec("UPDATE viewings SET ended_at = now()")
	w.Invalidate()
	_, key, err := w.CreateAPIKey(w.as(admin), "k", []string{"admin"}, *w.in(time.Hour))
	works(t, "key", err)
	w.exec("UPDATE viewings SET ended_at = NULL")
	w.Invalidate()
	both, err := w.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + key}, Cookies: []string{admin.Secret}})
	if err != nil || !both.Viewing() || both.Has(trait.Admin) {
		t.Errorf("key and session: %+v, %v", both.OnBehalf, err)
	}

	w.clock.move(15*time.Minute - time.Millisecond)
	if who, err = w.bearer(admin.Secret); err != nil || !who.Viewing() {
		t.Errorf("a moment before its end: %+v, %v", who.OnBehalf, err)
	}
	w.clock.move(time.Millisecond)
	if who, err = w.bearer(admin.Secret); err != nil || who.Viewing() || !who.Has(trait.Admin) {
		t.Errorf("at its end: %+v, %v", who.OnBehalf, err)
	}
	works(t, "a new one", func() error { _, err := w.ViewAs(w.as(admin), nora.ID, "again"); return err }())
	works(t, "stop", w.StopViewing(w.as(admin)))
	works(t, "stop twice", w.StopViewing(w.as(admin)))
	if who, err = w.bearer(admin.Secret); err != nil || who.Viewing() {
		t.Errorf("stopped: %+v, %v", who.OnBehalf, err)
	}
	if start, end := w.records("view_as.start", audit.OK), w.records("view_as.end", audit.OK); start != 2 || end != 2 {
		t.Errorf("%d beginnings and %d ends of two looks are recorded", start, end)
	}
}

// A look ends, on every replica, with the person it is of and the right to it.
func TestViewAsEnds(t *testing.T) {
	for what, row := range map[string]struct {
		end  func(w *world, viewer, viewed identity.User) error
		then bool // whether the session still works
	}{
		"she is suspended": {func(w *world, _, viewed identity.User) error {
			_, err := w.Suspend(w.core(), viewed.ID, "")
			return err
		}, true},
		"the viewer loses the right": {func(w *world, viewer, _ identity.User) error {
			_, err := w.SetRoles(w.core(), viewer.ID, nil)
			return err
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.setUp()
			uma, nora := w.person("uma@example.com", "Uma", "user-manager"), w.person("nora@example.com", "Nora", "viewer")
			g := w.login("uma@example.com")
			_, err := w.ViewAs(w.as(g), nora.ID, "x")
			works(t, "look", err)
			works(t, "end", row.end(w, uma, nora))
			who, err := w.bearer(g.Secret)
			if row.then && (err != nil || who.Viewing()) || !row.then && err == nil {
				t.Errorf("then %+v, %v", who.OnBehalf, err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			works(t, "upkeep", w.Tend(ctx))
			if n := w.records("view_as.end", audit.OK); n != 1 {
				t.Errorf("%d ends are recorded", n)
			}
		})
	}
}
