package vivified

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Settings are this plugin's settings, as an administrator left them.
type Settings struct {
	Enabled bool            `json:"enabled"`
	Values  json.RawMessage `json:"settings"` // fits the manifest's config_schema
	Version int64           `json:"version"`  // grows with every change
}

// Decode reads the values into target.
func (s Settings) Decode(target any) error {
	if err := json.Unmarshal(s.Values, target); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	return nil
}

// Config asks the core for the plugin's settings.
func (p *Plugin) Config(ctx context.Context) (Settings, error) {
	answer, err := p.session.do(ctx, request{method: http.MethodGet, path: "/plugins/" + p.manifest.ID + "/config"})
	if err != nil {
		return Settings{}, fmt.Errorf("get settings: %w", err)
	}
	var s Settings
	if err := answer.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("get settings: %w", err)
	}
	return s, nil
}
