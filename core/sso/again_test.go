package sso_test

import (
	"net/url"
	"testing"

	"github.com/vivified/vivified/core/sso"
)

// Who is signed in comes to prove that it is them: the session that the browser has
// at the provider proves nothing of who sits there now.
func TestAProofAgainWantsThePersonAtTheProvider(t *testing.T) {
	w := newWorld(t)
	for what, want := range map[string]string{"a stranger": "", "somebody signed in": "login"} {
		ctx := w.stranger()
		if want != "" {
			ctx = w.admin
		}
		leave, err := w.Start(ctx, "op", sso.Login, "", "/console")
		must(t, err)
		to, err := url.Parse(leave.To)
		must(t, err)
		if got := to.Query().Get("prompt"); got != want {
			t.Errorf("%s is led to prompt=%q, want %q", what, got, want)
		}
	}
}
