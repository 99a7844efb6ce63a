package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// The life of a signing key. A new key is published ahead of its first signature,
// so that whoever keeps a copy of the key set knows it in time; a retired one
// verifies as long as something it signed may live.
const (
	keyLife    = 30 * 24 * time.Hour
	keyAhead   = 10 * time.Minute
	keyOverlap = pluginTokenLife + 2*skew
)

// key is one of the core's Ed25519 keys.
type key struct {
	id        string
	public    ed25519.PublicKey
	private   ed25519.PrivateKey
	header    string // the encoded JOSE header of what it signs
	notBefore time.Time
	retire    time.Time // signs nothing new from then on
	expires   time.Time // verifies nothing from then on
}

// keyring is every key that verifies now or will, oldest first. It is immutable.
type keyring struct {
	keys []*key
	byID map[string]*key
	read int64 // counts the readings; a later one knows more
}

// signer returns the key to sign with now: the youngest that other replicas
// accept even if their clock is behind, else the youngest in force.
func (r *keyring) signer(now time.Time) (*key, error) {
	var inForce *key
	for i := len(r.keys) - 1; i >= 0; i-- {
		k := r.keys[i]
		if now.Before(k.notBefore) || !now.Before(k.retire) {
			continue
		}
		if !now.Before(k.notBefore.Add(skew)) {
			return k, nil
		}
		if inForce == nil {
			inForce = k
		}
	}
	if inForce == nil {
		return nil, errors.New("no signing key is in force")
	}
	return inForce, nil
}

// ring returns the keys, read anew after Invalidate.
func (s *Service) ring(ctx context.Context) (*keyring, error) {
	if s.stale.CompareAndSwap(true, false) {
		if err := s.readKeys(ctx, db.New(s.Pool)); err != nil {
			s.stale.Store(true)
			return nil, unavailable(fmt.Errorf("read signing keys: %w", err))
		}
	}
	return s.keys.Load(), nil
}

// readKeys replaces the keyring, unless a reading that began later was faster.
// Keys it knows are not unsealed again.
func (s *Service) readKeys(ctx context.Context, q *db.Queries) error {
	next := &keyring{byID: map[string]*key{}, read: s.reads.Add(1)}
	rows, err := q.SigningKeyList(ctx, s.now())
	if err != nil {
		return err
	}
	last := s.keys.Load()
	for _, row := range rows {
		k := &key{id: row.Kid, public: row.Public, notBefore: row.NotBefore, retire: row.RetireAt, expires: row.ExpiresAt}
		if old := last.find(row.Kid); old != nil {
			k.private, k.header = old.private, old.header
		} else {
			seed, err := s.Sealer.Open(row.Sealed, sealContext(row.Kid))
			if err != nil {
				return fmt.Errorf("open signing key %s with this master key: %w", row.Kid, err)
			}
			if len(seed) != ed25519.SeedSize {
				return fmt.Errorf("signing key %s is damaged", row.Kid)
			}
			k.private = ed25519.NewKeyFromSeed(seed)
			k.header = encodeHeader(row.Kid)
		}
		if !k.public.Equal(k.private.Public()) || k.id != thumbprint(k.public) {
			return fmt.Errorf("signing key %s is not what it was stored as", row.Kid)
		}
		next.keys = append(next.keys, k)
		next.byID[k.id] = k
	}
	for last == nil || last.read < next.read {
		if s.keys.CompareAndSwap(last, next) {
			break
		}
		last = s.keys.Load()
	}
	return nil
}

func (r *keyring) find(id string) *key {
	if r == nil {
		return nil
	}
	return r.byID[id]
}

// rotateWhenDue reads the keys, and makes the next one when the last is about to
// retire or there is none. On all replicas together one does it.
func (s *Service) rotateWhenDue(ctx context.Context) error {
	if err := s.readKeys(ctx, db.New(s.Pool)); err != nil {
		return err
	}
	if s.keys.Load().lasts(s.now().Add(2 * keyAhead)) {
		return nil
	}
	return s.makeKey(ctx, func(r *keyring) (notBefore time.Time, due bool) {
		now := s.now()
		if _, err := r.signer(now); err != nil {
			return now, true
		}
		return now.Add(keyAhead), !r.lasts(now.Add(2 * keyAhead))
	})
}

// lasts reports whether a key signs at that time.
func (r *keyring) lasts(at time.Time) bool {
	_, err := r.signer(at)
	return err == nil
}

// Rotate makes a new signing key. Until other parties had ten minutes to learn of
// it the present one signs; what that one signed verifies until it runs out. Half
// an hour later nothing is sealed under a master key that was replaced before.
func (s *Service) Rotate(ctx context.Context) error {
	return s.makeKey(ctx, func(*keyring) (time.Time, bool) { return s.now().Add(keyAhead), true })
}

// RevokeKey ends a signing key, and everything it signed, at once; a new one takes
// its place without delay. It is for a key that may be known to others.
func (s *Service) RevokeKey(ctx context.Context, kid string) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := q.SigningKeysLock(ctx); err != nil {
			return err
		}
		n, err := q.SigningKeyRevoke(ctx, s.now(), printable(kid, 64))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "key.unknown", "No signing key of that id is in force.")
		}
		if err := audit.Append(ctx, q, audit.Entry{Action: "signing_key.revoke", Object: printable(kid, 64), Outcome: audit.OK}); err != nil {
			return err
		}
		if err := s.readKeys(ctx, q); err != nil {
			return err
		}
		if s.keys.Load().lasts(s.now()) {
			return nil
		}
		return s.insertKey(ctx, q, s.now())
	})
	s.changed(ctx) // also after a failure: the keyring may be that of a transaction undone
	return err
}

// makeKey makes a key from the time due says, unless it says that none is due.
func (s *Service) makeKey(ctx context.Context, due func(*keyring) (time.Time, bool)) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := q.SigningKeysLock(ctx); err != nil {
			return err
		}
		if err := s.readKeys(ctx, q); err != nil {
			return err
		}
		notBefore, is := due(s.keys.Load())
		if !is {
			return nil
		}
		return s.insertKey(ctx, q, notBefore)
	})
	if err != nil {
		return err
	}
	s.changed(ctx)
	_, err = s.ring(ctx)
	return err
}

// insertKey adds a key that signs from notBefore on, and lets those before it retire.
func (s *Service) insertKey(ctx context.Context, q *db.Queries, notBefore time.Time) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	kid := thumbprint(public)
	sealed, err := s.Sealer.Seal(private.Seed(), sealContext(kid))
	if err != nil {
		return fmt.Errorf("seal a signing key: %w", err)
	}
	retire := notBefore.Add(keyLife)
	if err := q.SigningKeyInsert(ctx, db.SigningKeyInsertParams{
		Kid: kid, Public: public, Sealed: sealed, At: s.now(), NotBefore: notBefore, RetireAt: retire, ExpiresAt: retire.Add(keyOverlap),
	}); err != nil {
		return err
	}
	// The old ones sign until the new one is sure to be accepted everywhere.
	done := notBefore.Add(2 * skew)
	if err := q.SigningKeyRetire(ctx, db.SigningKeyRetireParams{Spared: kid, RetireAt: done, ExpiresAt: done.Add(keyOverlap), At: s.now()}); err != nil {
		return err
	}
	return audit.Append(ctx, q, audit.Entry{Action: "signing_key.create", Object: kid, Outcome: audit.OK, Detail: map[string]any{
		"not_before": notBefore, "retire_at": retire,
	}})
}

// thumbprint is the id of a key: its JWK thumbprint (RFC 7638, RFC 8037).
func thumbprint(public ed25519.PublicKey) string {
	h := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

func sealContext(kid string) []byte { return []byte("identity/signing/" + kid) }
