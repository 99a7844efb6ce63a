package canonical

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/vivified/vivified/core/manifest"
)

// The media types of events (CloudEvents JSON format, sections 3 and 4).
const (
	kindStructured = "application/cloudevents+json"
	kindBatch      = "application/cloudevents-batch+json"
)

// Batch writes events, each in JSON, as one JSON array.
func Batch(events [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(events, []byte{','})...), ']')
}

// Header returns the event's attributes as headers of a message whose body is the
// data alone (CloudEvents HTTP binding, section 3.1).
func (s *Sent) Header() http.Header { return s.m.attributes(s.Removed).header() }

// header writes attributes as headers.
func (e cloudEvent) header() http.Header {
	h := http.Header{"Content-Type": {e.ContentType}}
	for name, value := range map[string]string{
		"Ce-Specversion": e.SpecVersion, "Ce-Id": e.ID, "Ce-Source": e.Source, "Ce-Type": e.Type, "Ce-Subject": e.Subject, "Ce-Time": e.Time,
		"Ce-Dataschema": e.DataSchema, "Ce-Traceparent": e.TraceParent, "Ce-Traceid": e.TraceID, "Ce-Tenant": e.Tenant, "Ce-Classification": e.Classification, "Ce-Redacted": e.Redacted,
	} {
		if value != "" {
			h.Set(name, headerText(value))
		}
	}
	return h
}

// headerText writes a value so that it may stand in a header: everything but
// printable ASCII, and space, quote and percent sign, percent-encoded (CloudEvents
// HTTP binding, section 3.1.3.2).
func headerText(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// written is a webhook's request for some events, in the form its receiver takes.
type written struct {
	header http.Header
	body   []byte
}

// write puts events into the form a receiver takes; all but a batch hold one.
func write(form string, events []deed) (written, error) {
	if form == manifest.Binary {
		one := events[0]
		return written{one.it.m.attributes(one.w.removed).header(), one.w.data}, nil
	}
	bodies := make([][]byte, len(events))
	for i, one := range events {
		var err error
		if bodies[i], err = one.it.m.outside(one.w.data, one.w.removed); err != nil {
			return written{}, err
		}
	}
	if form == manifest.Batch {
		return written{http.Header{"Content-Type": {kindBatch}}, Batch(bodies)}, nil
	}
	return written{http.Header{"Content-Type": {kindStructured}}, bodies[0]}, nil
}
