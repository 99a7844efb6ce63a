package identity

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/actor"
)

// PluginByToken returns the plugin that a token proves, and when the token ends,
// for what a plugin opens other than by a request. A refusal is recorded; errors
// are faults, as of [Service.Prove].
func (s *Service) PluginByToken(ctx context.Context, token string) (actor.Actor, time.Time, error) {
	c, err := s.verifyPluginToken(ctx, token)
	if err != nil {
		return actor.Actor{}, time.Time{}, s.deny(ctx, err)
	}
	return pluginActor(c.Plugin, actor.Credential{Kind: CredentialPlugin, ID: c.ID}), c.Expires, nil
}
