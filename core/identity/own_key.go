package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/vivified/vivified/db"
)

// ownKey returns the 256-bit key of that name, which is made at the first call
// of all replicas and kept sealed under the master key.
func (s *Service) ownKey(ctx context.Context, name string) ([]byte, error) {
	var fresh [32]byte
	rand.Read(fresh[:])
	sealed, err := s.Sealer.Seal(fresh[:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("seal key %s: %w", name, err)
	}
	q := db.New(s.Pool)
	if err := q.SealedKeyPut(ctx, db.SealedKeyPutParams{Name: name, Sealed: sealed, At: s.now()}); err != nil {
		return nil, fmt.Errorf("keep key %s: %w", name, err)
	}
	kept, err := q.SealedKeyGet(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	key, err := s.Sealer.Open(kept, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("open key %s with this master key: %w", name, err)
	}
	return key, nil
}

// keyed returns the HMAC-SHA-256 of what somebody typed, so that it can be
// counted and recognised without being kept: people do type their password into
// the name field. kind keeps equal texts of different fields apart.
func (s *Service) keyed(kind, typed string) []byte {
	mac := hmac.New(sha256.New, s.macKey)
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(typed))
	return mac.Sum(nil)
}

// tag is a short public form of a keyed hash.
func tag(mac []byte) string { return hex.EncodeToString(mac[:8]) }
