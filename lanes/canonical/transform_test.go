package canonical_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/lanes/canonical"
)

// unhurried gives a transformer time on a machine that has none.
var unhurried = canonical.Limits{Transform: 20 * time.Second, MaxDeliver: 3}

// crm says users in its own form; desk, which may see personal data, hears them in
// its own, and so does board, which may not. picky's form cannot be made of all.
var shapers = []string{
	`{"id": "crm", "traits": ["handles_pii", "audit_required"], "events": {"publishes": [
		{"type": "user.moved", "schema": {"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
			"id": {"type": "string"}, "name": {"type": "string", "x-class": "pii"}}}}]},
		"transformers": [{"name": "in", "from": "Contact", "to": "UserMoved", "expression": "{id: .uid, name: (.first + \" \" + .last)} + (.more // {})"}],
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "desk", "traits": ["handles_pii", "audit_required"], "events": {"subscribes": ["user.moved"], "delivery": "webhook", "path": "/hook"},
		"transformers": [{"name": "out", "from": "user.moved", "to": "Card", "expression": "{label: \"\\(.id): \\(.name // \"nobody\")\"}"}],
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "board", "traits": ["handles_internal"], "events": {"subscribes": ["user.moved"], "delivery": "webhook", "path": "/hook"},
		"transformers": [{"name": "out", "from": "user.moved", "to": "Card", "expression": "{all: ., label: \"\\(.id): \\(.name // \"nobody\")\"}"}],
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`,
	`{"id": "picky", "traits": ["handles_pii", "audit_required"], "events": {"subscribes": ["user.moved"]},
		"transformers": [{"name": "strict", "from": "user.moved", "to": "Row", "expression": "if .id == \"bad\" then error(.name) else [.id] end"}],
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
}

// shaped is a world with the shapers in it.
func shaped(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, unhurried)
	w.disable(t, "clerk") // they hear user.* as it is published
	w.disable(t, "lurker")
	for _, text := range shapers {
		w.install(t, text)
	}
	w.until(t, "the shapers are attached", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && len(s.Waiting) >= 7
	})
	return w
}

func (w *world) move(t *testing.T, data string) (canonical.Receipt, error) {
	t.Helper()
	return w.lane.Publish(w.as(t.Context(), "crm"), canonical.Publication{Type: "user.moved", Data: json.RawMessage(data)})
}

// TestEachSpeaksItsOwnForm: the event is kept as it is declared, and mapped for
// each receiver after what it may not see is gone.
func TestEachSpeaksItsOwnForm(t *testing.T) {
	w := shaped(t)
	r, err := w.move(t, `{"uid":"7","first":"Ada","last":"Byron"}`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for len(got) < 2 {
		h := w.hook(t)
		data, _ := json.Marshal(h.event["data"])
		got[h.plugin] = string(data)
		if h.event["classification"] != "pii" {
			t.Errorf("%s is told the classes %v", h.plugin, h.event["classification"])
		}
	}
	if got["desk"] != `{"label":"7: Ada Byron"}` || got["board"] != `{"all":{"id":"7"},"label":"7: nobody"}` {
		t.Errorf("delivered %v", got)
	}
	seen, err := w.lane.Find(admin(t.Context()), r.EventID)
	if err != nil || string(seen.Data) != `{"id":"7"}` {
		t.Errorf("a person who may see no personal data sees %s (%v)", seen.Data, err)
	}
}

func TestWhatIsNotMappedIsNotPublished(t *testing.T) {
	w := shaped(t)
	for _, r := range []struct{ name, data, code string }{
		{"it fails", `{"uid":"7","first":1,"last":"Byron"}`, "event.transform"},
		{"it breaks the schema", `{"first":"Ada","last":"Byron"}`, "event.schema"},
		{"it goes beyond the schema", `{"uid":"7","first":"A","last":"B","more":{"ssn":"1"}}`, "event.schema"},
		{"it was sent in the declared form", `{"id":"7","name":"Ada Byron"}`, "event.schema"},
	} {
		t.Run(r.name, func(t *testing.T) {
			_, err := w.move(t, r.data)
			f := fault.Of(err)
			if f.Kind != fault.Unprocessable || f.Code != r.code {
				t.Errorf("answered %v (%s)", err, f.Code)
			}
			if r.code == "event.transform" && (!strings.Contains(f.Sentence, "transformer in ") || strings.Contains(f.Sentence, "Byron")) {
				t.Errorf("says %q", f.Sentence)
			}
		})
	}
	if s, err := w.lane.Stats(t.Context()); err != nil || s.Events != 0 {
		t.Errorf("%d events were kept (%v)", s.Events, err)
	}
}

// TestWhatAReceiverCannotMapIsADeadLetter: at once, with the transformer's name and
// without a word of the data; what follows is delivered.
func TestWhatAReceiverCannotMapIsADeadLetter(t *testing.T) {
	w := shaped(t)
	for _, id := range []string{"bad", "good"} {
		if _, err := w.move(t, `{"uid":"`+id+`","first":"Ada","last":"Byron"}`); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(w.as(t.Context(), "picky"))
	defer stop()
	var got []string
	err := w.lane.Listen(ctx, canonical.Listening{}, func(s *canonical.Sent) error {
		if s != nil {
			got = append(got, string(s.Data))
			stop()
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{`["good"]`}) {
		t.Errorf("heard %v (%v)", got, err)
	}
	if l := w.letters(t, 1)[0]; l.Plugin != "picky" || l.Attempts != 1 || l.Reason != "transformer strict failed on this data" {
		t.Errorf("noted as %+v", l)
	}
	w.until(t, "the failure is recorded", func() bool { return len(w.journal.of(policy.EventDeliver, audit.Failed)) == 1 })
	row, _ := json.Marshal(w.journal.of(policy.EventDeliver, audit.Failed)[0])
	if strings.Contains(string(row), "Ada") || !strings.Contains(string(row), "transformer strict") {
		t.Errorf("recorded as %s", row)
	}
}

func TestAWebhookIsNotTriedAgainWithWhatCannotBeMapped(t *testing.T) {
	w := shaped(t)
	w.disable(t, "board")
	w.disable(t, "desk")
	w.install(t, strings.NewReplacer(`"picky"`, `"choosy"`, `"subscribes": ["user.moved"]`, `"subscribes": ["user.*"], "delivery": "webhook", "path": "/hook"`, `"from": "user.moved"`, `"from": "user.*"`).Replace(shapers[3]))
	for _, id := range []string{"bad", "good"} {
		if _, err := w.move(t, `{"uid":"`+id+`","first":"Ada","last":"Byron"}`); err != nil {
			t.Fatal(err)
		}
	}
	if l := w.letters(t, 1)[0]; l.Plugin != "choosy" || l.Attempts != 1 {
		t.Errorf("noted as %+v", l)
	}
	w.answer("choosy", http.StatusOK)
	if h := w.hook(t); h.plugin != "choosy" || len(h.event["data"].([]any)) != 1 {
		t.Errorf("%s got %v", h.plugin, h.event)
	}
}

func TestATransformerIsTried(t *testing.T) {
	w := shaped(t)
	elsewhere := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "x", Tenant: "other"})
	for _, r := range []struct {
		name       string
		ctx        context.Context
		trial      canonical.Trial
		want, code string
	}{
		{"a person", admin(t.Context()), canonical.Trial{Plugin: "desk", Transformer: "out", Data: json.RawMessage(`{"id":"7"}`)}, `{"label":"7: nobody"}`, ""},
		{"the plugin", w.as(t.Context(), "crm"), canonical.Trial{Transformer: "in", Data: json.RawMessage(`{"uid":"7","first":"A","last":"B"}`)}, `{"id":"7","name":"A B"}`, ""},
		{"against the schema", w.as(t.Context(), "crm"), canonical.Trial{Transformer: "in", Data: json.RawMessage(`{"first":"A","last":"B"}`)}, "", "event.schema"},
		{"what fails", admin(t.Context()), canonical.Trial{Plugin: "picky", Transformer: "strict", Data: json.RawMessage(`7`)}, "", "event.transform"},
		{"another plugin", w.as(t.Context(), "crm"), canonical.Trial{Plugin: "desk", Transformer: "out", Data: json.RawMessage(`{}`)}, "", "identity.mismatch"},
		{"another tenant", elsewhere, canonical.Trial{Plugin: "desk", Transformer: "out", Data: json.RawMessage(`{}`)}, "", "plugin.unknown"},
		{"no such transformer", admin(t.Context()), canonical.Trial{Plugin: "desk", Transformer: "in", Data: json.RawMessage(`{}`)}, "", "event.transformer"},
	} {
		t.Run(r.name, func(t *testing.T) {
			got, err := w.lane.Try(r.ctx, r.trial)
			if r.code != "" {
				if code := fault.Of(err).Code; code != r.code {
					t.Errorf("answered %s (%v)", got, err)
				}
			} else if err != nil || string(got) != r.want {
				t.Errorf("gave %s (%v), not %s", got, err, r.want)
			}
		})
	}
}
