package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
)

// ChangeChain is the chain of changes, written inside the changing transactions.
const ChangeChain = "change"

// LaneChain returns the name of the chain of a replica's decisions.
func LaneChain(replica string) string { return "lane/" + replica }

// Record is one row of the audit. Absent text is "".
type Record struct {
	ID           uuid.UUID
	Call         uuid.UUID // joins a decision and its outcome; zero: NULL
	Chain        string
	Seq          int64     // from 1
	At           time.Time // UTC, whole microseconds
	Tenant       string
	ActorKind    string
	ActorID      string
	ActorName    string // at that time
	OnBehalfID   string
	OnBehalfName string
	Credential   string   // kind:identifier
	Plugin       string   // the acting plugin, else the plugin acted upon
	ObjectPlugin string   // the plugin acted upon
	Receivers    []string // the plugins an event was decided for; nil: NULL
	Action       string
	Object       string
	Outcome      Outcome
	Rule         string
	Classes      []string
	Trace        string
	Address      string
	Replica      string
	Detail       json.RawMessage
	Before       json.RawMessage // nil: NULL
	After        json.RawMessage // nil: NULL
	PrevHash     []byte          // 32 bytes
	Hash         []byte          // 32 bytes
}

// The most that is kept of each part of an Entry, in bytes of UTF-8. A name
// beyond its limit is cut and ends in "…"; a JSON value beyond its limit, or
// nested deeper than 64, is replaced by its size and SHA-256.
const (
	maxName   = 256
	maxObject = 2000 // an index entry must not exceed 2,704
	maxDetail = 1 << 20
	maxState  = 1 << 20
)

// record returns e as a row without place, replica, time and hash, in the form in which
// it will be read back.
func record(ctx context.Context, e Entry) Record {
	who := actor.From(ctx)
	r := Record{
		ID:         e.ID,
		Call:       e.Call,
		Tenant:     clip(who.Tenant, maxName),
		ActorKind:  clip(string(who.Kind), maxName),
		ActorID:    clip(who.ID, maxName),
		ActorName:  clip(who.Name, maxName),
		Plugin:     clip(e.Plugin, maxName),
		Action:     clip(e.Action, maxName),
		Object:     clip(e.Object, maxObject),
		Outcome:    e.Outcome,
		Rule:       clip(e.Rule, maxName),
		Classes:    e.Classes.Names(),
		Trace:      clip(actor.Trace(ctx), maxName),
		Address:    clip(actor.Address(ctx), maxName),
		Detail:     detail(e.Detail),
		Before:     side(e.Before),
		After:      side(e.After),
		Credential: credential(who.Credential),
	}
	if r.ID == uuid.Nil {
		r.ID = uuid.Must(uuid.NewV7())
	}
	if r.Tenant == "" {
		r.Tenant = actor.DefaultTenant
	}
	if r.Trace == "" && e.Call != uuid.Nil {
		// Work that began without a trace: decision and outcome are found together by this one.
		r.Trace = strings.ReplaceAll(e.Call.String(), "-", "")
	}
	if who.OnBehalf != nil {
		r.OnBehalfID, r.OnBehalfName = clip(who.OnBehalf.ID, maxName), clip(who.OnBehalf.Name, maxName)
	}
	r.ObjectPlugin = clip(objectPlugin(e, who), maxName)
	for _, p := range e.Receivers {
		r.Receivers = append(r.Receivers, clip(p, maxName))
	}
	if who.Kind == actor.Plugin {
		r.Plugin = r.ActorID
	} else if r.Plugin == "" {
		r.Plugin = r.ObjectPlugin
	}
	return r
}

// objectPlugin returns the plugin e acts upon, or "".
func objectPlugin(e Entry, who actor.Actor) string {
	switch {
	case e.Target != "":
		return e.Target
	case who.Kind != actor.Plugin:
		return e.Plugin
	case e.Plugin != "" && e.Plugin != who.ID:
		return e.Plugin
	case strings.HasPrefix(e.Action, "operator."):
		plugin, _, _ := strings.Cut(e.Object, "/")
		return plugin
	}
	return ""
}

func credential(c actor.Credential) string {
	if c.Kind == "" {
		return ""
	}
	return clip(c.Kind+":"+c.ID, maxName)
}

// detail returns v as canonical JSON, never empty.
func detail(v any) json.RawMessage {
	if v == nil {
		return json.RawMessage("{}")
	}
	if c, ok := v.(Canonical); ok && len(c) <= maxDetail {
		return json.RawMessage(c)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		// A record that says so is worth more than none.
		raw, _ = json.Marshal(map[string]string{"unreadable": err.Error()})
	}
	if c := keep(raw, maxDetail); c != nil {
		return c
	}
	return json.RawMessage("{}")
}

// side returns the state before or after a change as canonical JSON; nil when there was none.
func side(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return keep(raw, maxState)
}

// keep returns raw in canonical form, nil for null, and a substitute for what
// is no JSON, too deep or too large.
func keep(raw []byte, limit int) json.RawMessage {
	c, err := canonical(raw)
	if err == nil && len(c) <= limit {
		if bytes.Equal(c, []byte("null")) {
			return nil
		}
		return c
	}
	why := "too large"
	if err != nil {
		why = err.Error()
	}
	sum := sha256.Sum256(raw)
	c = append(c[:0:0], `{"bytes":`...)
	c = strconv.AppendInt(c, int64(len(raw)), 10)
	c = append(c, `,"left_out":`...)
	c = appendString(c, why)
	c = append(c, `,"sha256":"`...)
	c = base64.StdEncoding.AppendEncode(c, sum[:])
	return append(c, `"}`...)
}

// seal gives r its place, time and hash after the row before it. r comes from
// record, so its JSON is JSON.
func (r *Record) seal(d *digester, chain string, seq int64, at time.Time, prev []byte) {
	r.Chain, r.Seq, r.At, r.PrevHash = chain, seq, at, prev
	sum, _ := d.sum(r)
	r.Hash = sum[:]
}

// Digest computes the hash that r should have, from its other columns. An error
// means that a JSON column is not JSON.
func (r *Record) Digest() ([]byte, error) {
	d := digester{text: make([]byte, 0, 1024+len(r.Detail)+len(r.Before)+len(r.After))}
	sum, err := d.sum(r)
	if err != nil {
		return nil, err
	}
	return sum[:], nil
}

// digester computes the hashes of many records in the same memory.
type digester struct {
	scanner scanner
	text    []byte
}

func (d *digester) sum(r *Record) (sum [hashSize]byte, err error) {
	d.text, err = r.appendColumns(&d.scanner, append(d.text[:0], r.PrevHash...), false)
	if err != nil {
		return sum, err
	}
	return sha256.Sum256(d.text), nil
}
