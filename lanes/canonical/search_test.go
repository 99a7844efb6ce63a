package canonical_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
)

// person returns a context in which somebody with traits looks.
func person(ctx context.Context, traits ...trait.ID) context.Context {
	return actor.With(ctx, actor.Actor{Kind: actor.User, ID: "u", Tenant: actor.DefaultTenant, Traits: trait.SetOf(traits...)})
}

func TestEventsAreFound(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	began := time.Now()
	about := func(id, typ, subject, data string) {
		p := canonical.Publication{ID: id, Type: typ, Subject: subject, Data: json.RawMessage(data)}
		if _, err := w.lane.Publish(w.as(t.Context(), "hr"), p); err != nil {
			t.Fatal(err)
		}
	}
	about("a", "user.created", "ada", `{"id":"1","name":"Ada"}`)
	about("b", "plain.said", "weather", `"rain"`)
	about("c", "user.created", "", `{"id":"2"}`)
	about("d", "plain.said", "ada", `"hello"`)
	clerk := person(t.Context(), trait.EventViewer, trait.HandlesPII, trait.AuditRequired)
	viewer := person(t.Context(), trait.EventViewer)
	for _, tt := range []struct {
		name string
		who  context.Context
		q    canonical.Query
		want []string
	}{
		{"all, the newest first", viewer, canonical.Query{}, []string{"d", "c", "b", "a"}},
		{"a type", viewer, canonical.Query{Type: "plain.said"}, []string{"d", "b"}},
		{"a type in the early style", viewer, canonical.Query{Type: "UserCreated"}, []string{"c", "a"}},
		{"a pattern", viewer, canonical.Query{Type: "user.*"}, []string{"c", "a"}},
		{"a pattern of no type", viewer, canonical.Query{Type: "users.*"}, nil},
		{"an id", viewer, canonical.Query{ID: "b"}, []string{"b"}},
		{"an id of another type", viewer, canonical.Query{ID: "b", Type: "user.*"}, nil},
		{"an id that is not there", viewer, canonical.Query{ID: "z"}, nil},
		{"a publisher", viewer, canonical.Query{Source: "hr", Type: "user.*"}, []string{"c", "a"}},
		{"another publisher", viewer, canonical.Query{Source: "clerk"}, nil},
		{"a trace", viewer, canonical.Query{Trace: "0af7651916cd43dd8448eb211c80319c"}, []string{"d", "c", "b", "a"}},
		{"another trace", viewer, canonical.Query{Trace: "1af7651916cd43dd8448eb211c80319c"}, nil},
		{"a class", viewer, canonical.Query{Class: "pii"}, []string{"c", "a"}},
		{"a subject, by who sees all of its events", clerk, canonical.Query{Subject: "ada"}, []string{"d", "a"}},
		{"a subject, by who does not: it would tell what was removed", viewer, canonical.Query{Subject: "ada"}, []string{"d"}},
		{"since before them", viewer, canonical.Query{Since: began.Add(-time.Hour)}, []string{"d", "c", "b", "a"}},
		{"since after them", viewer, canonical.Query{Since: time.Now().Add(time.Hour)}, nil},
		{"until before them", viewer, canonical.Query{Until: began.Add(-time.Hour)}, nil},
		{"until after them", viewer, canonical.Query{Until: time.Now().Add(time.Hour), Most: 2}, []string{"d", "c"}},
		{"another tenant's", actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "u", Tenant: "other"}), canonical.Query{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := w.lane.Search(tt.who, tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, ids(found.Events)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := w.lane.Search(viewer, canonical.Query{Type: "user..created"}); fault.Of(err).Code != "event.type" {
		t.Errorf("a type that is none: %v", err)
	}
}

func ids(events []canonical.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

// TestASearchGoesOnWhereItEnded: pages neither repeat nor leave out anything, also
// while more is published, and also where what fits is rare.
func TestASearchGoesOnWhereItEnded(t *testing.T) {
	w := newWorld(t, canonical.Limits{Rate: 100_000})
	ctx := person(t.Context(), trait.EventViewer)
	var want []string
	for i := range 60 {
		id, typ := fmt.Sprintf("e%d", i), "plain.said"
		if i%20 == 0 {
			typ = "user.noted"
			want = append([]string{id}, want...)
		}
		if _, err := w.lane.Publish(w.as(t.Context(), "hr"), canonical.Publication{ID: id, Type: typ, Data: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	all := func(q canonical.Query) (found []string, pages int) {
		for {
			page, err := w.lane.Search(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			found, pages = append(found, ids(page.Events)...), pages+1
			if page.Next == 0 {
				return found, pages
			}
			q.Before = page.Next
			w.publish(t, "plain.said", `"meanwhile"`)
		}
	}
	if found, pages := all(canonical.Query{Type: "user.*", Most: 1}); pages != 3 || !cmp.Equal(found, want) {
		t.Errorf("found %v on %d pages, want %v on 3", found, pages, want)
	}
	if found, _ := all(canonical.Query{Most: 7}); len(found) != 62 || found[len(found)-1] != "e0" {
		t.Errorf("found %d events, the oldest %s", len(found), found[len(found)-1])
	}
}

// TestEventsAreKeptAsTheirTypeIs: what is kept for less time leaves, and nothing else does.
func TestEventsAreKeptAsTheirTypeIs(t *testing.T) {
	w := newWorld(t, canonical.Limits{Tidy: 20 * time.Millisecond, KeepTypes: map[string]time.Duration{"User.*": time.Second, "user.created": time.Hour}})
	short, long, other := w.publish(t, "user.noted", `{}`), w.publish(t, "user.created", `{"id":"1"}`), w.publish(t, "plain.said", `"hello"`)
	ctx := person(t.Context(), trait.EventViewer)
	w.until(t, "what is kept for a second is gone", func() bool {
		_, err := w.lane.Find(ctx, short.EventID)
		return fault.Is(err, fault.NotFound)
	})
	for _, kept := range []canonical.Receipt{long, other} {
		if _, err := w.lane.Find(ctx, kept.EventID); err != nil {
			t.Errorf("it is gone, too: %v", err)
		}
	}
}
