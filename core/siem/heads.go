package siem

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
)

// Heads is a webhook as a place for signed heads. It gets {"type": "audit.heads", "data":
// {"heads": [...]}}, each head as the file of heads has it, and the whole signed as
// messages with records are.
type Heads struct{ to *Poster }

// NewHeads returns the webhook at an address. key is whsec_ and base64, as for a sink. It
// returns an Invalid fault for an address or a key that is none: the heads go in clear to
// this machine itself only.
func NewHeads(address, key string) (*Heads, error) {
	to, err := NewPoster(address, key, nil, time.Now)
	if err != nil {
		return nil, fault.New(fault.Invalid, "siem.heads", "The webhook for signed heads cannot be used: %v.", strings.TrimSuffix(err.Error(), "."))
	}
	return &Heads{to}, nil
}

// Keep implements audit.HeadPlace.
func (h *Heads) Keep(ctx context.Context, at time.Time, lines []byte) error {
	heads := []json.RawMessage{}
	for line := range bytes.Lines(lines) {
		heads = append(heads, bytes.TrimSuffix(line, []byte{'\n'}))
	}
	body, err := json.Marshal(map[string]any{"type": "audit.heads", "timestamp": at.UTC().Format(time.RFC3339), "data": map[string]any{"heads": heads}})
	if err != nil {
		return err
	}
	return h.to.Post(ctx, "msg_"+uuid.Must(uuid.NewV7()).String(), body)
}
