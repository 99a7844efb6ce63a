package siem

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
)

// webhookSink posts records, signed. A status of 2xx takes them.
type webhookSink struct {
	client *http.Client
	url    string
	key    []byte
	now    func() time.Time
}

// Send implements audit.Sink.
func (s *webhookSink) Send(ctx context.Context, records []audit.Record) (int, error) {
	body, err := json.Marshal(map[string]any{"type": "audit.records", "timestamp": s.now().UTC().Format(time.RFC3339), "data": map[string]any{"records": records}})
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	id, at := "msg_"+uuid.Must(uuid.NewV7()).String(), strconv.FormatInt(s.now().Unix(), 10)
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	_, err = exchange(s.client, r)
	return 0, err
}

// Confirm implements audit.Sink: each answer did.
func (s *webhookSink) Confirm(context.Context) error { return nil }

// Close implements audit.Sink.
func (s *webhookSink) Close() { s.client.CloseIdleConnections() }

// exchange sends r and returns what was answered with 2xx; any other status is an error.
func exchange(client *http.Client, r *http.Request) ([]byte, error) {
	r.Header.Set("User-Agent", "vivified")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, fmt.Errorf("it answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return body, err
}
