package identity_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// J35: what a person signed in by ends with what ended it: signing out, a new
// password, other rights, suspension.
func TestUserTokenEndsWithWhatItStoodFor(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	for what, end := range map[string]func(u identity.User, as context.Context) error{
		"signing out": func(_ identity.User, as context.Context) error { return w.Logout(as) },
		"a new password": func(u identity.User, _ context.Context) error {
			link, err := w.NewLink(w.core(), u.ID)
			if err == nil {
				_, err = w.AcceptInvitation(w.stranger(), link.Secret, "", "eight green bottles")
			}
			return err
		},
		"another role": func(u identity.User, _ context.Context) error {
			_, err := w.GiveRole(w.core(), u.ID, identity.RoleGrant{Role: "auditor"})
			return err
		},
		"a trait less": func(u identity.User, _ context.Context) error {
			_, err := w.TakeRole(w.core(), u.ID, "viewer")
			return err
		},
		"suspension": func(u identity.User, _ context.Context) error {
			_, err := w.Suspend(w.core(), u.ID, "leave")
			return err
		},
		"deletion": func(u identity.User, _ context.Context) error { return w.Delete(w.core(), u.ID) },
	} {
		email := strings.ReplaceAll(what, " ", "-") + "@example.com"
		u := w.person(email, "Emile", "viewer")
		g := w.login(email)
		if _, err := w.bearer(g.Secret); err != nil {
			t.Fatalf("%s: the token was not good before: %v", what, err)
		}
		works(t, what, end(u, w.as(g)))
		if _, err := w.bearer(g.Secret); codeOf(err) != "auth.invalid" {
			t.Errorf("after %s the token is answered %v", what, err)
		}
	}
}

// J46: a token that is signed and claims more than the registry knows widens nothing.
func TestClaimedTraitsWidenNothing(t *testing.T) {
	w := newPluginWorld(t)
	kid, key := w.signingKey()
	c := w.claims()
	c["traits"] = []string{"admin", "root", "handles_phi", "external_service"}
	who, err := w.bearer(sign(key, header(kid), text(t, c)))
	works(t, "a token of ours with more traits", err)
	if who.Traits != (trait.Set{}) {
		t.Errorf("the token makes its bearer hold %v", trait.Builtin().Names(who.Traits))
	}
}

// J65: how long a wrong signature takes says nothing of how wrong it is. The kinds
// take turns in random order, and ranks are compared, not times.
func TestWrongSignaturesTakeAsLong(t *testing.T) {
	w := newPluginWorld(t)
	good := w.tokens("greeter").Token
	at := strings.LastIndexByte(good, '.') + 1
	signature := mustDecode(t, good[at:])
	kinds := []int{0, 31, 63} // which byte is the first that is wrong
	took := make([][]time.Duration, len(kinds))
	for round := range 300 {
		for _, i := range rand.Perm(len(kinds)) {
			wrong := append([]byte{}, signature...)
			for b := kinds[i]; b < len(wrong); b++ {
				wrong[b] ^= byte(1 + round%255)
			}
			token := good[:at] + base64.RawURLEncoding.EncodeToString(wrong)
			began := time.Now()
			_, err := w.bearer(token)
			took[i] = append(took[i], time.Since(began))
			if codeOf(err) != "auth.invalid" {
				t.Fatalf("a wrong signature is answered %v", err)
			}
		}
	}
	for i := 1; i < len(kinds); i++ {
		if later := share(took[i], took[0]); later < 0.2 || later > 0.8 {
			t.Errorf("wrong from byte %s on takes longer than from the first in %.0f %% of all pairs", fmt.Sprint(kinds[i]), 100*later)
		}
	}
}
