package sso

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Leave is where a browser goes to sign in at a provider.
type Leave struct {
	To      string // at the provider
	Browser string // value of the cookie that this browser shows when it comes back
	Life    time.Duration
}

// Start begins a sign-in by a provider. browser is the cookie of an earlier start,
// which goes on to serve both, or "". next is a path of this console and has been
// judged. All but a login is for whoever is signed in.
func (s *Service) Start(ctx context.Context, id string, purpose Purpose, browser, next string) (Leave, error) {
	if err := s.People.CountStart(ctx); err != nil {
		return Leave{}, err
	}
	p, err := s.usable(ctx, id, purpose)
	if err != nil {
		return Leave{}, err
	}
	var user *uuid.UUID
	if purpose != Login {
		self, err := uuid.Parse(actor.From(ctx).ID)
		if err != nil || actor.From(ctx).Kind != actor.User {
			return Leave{}, fault.New(fault.Unauthenticated, "auth.required", "Sign in, or send a token or key.")
		}
		user = &self
	}
	c, err := s.connect(ctx, p)
	if err != nil {
		t := s.trace(ctx, id, purpose)
		t.User = user
		f := fault.Of(err)
		t.fail("discovery", "Ask the provider what it is", causeOf(f), discoveryFix(f), f)
		s.keep(ctx, t)
		return Leave{}, err
	}
	client, err := s.oauth(p, c)
	if err != nil {
		return Leave{}, err
	}
	state, nonce, verifier := random(), random(), oauth2.GenerateVerifier()
	if !isRandom(browser) {
		browser = random()
	}
	sealed, err := s.Sealer.Seal([]byte(verifier), verifierAAD(state))
	if err != nil {
		return Leave{}, err
	}
	now := s.now()
	kept, err := db.New(s.Pool).SSOFlowInsert(ctx, db.SSOFlowInsertParams{
		State: hashOf(state), Browser: hashOf(browser), Provider: id, Purpose: string(purpose), UserID: user, Nonce: nonce, Verifier: sealed,
		Next: next, At: now, ExpiresAt: now.Add(flowLife), Most: mostFlows,
	})
	if err != nil {
		return Leave{}, db.Fault(err)
	}
	if kept == 0 {
		f := fault.New(fault.TooMany, "sso.busy", "Too many sign-ins are on their way; try again in a minute.")
		f.RetryAfter = time.Minute
		return Leave{}, f
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}
	if purpose == Link || purpose == Again {
		// Whoever links, or proves once more who they are, shows it there now: it is
		// not whoever was signed in there last. The age has the provider say when.
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	if len(p.Options.FactorACR) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(p.Options.FactorACR, " ")))
	}
	return Leave{To: client.AuthCodeURL(state, options...), Browser: browser, Life: flowLife}, nil
}

func verifierAAD(state string) []byte { return append([]byte("sso/verifier/"), hashOf(state)...) }

// random returns 256 random bits in base64url.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// isRandom reports whether text has the form of what random makes.
func isRandom(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == 32 && len(text) == 43
}

func hashOf(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}
