package settings

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// Candidate returns doc as the plugin would get it if it were saved now: secrets
// that doc leaves out are those it has, defaults are filled in. It is for that
// plugin alone. What [Settings.SetPluginConfig] would refuse is refused.
func (s *Settings) Candidate(ctx context.Context, m *manifest.Manifest, doc json.RawMessage) (json.RawMessage, error) {
	if err := mayConfigure(ctx, m.ID); err != nil {
		return nil, err
	}
	schema, err := compile(m.ConfigSchema)
	if err != nil {
		return nil, err
	}
	next, err := readPluginConfig(doc, "")
	if err != nil {
		return nil, err
	}
	_, rows, err := s.pluginRows(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	b, err := s.attached()
	if err != nil {
		return nil, err
	}
	last, err := assemble(rows, b.Sealer)
	if err != nil {
		return nil, err
	}
	whole := fill(keep(next, last, schema.any), schema.sure)
	found, err := schema.check(whole)
	if err != nil {
		return nil, err
	}
	p := problems(slices.Concat(found.broken, found.missing, found.secrets))
	return encodeJSON(whole), p.err(fault.Unprocessable, "config.invalid")
}
