package vivified

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Event is something that happened, as this plugin may see it: fields that its
// traits do not cover have been removed by the core.
type Event struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`   // dotted, such as user.created
	Source         string          `json:"source"` // the publisher, stamped by the core
	Time           time.Time       `json:"time"`
	Traceparent    string          `json:"traceparent,omitempty"`
	Classification Names           `json:"classification,omitempty"` // classes of the data before anything was removed
	Redacted       Names           `json:"redacted,omitempty"`       // JSON Pointers of the removed fields
	Data           json.RawMessage `json:"data,omitempty"`
}

// Names is a list that a CloudEvent carries as one text with commas.
type Names []string

// MarshalText joins the names.
func (n Names) MarshalText() ([]byte, error) { return []byte(strings.Join(n, ",")), nil }

// UnmarshalText splits them.
func (n *Names) UnmarshalText(text []byte) error {
	*n = nil
	if len(text) > 0 {
		*n = strings.Split(string(text), ",")
	}
	return nil
}

// Decode reads the event's data into target.
func (e Event) Decode(target any) error {
	if err := json.Unmarshal(e.Data, target); err != nil {
		return fmt.Errorf("read data of %s: %w", e.Type, err)
	}
	return nil
}

// Publication is an event to publish.
type Publication struct {
	ID         string         // unique per publisher: a repeat within 24 h is not delivered twice; default a new UUIDv7
	Type       string         // one that the manifest publishes
	Payload    any            // becomes JSON
	Schema     string         // model and version; default none
	DataTraits []string       // data classes; default what manifest and model say
	Metadata   map[string]any // default none
}

// PublishEvent publishes a payload under a type of the manifest and returns the
// event's id. When it returns without an error the event is durable.
func (p *Plugin) PublishEvent(ctx context.Context, eventType string, payload any) (string, error) {
	return p.Publish(ctx, Publication{Type: eventType, Payload: payload})
}

// Publish publishes an event and returns its id. Because the id makes repeats
// harmless, it tries again when the core cannot be reached or asks to wait, up
// to five times and within ctx.
func (p *Plugin) Publish(ctx context.Context, event Publication) (string, error) {
	if event.ID == "" {
		event.ID = newID(time.Now())
	}
	body, err := json.Marshal(struct {
		ID         string         `json:"id"`
		Type       string         `json:"event_type"`
		Payload    any            `json:"payload"`
		Schema     string         `json:"schema,omitempty"`
		DataTraits []string       `json:"data_traits,omitempty"`
		Metadata   map[string]any `json:"metadata,omitempty"`
	}{event.ID, event.Type, event.Payload, event.Schema, event.DataTraits, event.Metadata})
	if err != nil {
		return "", fmt.Errorf("publish %s: %w", event.Type, err)
	}
	wait := backoff{base: 100 * time.Millisecond, most: 5 * time.Second}
	for try := 1; ; try++ {
		answer, err := p.session.do(ctx, request{method: http.MethodPost, path: "/messaging/events", body: body})
		if err == nil {
			var taken struct {
				ID string `json:"event_id"`
			}
			if err := answer.Decode(&taken); err != nil {
				return "", fmt.Errorf("publish %s: %w", event.Type, err)
			}
			return taken.ID, nil
		}
		if try == 5 || !passing(err) {
			return "", fmt.Errorf("publish %s: %w", event.Type, err)
		}
		if err := sleep(ctx, max(wait.next(), retryAfter(err))); err != nil {
			return "", fmt.Errorf("publish %s: %w", event.Type, err)
		}
	}
}

// newID returns a UUIDv7 (RFC 9562): milliseconds since 1970, then random bits.
func newID(now time.Time) string {
	var id [16]byte
	rand.Read(id[6:])
	ms := now.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
