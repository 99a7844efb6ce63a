package settings

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/vivified/vivified/core/manifest"
)

// Durations returns a setting that is a JSON object from event types or patterns,
// normalised, to durations.
func (s *Settings) Durations(k Key) (map[string]time.Duration, error) {
	m, err := readDurations(get[json.RawMessage](s, k))
	if err != nil {
		return nil, fmt.Errorf("read setting %s: %w", k, err)
	}
	return m, nil
}

func readDurations(raw json.RawMessage) (map[string]time.Duration, error) {
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, err
	}
	by := make(map[string]time.Duration, len(texts))
	for name, text := range texts {
		pattern, ok := manifest.NormalizeEventPattern(name)
		d, valid := parseDuration(text)
		if !ok || !valid || d < time.Minute || d > 3650*day {
			return nil, fmt.Errorf("%q: %q is no duration of an event type", clip(name), clip(text))
		}
		by[pattern] = d
	}
	return by, nil
}
