package registry

import (
	"encoding/json"

	"github.com/vivified/vivified/core/manifest"
)

// endpoint shortens the name where predicates are written.
type endpoint = manifest.Endpoint

// stored reads a manifest that was accepted before. What the operator blocked
// since does not unmake it: that is judged again when it is enabled.
func stored(raw json.RawMessage, o manifest.Options) (*manifest.Manifest, error) {
	m, findings := manifest.Read(raw, manifest.Options{Traits: o.Traits})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	return &m, nil
}
