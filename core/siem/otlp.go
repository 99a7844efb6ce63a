package siem

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/vivified/vivified/core/audit"
)

// otlpSink posts log records as OTLP/HTTP in JSON (OpenTelemetry protocol 1.0,
// opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest).
type otlpSink struct {
	client *http.Client
	url    string
	token  string
	now    func() time.Time
}

// attribute is a KeyValue whose value is text.
type attribute struct {
	Key   string    `json:"key"`
	Value textValue `json:"value"`
}

type textValue struct {
	Text string `json:"stringValue"`
}

type logRecord struct {
	Time       string      `json:"timeUnixNano"`
	Observed   string      `json:"observedTimeUnixNano"`
	Severity   int         `json:"severityNumber"`
	Word       string      `json:"severityText"`
	Event      string      `json:"eventName"`
	Body       textValue   `json:"body"`
	Attributes []attribute `json:"attributes"`
	Trace      string      `json:"traceId,omitempty"`
}

// levels of the OpenTelemetry log data model, "SeverityNumber".
var levels = map[audit.Outcome]struct {
	number int
	word   string
}{
	audit.Failed: {17, "ERROR"}, audit.Unknown: {17, "ERROR"}, audit.Deny: {13, "WARN"}, audit.OK: {9, "INFO"}, audit.Allow: {9, "INFO"},
}

// Send implements audit.Sink. A collector may refuse some records for good.
func (s *otlpSink) Send(ctx context.Context, records []audit.Record) (int, error) {
	out, seen := make([]logRecord, len(records)), strconv.FormatInt(s.now().UnixNano(), 10)
	for i := range records {
		r := &records[i]
		text, err := r.MarshalJSON()
		if err != nil {
			return 0, err
		}
		l := levels[r.Outcome]
		out[i] = logRecord{Time: strconv.FormatInt(r.At.UnixNano(), 10), Observed: seen, Severity: l.number, Word: l.word, Event: r.Action, Body: textValue{string(text)}}
		if len(r.Trace) == 32 {
			out[i].Trace = r.Trace
		}
		for _, a := range [...]attribute{
			{"log.record.uid", textValue{r.ID.String()}}, {"vivified.chain", textValue{r.Chain}}, {"vivified.seq", textValue{strconv.FormatInt(r.Seq, 10)}}, {"vivified.tenant", textValue{r.Tenant}},
			{"vivified.actor.kind", textValue{r.ActorKind}}, {"vivified.actor.id", textValue{r.ActorID}}, {"vivified.plugin", textValue{r.Plugin}}, {"vivified.object", textValue{r.Object}},
			{"vivified.outcome", textValue{string(r.Outcome)}}, {"vivified.rule", textValue{r.Rule}}, {"client.address", textValue{r.Address}},
		} {
			if a.Value.Text != "" {
				out[i].Attributes = append(out[i].Attributes, a)
			}
		}
	}
	body, err := json.Marshal(map[string]any{"resourceLogs": []any{map[string]any{
		"resource":  map[string]any{"attributes": []attribute{{"service.name", textValue{"vivified"}}}},
		"scopeLogs": []any{map[string]any{"scope": map[string]any{"name": "vivified.audit"}, "logRecords": out}},
	}}})
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := exchange(s.client, r)
	if err != nil {
		return 0, err
	}
	var said struct {
		Partial struct {
			Rejected json.Number `json:"rejectedLogRecords"` // an int64, which JSON of protocol buffers writes as a string
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return 0, nil // an empty answer, or one in another encoding: all was taken
	}
	n, _ := strconv.Atoi(said.Partial.Rejected.String())
	return min(max(n, 0), len(records)), nil
}

// Confirm implements audit.Sink: each answer did.
func (s *otlpSink) Confirm(context.Context) error { return nil }

// Close implements audit.Sink.
func (s *otlpSink) Close() { s.client.CloseIdleConnections() }
