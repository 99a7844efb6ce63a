package identity

import (
	"context"
	"time"
)

// SigningKey is one of the core's keys as administrators see it.
type SigningKey struct {
	ID        string // RFC 7638 thumbprint, as in the key set
	NotBefore time.Time
	Retire    time.Time // signs nothing new from then on
	Expires   time.Time // what it signed verifies no more from then on
	Signs     bool      // it is what is signed with now
}

// SigningKeys returns the keys whose signatures hold now or will, oldest first.
func (s *Service) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	ring, err := s.ring(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	signer, _ := ring.signer(now) // none signs: none is marked
	keys := []SigningKey{}
	for _, k := range ring.keys {
		if now.Before(k.expires) {
			keys = append(keys, SigningKey{ID: k.id, NotBefore: k.notBefore, Retire: k.retire, Expires: k.expires, Signs: k == signer})
		}
	}
	return keys, nil
}
