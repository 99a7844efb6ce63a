package vivified

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// manifest is what the SDK itself needs of a plugin's manifest. The core checks
// the whole; the SDK sends the bytes it was given, unchanged.
type manifest struct {
	ID        string              `json:"id"`
	Endpoints map[string]endpoint `json:"endpoints"`
	Events    struct {
		Subscribes []string `json:"subscribes"`
		Delivery   string   `json:"delivery"`
		Path       string   `json:"path"`
	} `json:"events"`
	Health *struct {
		Type string `json:"type"`
		Port int    `json:"port"`
		Path string `json:"path"`
	} `json:"health_check"`
	Hooks map[string]string `json:"hooks"`
}

// endpoint is where a declared operation lives. An empty Method admits any.
type endpoint struct {
	Path   string `json:"path"`
	Method string `json:"method"`
}

// UnmarshalJSON reads an endpoint in its short form, a path, or its long one.
func (e *endpoint) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &e.Path)
	}
	type long endpoint
	return json.Unmarshal(text, (*long)(e))
}

// idForm is what the core accepts as a plugin id; it is also safe as a file name.
var idForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$`)

// readManifest reads the fields the SDK needs, or says what is missing.
func readManifest(text []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	if m.ID == "" {
		return manifest{}, errors.New("read manifest: field id is required")
	}
	if !idForm.MatchString(m.ID) {
		return manifest{}, fmt.Errorf("read manifest: %q is not a plugin id: lower-case letters, digits and inner hyphens, at most 64", m.ID)
	}
	return m, nil
}

// healthPath is where the core asks for this plugin's health over HTTP, or "".
func (m manifest) healthPath() string {
	if m.Health == nil || (m.Health.Type != "" && m.Health.Type != "http") {
		return ""
	}
	if m.Health.Path == "" {
		return "/health"
	}
	return m.Health.Path
}

// webhook is where the core delivers events by POST, or "" when they are streamed.
func (m manifest) webhook() string {
	if m.Events.Delivery != "webhook" {
		return ""
	}
	return m.Events.Path
}

// subscription returns the manifest's subscription that covers a type or
// wildcard, in its dotted form, or "".
func (m manifest) subscription(eventType string) string {
	for _, pattern := range m.Events.Subscribes {
		if covers(pattern, eventType) {
			return normal(pattern)
		}
	}
	return ""
}
