package identity

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// stepLife is how long the next step of a ceremony is waited for.
const stepLife = 5 * time.Minute

// What is waited for.
const (
	secondFactor   = "second factor"    // after a password that matched
	passkeySignIn  = "passkey sign-in"  // the answer of any passkey
	passkeySecond  = "passkey factor"   // the answer of one, as second factor
	passkeyStepUp  = "passkey step-up"  // the same, of somebody signed in
	passkeyEnrols  = "passkey register" // a new passkey
	passkeyMaxText = 16 << 10           // bytes of what a browser answers
)

// step names what waits for the next step: by a secret of the browser, or by
// the session and what for, so that there is one at a time.
type step struct {
	purpose string
	key     []byte
}

// stepFor returns what waits for whoever knows a secret, which may be that of a
// session as well as its id.
func stepFor(purpose, secret string) step {
	return step{purpose, hashOf(purpose + "\x00" + secret)}
}

// put keeps what waits; user may be the zero id while nobody knows who it is.
func (s *Service) put(ctx context.Context, w step, user uuid.UUID, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var of *uuid.UUID
	if user != uuid.Nil {
		of = &user
	}
	now := s.now()
	return db.Fault(db.New(s.Pool).SignInStepPut(ctx, db.SignInStepPutParams{Key: w.key, Purpose: w.purpose, UserID: of, Data: text, At: now, ExpiresAt: now.Add(stepLife)}))
}

// peek reads what waits into data and returns whose it is, or a Gone fault.
func (s *Service) peek(ctx context.Context, w step, data any) (uuid.UUID, error) {
	row, err := db.New(s.Pool).SignInStepGet(ctx, db.SignInStepGetParams{Key: w.key, Purpose: w.purpose, At: s.now()})
	return readStep(row, err, data)
}

// take does the same and removes it: nobody takes it twice.
func (s *Service) take(ctx context.Context, q *db.Queries, w step, data any) (uuid.UUID, error) {
	row, err := q.SignInStepTake(ctx, db.SignInStepTakeParams{Key: w.key, Purpose: w.purpose, At: s.now()})
	return readStep(row, err, data)
}

func readStep(row db.SignInStep, err error, data any) (uuid.UUID, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, stepGone()
	}
	if err != nil {
		return uuid.Nil, db.Fault(err)
	}
	if row.UserID == nil {
		return uuid.Nil, json.Unmarshal(row.Data, data)
	}
	return *row.UserID, json.Unmarshal(row.Data, data)
}

// stepGone is the answer to a step that nothing waits for any more.
func stepGone() *fault.Fault {
	return fault.New(fault.Gone, "auth.step_gone", "This took too long, or was done already; start again.")
}
