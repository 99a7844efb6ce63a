package canonical

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// Publication is one event as a publisher hands it in.
type Publication struct {
	ID      string // the publisher's; empty: the core makes one
	Type    string // normalised
	Data    json.RawMessage
	Classes trait.Classes // as the publisher labels it; never lower than what is declared
	Subject string        // what it is about; events of one subject keep their order
	Source  string        // the plugin the body claims; must agree with the credential
	Refused error         // why this item of a batch cannot be read; the others can
}

// maxBatch is how many events one request may bring.
const maxBatch = 100

// ReadPublications reads the body of a publish request: the JSON forms of the
// contract, early ones included, and CloudEvents 1.0 in structured, binary and
// batch mode. The error is a fault: Invalid, or Unprocessable for an unknown label.
// In a batch it stands with the item that has it.
func ReadPublications(h http.Header, body []byte) ([]Publication, error) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind = "application/json"
	}
	switch {
	case !utf8.Valid(body):
		return nil, malformed("An event is JSON in UTF-8.")
	case h.Get("Ce-Specversion") != "":
		p, err := readBinary(h, kind, body)
		return []Publication{p}, err
	case kind == "application/cloudevents-batch+json":
		var items []json.RawMessage
		if json.Unmarshal(body, &items) != nil {
			return nil, malformed("A batch is a JSON array of CloudEvents.")
		}
		if len(items) == 0 || len(items) > maxBatch {
			return nil, malformed("A batch holds 1 to 100 events.")
		}
		all := make([]Publication, 0, len(items))
		for _, item := range items {
			p, err := readStructured(item)
			p.Refused = err
			all = append(all, p)
		}
		return all, nil
	case kind == "application/cloudevents+json":
		p, err := readStructured(body)
		return []Publication{p}, err
	}
	var probe struct {
		SpecVersion string `json:"specversion"`
	}
	if json.Unmarshal(body, &probe) == nil && probe.SpecVersion != "" {
		p, err := readStructured(body)
		return []Publication{p}, err
	}
	p, err := readPlain(body)
	return []Publication{p}, err
}

// NewPublication checks an event that came in parts. The error is a fault, as of
// [ReadPublications].
func NewPublication(id, typ, subject string, data json.RawMessage, classes []string) (Publication, error) {
	if !utf8.Valid(data) {
		return Publication{}, malformed("An event is JSON in UTF-8.")
	}
	p := Publication{ID: id, Subject: subject, Data: data}
	return p, p.complete(typ, classes)
}

func malformed(sentence string) *fault.Fault {
	return fault.New(fault.Invalid, "event.malformed", "%s", sentence)
}

// readPlain reads {event_type, payload or data, …}.
func readPlain(body []byte) (Publication, error) {
	var in struct {
		ID         string          `json:"id"`
		EventID    string          `json:"event_id"`
		Type       string          `json:"event_type"`
		Subject    string          `json:"subject"`
		Payload    json.RawMessage `json:"payload"`
		Data       json.RawMessage `json:"data"`
		Source     string          `json:"source_plugin"`
		PluginID   string          `json:"plugin_id"`
		DataTraits []string        `json:"data_traits"`
		Metadata   struct {
			Classification json.RawMessage `json:"classification"`
		} `json:"metadata"`
		Classification json.RawMessage `json:"classification"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Publication{}, malformed("An event is a JSON object with event_type and payload (or data).").Because(err)
	}
	p := Publication{ID: in.ID + in.EventID, Data: in.Payload, Subject: in.Subject, Source: in.Source}
	if p.Source == "" {
		p.Source = in.PluginID
	} else if in.PluginID != "" && in.PluginID != p.Source {
		return Publication{}, fault.New(fault.Denied, "identity.mismatch", "The body names two sources.")
	}
	if in.ID != "" && in.EventID != "" {
		return Publication{}, malformed("An event has either id or event_id.")
	}
	if p.Data == nil {
		p.Data = in.Data
	}
	labels := in.DataTraits
	for _, raw := range []json.RawMessage{in.Metadata.Classification, in.Classification} {
		more, err := readLabels(raw)
		if err != nil {
			return Publication{}, err
		}
		labels = append(labels, more...)
	}
	return p, p.complete(in.Type, labels)
}

// readStructured reads a CloudEvent as one JSON object.
func readStructured(body []byte) (Publication, error) {
	var in struct {
		SpecVersion    string          `json:"specversion"`
		ID             string          `json:"id"`
		Source         string          `json:"source"`
		Type           string          `json:"type"`
		Subject        string          `json:"subject"`
		ContentType    string          `json:"datacontenttype"`
		Data           json.RawMessage `json:"data"`
		Base64         *string         `json:"data_base64"`
		Classification json.RawMessage `json:"classification"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Publication{}, malformed("A CloudEvent is a JSON object.").Because(err)
	}
	if in.SpecVersion != "1.0" || in.ID == "" || in.Source == "" || in.Type == "" {
		return Publication{}, malformed("A CloudEvent 1.0 has specversion, id, source and type.")
	}
	if in.Base64 != nil || in.ContentType != "" && !isJSON(in.ContentType) {
		return Publication{}, malformed("The data of an event is JSON; put anything else into storage and publish its id.")
	}
	labels, err := readLabels(in.Classification)
	if err != nil {
		return Publication{}, err
	}
	p := Publication{ID: in.ID, Data: in.Data, Subject: in.Subject}
	return p, p.complete(in.Type, labels)
}

// readBinary reads a CloudEvent whose attributes are headers (HTTP binding, section 3.1).
func readBinary(h http.Header, kind string, body []byte) (Publication, error) {
	if h.Get("Ce-Specversion") != "1.0" || h.Get("Ce-Id") == "" || h.Get("Ce-Source") == "" || h.Get("Ce-Type") == "" {
		return Publication{}, malformed("A CloudEvent 1.0 has specversion, id, source and type.")
	}
	if !isJSON(kind) {
		return Publication{}, malformed("The data of an event is JSON; put anything else into storage and publish its id.")
	}
	var labels []string
	if c := h.Get("Ce-Classification"); c != "" {
		labels = strings.Split(c, ",")
	}
	subject, err := url.PathUnescape(h.Get("Ce-Subject")) // HTTP binding, section 3.1.3.2
	if err != nil {
		return Publication{}, malformed("The header Ce-Subject is not percent-encoded as CloudEvents demand.")
	}
	p := Publication{ID: h.Get("Ce-Id"), Data: body, Subject: subject}
	return p, p.complete(h.Get("Ce-Type"), labels)
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// readLabels reads one label or a list of them.
func readLabels(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return strings.Split(one, ","), nil
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many, nil
	}
	return nil, malformed("classification is a class, or a list of classes.")
}

// How long a publisher's own id, and a subject, may be, in bytes.
const (
	maxID      = 128
	maxSubject = 256
)

// complete checks and fills in what all forms share.
func (p *Publication) complete(typ string, labels []string) error {
	var ok bool
	if p.Type, ok = manifest.NormalizeEventType(typ); !ok {
		return fault.New(fault.Invalid, "event.type", "%.64q is not an event type; write it like user.created.", typ)
	}
	if len(p.ID) > maxID || strings.ContainsFunc(p.ID, func(c rune) bool { return c <= ' ' || c == 0x7f || c > 0x7e }) {
		return fault.New(fault.Invalid, "event.id", "An event id is at most 128 printable ASCII characters without spaces.")
	}
	if len(p.Subject) > maxSubject || strings.ContainsFunc(p.Subject, unicode.IsControl) || !utf8.ValidString(p.Subject) {
		return fault.New(fault.Invalid, "event.subject", "A subject is at most 256 bytes of text without control characters.")
	}
	if p.Data = bytes.TrimSpace(p.Data); len(p.Data) == 0 {
		p.Data = json.RawMessage("null")
	}
	if !json.Valid(p.Data) {
		return malformed("The event's data is not JSON.")
	}
	for _, label := range labels {
		c, ok := trait.ClassOf(strings.TrimSpace(label))
		if !ok {
			return fault.New(fault.Unprocessable, "event.classification", "%.64q is neither a class nor a data trait.", label)
		}
		p.Classes = p.Classes.With(c)
	}
	return nil
}
