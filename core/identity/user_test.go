package identity_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

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
func first(t testing.TB, w *world, name string) identity.User {
	t.Helper()
	page, err := w.Users(w.core(), identity.UserFilter{Text: name})
	if err != nil || len(page.Users) == 0 {
		t.Fatalf("no %s: %v", name, err)
	}
	return page.Users[0]
}
