package sso

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Purpose is what a sign-in at a provider is for.
type Purpose string

// The purposes.
const (
	Login Purpose = "login"
	Test  Purpose = "test"  // shows what would happen, and makes no session
	Link  Purpose = "link"  // of an identity with whoever is signed in
	Again Purpose = "again" // whoever is signed in proves that it is still them
)

// Step is one step of an attempt.
type Step struct {
	Name  string `json:"step"` // discovery, return, code, token, proof, userinfo, mapping, person
	Title string `json:"title"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"` // what was found
	MS    int64  `json:"ms"`   // since the step before, in milliseconds
}

// Attempt is one sign-in by a provider, as far as it got.
type Attempt struct {
	ID       uuid.UUID  `json:"id"`
	Provider string     `json:"provider"`
	Purpose  Purpose    `json:"purpose"`
	At       time.Time  `json:"at"`
	Address  string     `json:"address"`
	User     *uuid.UUID `json:"user_id"` // nil: nobody here
	Issuer   string     `json:"issuer,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Account  string     `json:"account"` // what the provider calls them: address, else subject
	OK       bool       `json:"ok"`
	Code     string     `json:"code,omitempty"`     // of the refusal
	Sentence string     `json:"sentence,omitempty"` // what went wrong, as the person saw it
	Fix      string     `json:"fix,omitempty"`      // what whoever runs this puts right
	Steps    []Step     `json:"steps"`

	sealed []byte
}

// claimsAAD binds sealed claims to their attempt.
func claimsAAD(id uuid.UUID) []byte { return []byte("sso/claims/" + id.String()) }

// tracing notes the steps of an attempt while it goes on.
type tracing struct {
	Attempt
	now  func() time.Time
	last time.Time
	doc  Document
}

func (s *Service) trace(ctx context.Context, provider string, purpose Purpose) *tracing {
	now := s.now()
	return &tracing{
		Attempt: Attempt{ID: uuid.Must(uuid.NewV7()), Provider: provider, Purpose: purpose, At: now, Address: actor.Address(ctx), Steps: []Step{}},
		now:     s.Now, last: now,
	}
}

func (t *tracing) step(name, title, text string) { t.add(name, title, text, true) }

func (t *tracing) add(name, title, text string, ok bool) {
	now := t.now()
	t.Steps = append(t.Steps, Step{Name: name, Title: title, OK: ok, Text: clip(text), MS: max(now.Sub(t.last).Milliseconds(), 0)})
	t.last = now
}

// fail notes the step an attempt ended at, and returns why. The person sees the
// sentence of f; fix is for whoever runs this.
func (t *tracing) fail(name, title, text, fix string, f *fault.Fault) *fault.Fault {
	t.add(name, title, text, false)
	t.Code, t.Sentence, t.Fix = f.Code, f.Sentence, fix
	return f
}

// keep stores an attempt; a failure to is no reason to fail the attempt.
func (s *Service) keep(ctx context.Context, t *tracing) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	row, err := s.attemptRow(t)
	if err == nil {
		err = db.New(s.Pool).SSOAttemptInsert(ctx, row)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "an attempt to sign in was not kept", "provider", t.Provider, "error", err)
	}
}

func (s *Service) attemptRow(t *tracing) (db.SSOAttemptInsertParams, error) {
	row := db.SSOAttemptInsertParams{
		ID: t.ID, Provider: t.Provider, Purpose: string(t.Purpose), At: t.At, Address: t.Address, UserID: t.User, Issuer: t.Issuer, Subject: t.Subject,
		Account: t.Account, Outcome: "failed", Code: t.Code, Sentence: t.Sentence, Fix: t.Fix, Claims: []byte{},
	}
	if t.OK {
		row.Outcome = "ok"
	}
	var err error
	if row.Steps, err = json.Marshal(t.Steps); err != nil || t.doc == nil {
		return row, err
	}
	raw, err := json.Marshal(t.doc)
	if err != nil {
		return row, err
	}
	row.Claims, err = s.Sealer.Seal(raw, claimsAAD(t.ID))
	return row, err
}

func attemptOf(row db.SSOAttempt) (Attempt, error) {
	a := Attempt{
		ID: row.ID, Provider: row.Provider, Purpose: Purpose(row.Purpose), At: row.At, Address: row.Address, User: row.UserID, Issuer: row.Issuer,
		Subject: row.Subject, Account: row.Account, OK: row.Outcome == "ok", Code: row.Code, Sentence: row.Sentence, Fix: row.Fix, sealed: row.Claims,
	}
	return a, json.Unmarshal(row.Steps, &a.Steps)
}

// AttemptFilter says which attempts to list.
type AttemptFilter struct {
	Provider string     // "": of any
	User     *uuid.UUID // nil: of anybody
	Before   uuid.UUID  // those older than this one; zero: the newest
	Limit    int        // default 30, at most 100
}

// Attempts returns attempts, newest first.
func (s *Service) Attempts(ctx context.Context, f AttemptFilter) ([]Attempt, error) {
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	if f.Limit <= 0 || f.Limit > 100 {
		f.Limit = 30
	}
	rows, err := db.New(s.Pool).SSOAttemptList(ctx, db.SSOAttemptListParams{
		TenantID: actor.From(ctx).Tenant, Provider: f.Provider, UserID: f.User, Before: f.Before, Most: int32(f.Limit),
	})
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Attempt, len(rows))
	for i, row := range rows {
		if all[i], err = attemptOf(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Attempt returns one attempt, or a NotFound fault.
func (s *Service) Attempt(ctx context.Context, id uuid.UUID) (Attempt, error) {
	row, err := db.New(s.Pool).SSOAttemptGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Attempt{}, fault.New(fault.NotFound, "sso.attempt", "There is no such attempt; they are kept for thirty days.")
	}
	if err != nil {
		return Attempt{}, db.Fault(err)
	}
	return attemptOf(row)
}

// ClaimsOf returns the claims an attempt brought; nil when it brought none.
func (s *Service) ClaimsOf(a Attempt) (Document, error) {
	if len(a.sealed) == 0 {
		return nil, nil
	}
	raw, err := s.Sealer.Open(a.sealed, claimsAAD(a.ID))
	if err != nil {
		return nil, err
	}
	return ParseDocument(raw)
}

// LastClaims returns the claims of the last sign-in by a provider, or a NotFound fault.
func (s *Service) LastClaims(ctx context.Context, provider string) (Document, Attempt, error) {
	row, err := db.New(s.Pool).SSOAttemptClaims(ctx, provider)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, Attempt{}, fault.New(fault.NotFound, "sso.no_claims", "Nobody has signed in by this provider yet; paste claims, or test the sign-in first.")
	}
	if err != nil {
		return nil, Attempt{}, db.Fault(err)
	}
	a, err := attemptOf(row)
	if err != nil {
		return nil, a, err
	}
	doc, err := s.ClaimsOf(a)
	return doc, a, err
}

// Reads returns the paths of the claims that a provider's settings read.
func (p Provider) Reads() []string {
	paths := []string{p.Claims.Email, p.Claims.Name}
	for _, r := range p.Rules {
		paths = append(paths, r.Claim)
	}
	return paths
}
