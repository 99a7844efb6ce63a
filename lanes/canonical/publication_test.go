package canonical_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
)

func TestReadPublications(t *testing.T) {
	const plain, event, batch = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"
	for _, tt := range []struct {
		name, kind, body string
		header           map[string]string
		want             canonical.Publication
		n                int
		code             string
	}{
		{name: "the contract's form", kind: plain, body: `{"event_type":"user.created","payload":{"a":1},"source_plugin":"hr","data_traits":["contains_pii"]}`,
			want: canonical.Publication{Type: "user.created", Data: []byte(`{"a":1}`), Source: "hr", Classes: trait.ClassesOf(trait.PII)}},
		{name: "data and metadata", kind: plain, body: `{"event_type":"user.created","data":{"a":1},"metadata":{"classification":"phi"}}`,
			want: canonical.Publication{Type: "user.created", Data: []byte(`{"a":1}`), Classes: trait.ClassesOf(trait.PHI)}},
		{name: "labels add up", kind: plain, body: `{"event_type":"a.b","data":1,"data_traits":["handles_pii"],"metadata":{"classification":["internal","phi"]}}`,
			want: canonical.Publication{Type: "a.b", Data: []byte(`1`), Classes: trait.ClassesOf(trait.PII, trait.Internal, trait.PHI)}},
		{name: "the early style of names", kind: plain, body: `{"event_type":"UserCreated","payload":null}`, want: canonical.Publication{Type: "user.created", Data: []byte(`null`)}},
		{name: "no data at all", kind: plain, body: `{"event_type":"a.b"}`, want: canonical.Publication{Type: "a.b", Data: []byte(`null`)}},
		{name: "an id of its own", kind: plain, body: `{"event_type":"a.b","id":"x-1"}`, want: canonical.Publication{ID: "x-1", Type: "a.b", Data: []byte(`null`)}},
		{name: "a structured CloudEvent", kind: event, body: `{"specversion":"1.0","id":"1","source":"/x","type":"a.b","data":{"c":1}}`,
			want: canonical.Publication{ID: "1", Type: "a.b", Data: []byte(`{"c":1}`)}},
		{name: "a CloudEvent by its members", kind: plain, body: `{"specversion":"1.0","id":"1","source":"/x","type":"a.b"}`, want: canonical.Publication{ID: "1", Type: "a.b", Data: []byte(`null`)}},
		{name: "a binary CloudEvent", kind: plain, body: `{"c":1}`, header: map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/x", "Ce-Type": "a.b", "Ce-Classification": "pii"},
			want: canonical.Publication{ID: "1", Type: "a.b", Data: []byte(`{"c":1}`), Classes: trait.ClassesOf(trait.PII)}},
		{name: "a batch", kind: batch, n: 2, body: `[{"specversion":"1.0","id":"1","source":"/x","type":"a.b"},{"specversion":"1.0","id":"2","source":"/x","type":"a.b"}]`,
			want: canonical.Publication{ID: "1", Type: "a.b", Data: []byte(`null`)}},

		{name: "no JSON", kind: plain, body: `{`, code: "event.malformed"},
		{name: "no type", kind: plain, body: `{"payload":1}`, code: "event.type"},
		{name: "a type with a wildcard", kind: plain, body: `{"event_type":"user.*"}`, code: "event.type"},
		{name: "a type with a subject's separator", kind: plain, body: `{"event_type":"user.>"}`, code: "event.type"},
		{name: "an unknown label", kind: plain, body: `{"event_type":"a.b","data_traits":["top_secret"]}`, code: "event.classification"},
		{name: "two ids", kind: plain, body: `{"event_type":"a.b","id":"1","event_id":"2"}`, code: "event.malformed"},
		{name: "an id with a line break", kind: plain, body: `{"event_type":"a.b","id":"1\n2"}`, code: "event.id"},
		{name: "an id too long", kind: plain, body: `{"event_type":"a.b","id":"` + strings.Repeat("x", 129) + `"}`, code: "event.id"},
		{name: "another CloudEvents version", kind: event, body: `{"specversion":"0.3","id":"1","source":"/x","type":"a.b"}`, code: "event.malformed"},
		{name: "binary data", kind: event, body: `{"specversion":"1.0","id":"1","source":"/x","type":"a.b","data_base64":"AA=="}`, code: "event.malformed"},
		{name: "an empty batch", kind: batch, body: `[]`, code: "event.malformed"},
		{name: "a batch too long", kind: batch, body: "[" + strings.Repeat("{},", 100) + "{}]", code: "event.malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Content-Type": {tt.kind}}
			for k, v := range tt.header {
				h.Set(k, v)
			}
			got, err := canonical.ReadPublications(h, []byte(tt.body))
			if tt.code != "" {
				if f := fault.Of(err); f.Code != tt.code {
					t.Fatalf("answered %v, want %s", err, tt.code)
				}
				return
			}
			if err != nil || len(got) != max(tt.n, 1) {
				t.Fatalf("got %d events, %v", len(got), err)
			}
			g := got[0]
			if g.ID != tt.want.ID || g.Type != tt.want.Type || string(g.Data) != string(tt.want.Data) || g.Classes != tt.want.Classes || g.Source != tt.want.Source {
				t.Errorf("got  %+v\nwant %+v", g, tt.want)
			}
		})
	}
}

func FuzzReadPublications(f *testing.F) {
	f.Add("application/json", []byte(`{"event_type":"UserCreated","payload":{}}`))
	f.Add("application/cloudevents-batch+json", []byte(`[{"specversion":"1.0","id":"1","source":"/x","type":"a.b"}]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		got, err := canonical.ReadPublications(http.Header{"Content-Type": {kind}}, body)
		if err != nil {
			if fault.Of(err).Kind == fault.Internal {
				t.Fatalf("bad input is our failure: %v", err)
			}
			return
		}
		for _, p := range got {
			if p.Type == "" || strings.ContainsAny(p.Type, "*> \n") || len(p.Data) == 0 {
				t.Fatalf("accepted %+v", p)
			}
		}
	})
}
