package siem

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// dial returns the sink that row describes. Nothing is connected before it is used.
func (s *Service) dial(row db.SiemSink, secret string) (audit.Sink, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots}
	if row.Ca != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(row.Ca)) {
			return nil, errors.New("the certificate of the authority cannot be read")
		}
	}
	switch Kind(row.Kind) {
	case Syslog:
		if row.Certificate != "" {
			own, err := tls.X509KeyPair([]byte(row.Certificate), []byte(secret))
			if err != nil {
				return nil, fmt.Errorf("the certificate cannot be used: %w", err)
			}
			conf.Certificates = []tls.Certificate{own}
		}
		return &syslogSink{address: row.Address, tls: conf}, nil
	case Webhook:
		to, err := NewPoster(row.Address, secret, conf.RootCAs, s.Now)
		if err != nil {
			return nil, err
		}
		return &webhookSink{to: to}, nil
	case OTLP:
		return &otlpSink{client: client(conf), url: row.Address, token: secret, now: s.Now}, nil
	}
	return nil, fmt.Errorf("there is no sink of kind %q", row.Kind)
}

// client speaks to one sink. It follows no redirect, which could lead the audit
// elsewhere, and uses no proxy from the environment.
func client(conf *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: conf, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: patience, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Try sends one record that says it is a trial, and returns a BadGateway fault with
// what the other side said when it does not take it.
func (s *Service) Try(ctx context.Context, id uuid.UUID) error {
	row, err := db.New(s.Pool).SIEMSinkGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return unknown()
	}
	if err != nil {
		return db.Fault(err)
	}
	secret, err := s.open(row)
	if err != nil {
		return err
	}
	sink, err := s.dial(row, secret)
	if err == nil {
		defer sink.Close()
		err = within(ctx, func(ctx context.Context) error {
			who := actor.From(ctx)
			trial := audit.Record{
				ID: uuid.Must(uuid.NewV7()), Chain: "trial", Seq: 1, At: s.Now().UTC().Truncate(time.Microsecond), Tenant: who.Tenant, ActorKind: string(who.Kind), ActorID: who.ID, ActorName: who.Name,
				Action: "audit.sink.trial", Object: row.ID.String(), Outcome: audit.OK, Replica: s.Replica, Detail: []byte(`{"trial":true}`), PrevHash: make([]byte, 32), Hash: make([]byte, 32),
			}
			rejected, err := sink.Send(ctx, []audit.Record{trial})
			if err == nil && rejected > 0 {
				err = errors.New("it refused the record")
			}
			if err == nil {
				err = sink.Confirm(ctx)
			}
			return err
		})
	}
	if err != nil {
		return fault.New(fault.BadGateway, "siem.refused", "The sink %s did not take a trial record: %s.", row.Name, strings.TrimSuffix(fault.Clip(err.Error(), 300), "."))
	}
	return nil
}

// origin is scheme, host and port of a URL.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Scheme + "://" + u.Host
}
