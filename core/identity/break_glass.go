package identity

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// An account for emergencies has a password nobody remembers: it lies under seal
// until somebody must get in although nothing else works. Whoever uses it says
// why, stays for an hour at most, and every administrator hears of it.

// Limits of accounts for emergencies.
const (
	sealedLetters = 30 // of the alphabet of recovery codes: 150 bits
	sealedGroup   = 5
	sealedLife    = 365 * 24 * time.Hour // longest, and usual, time under one seal
	minReason     = 10                   // characters
)

// Sealed is an account for emergencies under a new seal. The password is shown
// this once.
type Sealed struct {
	User     User
	Password string
	Expires  time.Time
}

// NewBreakGlass is what a new account for emergencies is to be.
type NewBreakGlass struct {
	Account string    // e-mail address; nothing is sent to it
	Name    string    // shown to people; default "Break-glass"
	Traits  []string  // of data, beside the role admin; none by default
	Expires time.Time // default in a year, which is the most
	Reason  string    // of the traits
}

// MakeBreakGlass makes an account for emergencies. It holds admin, so that only
// administrators make one.
func (s *Service) MakeBreakGlass(ctx context.Context, in NewBreakGlass) (Sealed, error) {
	email, err := cleanEmail(in.Account)
	if err != nil {
		return Sealed{}, err
	}
	name, err := cleanName(cmp.Or(in.Name, "Break-glass"))
	if err != nil {
		return Sealed{}, err
	}
	expires, err := s.sealedUntil(in.Expires)
	if err != nil {
		return Sealed{}, err
	}
	extra, err := s.dataTraits(in.Traits)
	if err != nil {
		return Sealed{}, err
	}
	password, hash, err := s.seal(ctx)
	if err != nil {
		return Sealed{}, err
	}
	var made Sealed
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := q.UserChangesLock(ctx); err != nil {
			return err
		}
		at := s.now()
		u, _, err := s.addUser(ctx, q, db.UserInsertParams{Email: email, Name: name, PasswordHash: hash, Status: string(Active), PasswordSetAt: &at}, []RoleGrant{{Role: "admin"}}, nil)
		if err != nil {
			return err
		}
		for _, t := range extra {
			if err := q.UserTraitPut(ctx, db.UserTraitPutParams{UserID: u.ID, Trait: t, Reason: printable(in.Reason, maxReason), GrantedBy: granter(ctx), At: at}); err != nil {
				return err
			}
		}
		u, is, err := s.snapshot(ctx, q, u.Tenant, u.ID)
		if err != nil {
			return err
		}
		if err := s.allowed(ctx, User{}, u); err != nil {
			return err
		}
		if err := s.endless(ctx, q, u.Traits); err != nil {
			return err
		}
		if err := q.BreakGlassPut(ctx, db.BreakGlassPutParams{UserID: u.ID, MadeBy: granter(ctx), At: at, ExpiresAt: expires}); err != nil {
			return err
		}
		made = Sealed{User: u, Password: password, Expires: expires}
		return audit.Append(ctx, q, audit.Entry{Action: "break_glass.make", Object: u.ID.String(), Outcome: audit.OK, After: is, Detail: map[string]any{"expires_at": expires}})
	})
	return made, err
}

// RotateBreakGlass puts an account for emergencies under a new seal: a new
// password, and a new end. Its sessions end.
func (s *Service) RotateBreakGlass(ctx context.Context, id uuid.UUID, until time.Time) (Sealed, error) {
	expires, err := s.sealedUntil(until)
	if err != nil {
		return Sealed{}, err
	}
	password, hash, err := s.seal(ctx)
	if err != nil {
		return Sealed{}, err
	}
	var made Sealed
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		u, _, err := s.lockUser(ctx, q, id)
		if err != nil {
			return err
		}
		if err := s.reaches(ctx, u.Traits); err != nil {
			return err
		}
		if err := s.endless(ctx, q, u.Traits); err != nil {
			return err
		}
		if _, err := q.BreakGlassGet(ctx, id); err != nil {
			return noBreakGlass(err)
		}
		if err := s.setPassword(ctx, q, id, hash); err != nil {
			return err
		}
		if err := q.BreakGlassPut(ctx, db.BreakGlassPutParams{UserID: id, MadeBy: granter(ctx), At: s.now(), ExpiresAt: expires}); err != nil {
			return err
		}
		made = Sealed{User: u, Password: password, Expires: expires}
		return audit.Append(ctx, q, audit.Entry{Action: "break_glass.rotate", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"expires_at": expires}})
	})
	if err == nil {
		s.changed(ctx)
	}
	return made, err
}

// seal returns a new password for an account for emergencies, as it is written
// down, and its hash. Case, spaces and hyphens do not count when it is typed.
func (s *Service) seal(ctx context.Context) (password, hash string, err error) {
	var letters strings.Builder
	for letters.Len() < sealedLetters {
		letters.WriteString(newRecoveryCode())
	}
	plain := letters.String()[:sealedLetters]
	hash, err = s.hasher.hash(ctx, plain)
	return grouped(plain, sealedGroup), hash, err
}

func (s *Service) sealedUntil(until time.Time) (time.Time, error) {
	now := s.now()
	if until.IsZero() {
		return now.Add(sealedLife), nil
	}
	if !until.After(now) || until.Sub(now) > sealedLife {
		return time.Time{}, violation("break_glass.expires", "/expires_at", "The seal must end, within a year from now.", "Name a day between tomorrow and a year from now.")
	}
	return until.UTC().Truncate(time.Microsecond), nil
}

// dataTraits returns the names of traits of data that people may have.
func (s *Service) dataTraits(names []string) ([]string, error) {
	var known []string
	for _, name := range names {
		t, _, ok := s.Traits().Lookup(name)
		if !ok || t.Category != trait.CategoryData || !t.Assignable.Has(trait.ToUser) {
			return nil, violation("trait.not_assignable", "/traits", "Beside admin such an account holds traits of data only.", "Choose from the list of data traits.")
		}
		known = append(known, t.Name)
	}
	return known, nil
}

// Emergency is what somebody presents who breaks the glass.
type Emergency struct {
	Account  string
	Password string
	Reason   string // why nothing else will do; recorded, and shown to every administrator
	Client
}

// BreakTheGlass starts a session of an account for emergencies, whatever else
// signing in may be set to demand. It returns an Unprocessable fault without a
// reason, else what Login does.
func (s *Service) BreakTheGlass(ctx context.Context, in Emergency) (Grant, error) {
	reason := strings.TrimSpace(printable(in.Reason, maxReason))
	if utf8.RuneCountInString(reason) < minReason {
		return Grant{}, violation("break_glass.reason", "/reason", "The reason is missing or too short.", "Write in a sentence why nothing else will do; every administrator reads it.")
	}
	account := strings.TrimSpace(in.Account)
	if len(account) > maxEmail || !utf8.ValidString(account) || strings.ContainsRune(account, 0) {
		account = ""
	}
	t, err := s.tries(ctx, account)
	if err != nil {
		return Grant{}, err
	}
	if err := s.countSignIn(ctx, t); err != nil {
		return Grant{}, err
	}
	row, why, err := s.whoBreaksGlass(ctx, account)
	if err != nil {
		return Grant{}, s.undo(ctx, err, t.name, t.from)
	}
	ok, stronger, err := s.hasher.match(ctx, plainCode(in.Password), row.PasswordHash)
	if err != nil {
		return Grant{}, s.undo(ctx, err, t.name, t.from)
	}
	if !ok {
		return Grant{}, s.failed(ctx, t, row.ID, "auth.break_glass", why, notSignedIn())
	}
	return s.begin(ctx, arrival{
		row: row, client: in.Client, method: MethodBreakGlass, tries: t, stronger: stronger, life: min(s.Demands().BreakGlass, s.Absolute),
		also: func(ctx context.Context, q *db.Queries, session Session) error {
			err := q.BreakGlassUsed(ctx, db.BreakGlassUsedParams{SessionID: session.ID, UserID: row.ID, Reason: reason, Address: session.Address, At: s.now()})
			if err != nil {
				return err
			}
			s.Log.WarnContext(ctx, "the glass was broken", "account", row.Email, "session", session.ID, "address", session.Address)
			return audit.Append(ctx, q, audit.Entry{
				Action: "auth.break_glass", Object: row.ID.String(), Outcome: audit.OK,
				Detail: map[string]any{"session": session.ID, "reason": reason, "until": session.ExpiresAt},
			})
		},
	})
}

// whoBreaksGlass is whoSignsIn for the accounts that are for emergencies.
func (s *Service) whoBreaksGlass(ctx context.Context, account string) (row db.User, reason string, err error) {
	q := db.New(s.Pool)
	rows, err := q.UserByAccount(ctx, actor.DefaultTenant, account)
	if err != nil {
		return db.User{}, "", db.Fault(err)
	}
	reason = "no such account"
	if len(rows) == 1 && account != "" {
		row, reason = rows[0], "wrong password"
	}
	sealed, err := q.BreakGlassGet(ctx, row.ID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return db.User{}, "", db.Fault(err)
	}
	switch {
	case row.ID == uuid.Nil:
	case err != nil:
		row.PasswordHash, reason = "", "is not for emergencies"
	case Status(row.Status) != Active:
		row.PasswordHash, reason = "", row.Status
	case !s.now().Before(sealed.ExpiresAt):
		row.PasswordHash, reason = "", "its seal ran out"
	}
	return row, reason, nil
}

// isBreakGlass reports whether a person is an account for emergencies.
func (s *Service) isBreakGlass(ctx context.Context, id uuid.UUID) (bool, error) {
	_, err := db.New(s.Pool).BreakGlassGet(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, db.Fault(err)
}

// notSealed refuses the accounts for emergencies: what opens those is under seal,
// and nothing else. Whoever broke the glass leaves no other way in behind.
func notSealed(ctx context.Context, q *db.Queries, id uuid.UUID) error {
	_, err := q.BreakGlassGet(ctx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return db.Fault(err)
	}
	return fault.New(fault.Denied, "break_glass.sealed", "An account for emergencies has its sealed password and nothing else; rotate that instead.")
}

func noBreakGlass(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "break_glass.unknown", "There is no such account for emergencies.")
	}
	return db.Fault(err)
}
