package canonical

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// meta is an event's envelope, as the core stamped it. It travels in the
// message's headers; the message itself is the data alone.
type meta struct {
	ID        string
	Type      string
	Publisher string
	Tenant    string
	Trace     string
	Classes   trait.Classes
	Subject   string // what the event is about, by the publisher; "" when it did not say
	Schema    string // digest of the schema its marks were read from; "" when there was none
	Time      time.Time
}

const (
	headID        = "Vv-Id"
	headType      = "Vv-Type"
	headPublisher = "Vv-Publisher"
	headTenant    = "Vv-Tenant"
	headTrace     = "Vv-Trace"
	headClasses   = "Vv-Classes"
	headSchema    = "Vv-Schema"
	headTime      = "Vv-Time"
	headSubject   = "Vv-Subject"
)

// order is the key within which events keep their order: what they are about, as
// far as their publisher says so, else the publisher.
func (m meta) order() string { return m.Publisher + "\x00" + m.Subject }

func (m meta) header() nats.Header {
	h := nats.Header{
		headID: {m.ID}, headType: {m.Type}, headPublisher: {m.Publisher}, headTenant: {m.Tenant}, headTrace: {m.Trace},
		headClasses: {strings.Join(m.Classes.Names(), ",")}, headSchema: {m.Schema}, headTime: {m.Time.Format(time.RFC3339Nano)},
	}
	if m.Subject != "" {
		h.Set(headSubject, m.Subject)
	}
	return h
}

// readMeta reads an envelope back. What it cannot read it takes for the most
// sensitive.
func readMeta(h nats.Header) meta {
	m := meta{
		ID: h.Get(headID), Type: h.Get(headType), Publisher: h.Get(headPublisher), Tenant: h.Get(headTenant), Trace: h.Get(headTrace), Schema: h.Get(headSchema),
		Subject: h.Get(headSubject),
	}
	m.Time, _ = time.Parse(time.RFC3339Nano, h.Get(headTime))
	if names := h.Get(headClasses); names != "" {
		for name := range strings.SplitSeq(names, ",") {
			c, ok := trait.ParseClass(name)
			if !ok {
				c = trait.PHI
			}
			m.Classes = m.Classes.With(c)
		}
	}
	return m
}

// cloudEvent is the envelope on the outside (CloudEvents 1.0, JSON format).
type cloudEvent struct {
	SpecVersion    string          `json:"specversion"`
	ID             string          `json:"id"`
	Source         string          `json:"source"` // the publishing plugin's id
	Type           string          `json:"type"`
	Subject        string          `json:"subject,omitempty"`
	Time           string          `json:"time"`
	ContentType    string          `json:"datacontenttype"`
	DataSchema     string          `json:"dataschema,omitempty"`
	TraceParent    string          `json:"traceparent,omitempty"`
	TraceID        string          `json:"traceid,omitempty"`
	Tenant         string          `json:"tenant,omitempty"`
	Classification string          `json:"classification,omitempty"`
	Redacted       string          `json:"redacted,omitempty"` // JSON Pointers of removed fields, comma-separated
	Data           json.RawMessage `json:"data"`
}

// attributes are the envelope as a receiver gets it.
func (m meta) attributes(removed []string) cloudEvent {
	e := cloudEvent{
		SpecVersion: "1.0", ID: m.ID, Source: m.Publisher, Type: m.Type, Time: m.Time.UTC().Format(time.RFC3339Nano), ContentType: "application/json",
		TraceParent: actor.Traceparent(m.Trace), TraceID: m.Trace, Tenant: m.Tenant, Classification: strings.Join(m.Classes.Names(), ","), Redacted: strings.Join(removed, ","),
	}
	if m.Schema != "" {
		e.DataSchema = schemaName(m.Type, m.Schema)
	}
	if len(removed) == 0 {
		e.Subject = m.Subject // it may name what was removed
	}
	return e
}

// outside writes an event as a receiver gets it, in the JSON format.
func (m meta) outside(data json.RawMessage, removed []string) ([]byte, error) {
	e := m.attributes(removed)
	e.Data = data
	return json.Marshal(e)
}
