package siem

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
)

// Poster posts JSON to one address, signed as the Standard Webhooks specification
// has it: HMAC-SHA-256 of id, time and body. A status of 2xx takes it. It follows no
// redirect and uses no proxy from the environment.
type Poster struct {
	client *http.Client
	url    string
	key    []byte
	now    func() time.Time
}

// NewPoster returns a Poster, or an error that says what is wrong with the address or
// with the secret, which is whsec_ and the base64 of 24 to 64 bytes. roots are the
// certificate authorities to believe; nil: those of the machine.
func NewPoster(address, secret string, roots *x509.CertPool, now func() time.Time) (*Poster, error) {
	if why := urlAddress(address); why != "" {
		return nil, errors.New(why)
	}
	key, err := signingKey(secret)
	if err != nil {
		return nil, errors.New("the key of the signature cannot be read")
	}
	return &Poster{client: client(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}), url: address, key: key, now: now}, nil
}

// Post sends body under an id by which the other side knows it when it comes twice.
func (p *Poster) Post(ctx context.Context, id string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(p.now().Unix(), 10)
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	_, err = exchange(p.client, r)
	return err
}

// Close lets go of idle connections.
func (p *Poster) Close() { p.client.CloseIdleConnections() }

// webhookSink posts records.
type webhookSink struct{ to *Poster }

// Send implements audit.Sink.
func (s *webhookSink) Send(ctx context.Context, records []audit.Record) (int, error) {
	body, err := json.Marshal(map[string]any{"type": "audit.records", "timestamp": s.to.now().UTC().Format(time.RFC3339), "data": map[string]any{"records": records}})
	if err != nil {
		return 0, err
	}
	return 0, s.to.Post(ctx, "msg_"+uuid.Must(uuid.NewV7()).String(), body)
}

// Confirm implements audit.Sink: each answer did.
func (s *webhookSink) Confirm(context.Context) error { return nil }

// Close implements audit.Sink.
func (s *webhookSink) Close() { s.to.Close() }

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
