package identity

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/actor"
)

// SessionLeft returns how long the caller's session goes on when nothing else is
// asked in it, or an Unauthenticated fault once it ended. It is no use of it.
func (s *Service) SessionLeft(ctx context.Context) (time.Duration, error) {
	p, reason, err := s.stillGood(ctx, actor.From(ctx).Credential)
	if err != nil {
		return 0, unavailable(err)
	}
	if reason != "" {
		return 0, refused(&denial{Credential: CredentialSession, Reason: reason})
	}
	left, now := p.expires.Sub(s.now()), s.now()
	if p.idle > 0 {
		left = min(left, p.seen.Add(p.idle).Sub(now))
	}
	return left, nil
}

// LongestPause returns the longest pause in the caller's session, 0 for whoever has none.
func (s *Service) LongestPause(ctx context.Context) time.Duration {
	who := actor.From(ctx)
	if who.Kind != actor.User || who.Credential.Kind != CredentialSession {
		return 0
	}
	return s.idle(who.Traits)
}
