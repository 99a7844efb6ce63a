package identity

import (
	"context"
	"crypto/ed25519"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/db"
)

// Sign signs a message with the key in force and says which it was. Whoever asks
// begins the message with words of its own, so that a signature made for one
// purpose is none for another; no token begins with words.
func (s *Service) Sign(message []byte) (kid string, signature []byte, err error) {
	ring, err := s.ring(context.Background())
	if err != nil {
		return "", nil, err
	}
	k, err := ring.signer(s.now())
	if err != nil {
		return "", nil, err
	}
	return k.id, ed25519.Sign(k.private, message), nil
}

// PublicKeys returns every key the core ever signed with, by its id: what was
// signed years ago is still to be verified.
func PublicKeys(ctx context.Context, pool *pgxpool.Pool) (map[string]ed25519.PublicKey, error) {
	rows, err := db.New(pool).SigningKeyPublic(ctx)
	if err != nil {
		return nil, db.Fault(err)
	}
	keys := make(map[string]ed25519.PublicKey, len(rows))
	for _, row := range rows {
		if len(row.Public) == ed25519.PublicKeySize {
			keys[row.Kid] = row.Public
		}
	}
	return keys, nil
}
