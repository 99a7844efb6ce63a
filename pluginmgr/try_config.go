package pluginmgr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// What a trial of settings may take.
const (
	tryTimeout = 10 * time.Second
	maxTried   = 8 << 10 // bytes of the plugin's answer
	maxSaid    = 300     // bytes of what it says of them
)

// TryConfigPath is where a plugin is asked to try settings, where its schema
// says x-test: POST {"settings": …}, secrets in clear, answered by
// {"ok": true|false, "message": "…"}.
const TryConfigPath = "/config/test"

// TryConfig asks a plugin whether settings would work, before they are its own.
// They go to that plugin alone. What it answers is returned; that they do not
// work, or it does not say, is Unavailable config.try.
func (m *Manager) TryConfig(ctx context.Context, id string, settings json.RawMessage) (said string, err error) {
	p, err := m.plugin(id)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]json.RawMessage{"settings": settings})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.ID+TryConfigPath, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	token, err := m.Principals.CallToken(p.ID, "core", "", actor.Trace(ctx), r.Method, r.URL.EscapedPath())
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Vivified-Caller", "core")
	answer, err := m.Call(ctx, p, r)
	if err != nil {
		return "", fault.New(fault.Unavailable, "config.try", "%s does not answer, so nobody knows whether the settings work.", p.Name).Because(err)
	}
	defer answer.Body.Close()
	var tried struct {
		OK      bool   `json:"ok"`
		Message string `json:"message"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxTried)).Decode(&tried); err != nil || answer.StatusCode >= 300 {
		return "", fault.New(fault.Unavailable, "config.try", "%s answers %d and does not say whether the settings work.", p.Name, answer.StatusCode)
	}
	if said = tried.Message; len(said) > maxSaid || !utf8.ValidString(said) {
		said = ""
	}
	if !tried.OK {
		return "", fault.New(fault.Unavailable, "config.try", "%s", cmp.Or(said, p.Name+" says that the settings do not work."))
	}
	return said, nil
}
