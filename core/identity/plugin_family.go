package identity

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/db"
)

// familyTag is the part of a family's id that the tokens of the family bear: 40 of
// the random bits of a UUIDv7.
type familyTag [5]byte

func tagOf(family uuid.UUID) familyTag { return familyTag(family[11:]) }

// endedFamilies are the families of refresh tokens that ended while access tokens
// of theirs may live: somebody used a refresh token twice. They are read at most
// once in lookupLife, so that an end on another replica counts within a second.
type endedFamilies struct {
	mu    sync.Mutex // one read at a time
	known atomic.Pointer[endedSet]
}

type endedSet struct {
	tags map[familyTag]struct{}
	read time.Time
}

// forget makes the next question read again.
func (e *endedFamilies) forget() { e.known.Store(nil) }

// familyEnded reports whether the tokens of a family are void.
func (s *Service) familyEnded(ctx context.Context, tag familyTag) (bool, error) {
	now := s.now()
	set := s.ended.known.Load()
	if set == nil || now.Sub(set.read).Abs() >= lookupLife {
		var err error
		if set, err = s.readEnded(ctx, now); err != nil {
			return false, err
		}
	}
	_, ended := set.tags[tag]
	return ended, nil
}

func (s *Service) readEnded(ctx context.Context, now time.Time) (*endedSet, error) {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	if set := s.ended.known.Load(); set != nil && now.Sub(set.read).Abs() < lookupLife {
		return set, nil // somebody else read it meanwhile
	}
	families, err := db.New(s.Pool).RefreshTokenEnded(ctx, now.Add(-pluginTokenLife-2*skew))
	if err != nil {
		return nil, unavailable(err)
	}
	set := &endedSet{tags: make(map[familyTag]struct{}, len(families)), read: now}
	for _, f := range families {
		set.tags[tagOf(f)] = struct{}{}
	}
	s.ended.known.Store(set)
	return set, nil
}
