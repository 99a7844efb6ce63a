package sso

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/db"
)

// proof is what an ID token says of how somebody showed who they are.
type proof struct {
	at     time.Time // when; zero: it does not say
	factor bool      // with a second factor
}

// proof judges the claims that the provider signed: those of the userinfo endpoint
// are no part of it. A session that the browser still has at the provider is no
// proof of who sits there now, so what is to prove that needs an auth_time after it
// was asked for (OpenID Connect Core sections 2 and 3.1.2.1).
func (s *Service) proof(p Provider, flow db.SSOFlow, doc Document, t *tracing) (proof, error) {
	const title = "See when and how they proved it"
	const fix = "Let the provider send auth_time, and honour prompt=login and max_age; or, if it surely asks each time and only does not say so, trust it in its settings."
	now, purpose := s.now(), Purpose(flow.Purpose)
	found := proof{factor: p.Options.vouches(doc)}
	at, ok := instant(doc, "auth_time")
	_, says := doc["auth_time"]
	switch {
	case says && !ok, ok && at.Sub(now) > Skew:
		return found, t.fail("proof", title, "Its auth_time is no time, or lies in the future.", "Look in the provider's log; set the clocks of the provider and of this machine.", notVouched())
	case ok && at.After(now):
		at = now
	case !ok && purpose == Again && p.Options.TrustPrompt:
		at = flow.StartedAt
	}
	found.at = at
	stale := ok && at.Before(flow.StartedAt.Add(-Skew))
	if purpose == Again && at.IsZero() {
		return found, t.fail("proof", title, "The token does not say when they signed in there (auth_time).", fix, notAsked())
	}
	if stale && (purpose == Again || purpose == Link) {
		return found, t.fail("proof", title, fmt.Sprintf("They signed in there %s before they were to prove it: the provider did not ask.", flow.StartedAt.Sub(at).Round(time.Second)), fix, notAsked())
	}
	t.step("proof", title, found.words(doc))
	return found, nil
}

// words say what was found, and which values would have to be configured to count.
func (f proof) words(doc Document) string {
	text := "The token does not say when they signed in there: dangerous actions ask for a proof."
	if !f.at.IsZero() {
		text = "Signed in there at " + f.at.UTC().Format(time.RFC3339) + "."
	}
	if f.factor {
		return text + " A second factor was shown."
	}
	shown, _ := doc.Values("amr")
	if acr, _ := doc["acr"].(string); acr != "" {
		shown = append(shown, acr)
	}
	if len(shown) == 0 {
		return text + " The token says nothing of a second factor."
	}
	return text + " None of “" + clip(strings.Map(printableRune, strings.Join(shown, " "))) + "” counts as a second factor in the settings of this provider."
}

// vouches reports whether the provider says, by a value that was configured, that a
// second factor was shown. What a value means is between provider and installation
// (RFC 8176 section 2, OpenID Connect Core section 2), so none counts by itself.
func (o Options) vouches(doc Document) bool {
	acr, _ := doc["acr"].(string)
	if acr != "" && slices.Contains(o.FactorACR, acr) {
		return true
	}
	methods, _ := doc["amr"].([]any)
	return slices.ContainsFunc(methods, func(m any) bool {
		text, ok := m.(string)
		return ok && slices.Contains(o.FactorAMR, text)
	})
}
