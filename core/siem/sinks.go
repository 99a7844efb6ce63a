package siem

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// maxSinks bounds the sinks of a tenant: each reads the whole audit.
const maxSinks = 20

func sinkOf(row db.SiemSink) Sink {
	s := Sink{
		ID: row.ID, Name: row.Name, Kind: Kind(row.Kind), Address: row.Address, CA: row.Ca, Certificate: row.Certificate, Enabled: row.Enabled, Version: row.Version,
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, Sent: row.Sent, Rejected: row.Rejected, Missed: row.Missed, SentAt: row.SentAt, Failing: row.Failing, LastError: row.LastError,
	}
	if row.Sealed != nil {
		s.SecretSet = row.SecretAt
	}
	return s
}

// aad binds a sealed secret to its sink.
func aad(id uuid.UUID) []byte { return append([]byte("siem sink "), id[:]...) }

func unknown() error {
	return fault.New(fault.NotFound, "siem.unknown", "There is no such sink; it may have been removed.")
}

// Sinks returns the sinks of the actor's tenant by name, with how far each lags.
func (s *Service) Sinks(ctx context.Context) ([]Sink, error) {
	rows, err := db.New(s.Pool).SIEMSinkList(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	sinks := make([]Sink, len(rows))
	for i, row := range rows {
		if sinks[i], err = s.fares(ctx, row); err != nil {
			return nil, db.Fault(err)
		}
	}
	return sinks, nil
}

// Sink returns one sink, or a NotFound fault.
func (s *Service) Sink(ctx context.Context, id uuid.UUID) (Sink, error) {
	row, err := db.New(s.Pool).SIEMSinkGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Sink{}, unknown()
	}
	if err != nil {
		return Sink{}, db.Fault(err)
	}
	one, err := s.fares(ctx, row)
	return one, db.Fault(err)
}

// fares adds how far a sink lags.
func (s *Service) fares(ctx context.Context, row db.SiemSink) (Sink, error) {
	one := sinkOf(row)
	if !one.Enabled {
		return one, nil
	}
	at, err := place(ctx, db.New(s.Pool), row.ID)
	if err != nil {
		return one, err
	}
	one.Behind, one.Oldest, err = s.Store.Behind(ctx, at)
	return one, err
}

func place(ctx context.Context, q *db.Queries, id uuid.UUID) (audit.Place, error) {
	rows, err := q.SIEMPlaces(ctx, id)
	if err != nil {
		return nil, err
	}
	at := audit.Place{}
	for _, r := range rows {
		at[r.Chain] = r.Seq
	}
	return at, nil
}

// Add adds a sink. It returns an Unprocessable fault that lists what is wrong with
// it, or a Conflict fault when the name is taken or there are too many.
func (s *Service) Add(ctx context.Context, in Spec) (Sink, error) {
	in.trim()
	secret := ""
	if in.Secret != nil {
		secret = *in.Secret
	}
	if err := in.check(secret); err != nil {
		return Sink{}, err
	}
	id, who := uuid.Must(uuid.NewV7()), actor.From(ctx)
	p := db.SIEMSinkInsertParams{
		ID: id, TenantID: who.Tenant, Name: in.Name, Kind: string(in.Kind), Address: in.Address, Ca: in.CA, Certificate: in.Certificate,
		Enabled: in.Enabled, CreatedBy: string(who.Kind) + ":" + who.ID, At: s.Now(),
	}
	if err := s.seal(id, secret, &p.Sealed); err != nil {
		return Sink{}, err
	}
	if p.Sealed != nil {
		p.SecretAt = &p.At
	}
	heads, err := s.Store.Heads(ctx)
	if err != nil {
		return Sink{}, err
	}
	var added Sink
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		there, err := q.SIEMSinkList(ctx, who.Tenant)
		if err != nil {
			return err
		}
		if len(there) >= maxSinks {
			return fault.New(fault.Conflict, "siem.too_many", "There are %d sinks already; remove one first.", maxSinks)
		}
		row, err := q.SIEMSinkInsert(ctx, p)
		if err != nil {
			return taken(err)
		}
		if !in.FromStart {
			for _, h := range heads {
				if err := q.SIEMPlacePut(ctx, db.SIEMPlacePutParams{Sink: id, Chain: h.Chain, Seq: h.Seq}); err != nil {
					return err
				}
			}
		}
		added = sinkOf(row)
		return audit.Append(ctx, q, audit.Entry{Action: "audit.sink.add", Object: id.String(), Outcome: audit.OK, After: described(row)})
	})
	return added, err
}

// Change changes a sink whose version the caller saw. It returns a Conflict fault
// when somebody else changed it meanwhile.
func (s *Service) Change(ctx context.Context, id uuid.UUID, version int64, in Spec) (Sink, error) {
	in.trim()
	var changed Sink
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		was, err := q.SIEMSinkLock(ctx, actor.From(ctx).Tenant, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return unknown()
		}
		if err != nil {
			return err
		}
		if was.Version != version {
			return fault.New(fault.Conflict, "siem.changed", "Somebody else changed this sink meanwhile; look again.")
		}
		in.Kind = Kind(was.Kind)
		p := db.SIEMSinkUpdateParams{
			ID: id, Name: in.Name, Address: in.Address, Ca: in.CA, Certificate: in.Certificate, Sealed: was.Sealed, SecretAt: was.SecretAt, Enabled: in.Enabled, At: s.Now(),
		}
		var secret string
		if in.Secret == nil {
			// A secret that is kept must not be sent to another host than it was meant for.
			if was.Sealed != nil && !sameHost(in.Kind, was.Address, in.Address) {
				f := fault.New(fault.Unprocessable, "siem.secret", "The secret is asked for again when the sink moves to another server.")
				f.Violations = []fault.Violation{{Rule: f.Code, Path: "/secret", Message: f.Sentence, Fix: "Type it again."}}
				return f
			}
			if secret, err = s.open(was); err != nil {
				return err
			}
		} else {
			secret, p.Sealed, p.SecretAt = *in.Secret, nil, nil
			if err := s.seal(id, secret, &p.Sealed); err != nil {
				return err
			}
			if p.Sealed != nil {
				p.SecretAt = &p.At
			}
		}
		if err := in.check(secret); err != nil {
			return err
		}
		row, err := q.SIEMSinkUpdate(ctx, p)
		if err != nil {
			return taken(err)
		}
		changed = sinkOf(row)
		return audit.Append(ctx, q, audit.Entry{Action: "audit.sink.change", Object: id.String(), Outcome: audit.OK, Before: described(was), After: described(row)})
	})
	return changed, err
}

// Remove removes a sink; nothing is sent to it from then on.
func (s *Service) Remove(ctx context.Context, id uuid.UUID) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.SIEMSinkDelete(ctx, actor.From(ctx).Tenant, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return unknown()
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "audit.sink.remove", Object: id.String(), Outcome: audit.OK, Before: described(row)})
	})
}

func (s *Spec) trim() {
	for _, text := range []*string{&s.Name, &s.Address, &s.CA, &s.Certificate} {
		*text = strings.TrimSpace(*text)
	}
	if s.Secret != nil {
		t := strings.TrimSpace(*s.Secret)
		s.Secret = &t
	}
}

func (s *Service) seal(id uuid.UUID, secret string, to *[]byte) (err error) {
	if secret != "" {
		*to, err = s.Sealer.Seal([]byte(secret), aad(id))
	}
	return err
}

func (s *Service) open(row db.SiemSink) (string, error) {
	if row.Sealed == nil {
		return "", nil
	}
	plain, err := s.Sealer.Open(row.Sealed, aad(row.ID))
	return string(plain), err
}

// sameHost reports whether two addresses of a kind lead to one server.
func sameHost(kind Kind, a, b string) bool {
	if kind == Syslog {
		return a == b
	}
	return origin(a) == origin(b)
}

// described is a sink as the audit keeps it: of what is long or secret only the hash or
// that it is there.
func described(row db.SiemSink) json.RawMessage {
	hash := func(text string) string {
		if text == "" {
			return ""
		}
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	raw, _ := json.Marshal(map[string]any{ // text, booleans and times always marshal
		"name": row.Name, "kind": row.Kind, "address": row.Address, "ca": hash(row.Ca), "certificate": hash(row.Certificate),
		"secret": row.Sealed != nil, "secret_at": row.SecretAt, "enabled": row.Enabled, "version": row.Version,
	})
	return raw
}

// taken translates a name that another sink has.
func taken(err error) error {
	if db.Violates(err, "siem_sinks_tenant_id_name_key") {
		return fault.New(fault.Conflict, "siem.name_taken", "There is a sink of that name already; choose another.")
	}
	return err
}
