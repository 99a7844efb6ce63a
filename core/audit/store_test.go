package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

// reader returns a context in which somebody of a tenant reads.
func reader(t testing.TB, tenant string) context.Context {
	return actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "reader", Name: "Reader", Tenant: tenant})
}

// objects returns the objects of records, as a filter test tells them apart.
func objects(records []audit.Record) []string {
	names := []string{}
	for _, r := range records {
		names = append(names, r.Object)
	}
	return names
}

// TestEachFilter searches a small audit by every field and some together.
func TestEachFilter(t *testing.T) {
	d := dbtest.New(t)
	exec(t, d, "INSERT INTO users (id, email, name) VALUES ('019aa000-0000-7000-8000-000000000001', 'Ada@Example.org', 'Ada Lovelace')")
	w := start(t, d.Pool, audit.WriterConfig{})
	ada := actor.Actor{Kind: actor.User, ID: "019aa000-0000-7000-8000-000000000001", Name: "Ada Lovelace", Tenant: "default"}
	greeter := actor.Actor{Kind: actor.Plugin, ID: "greeter", Name: "Greeter", Tenant: "default"}
	forAda := greeter
	forAda.OnBehalf = &ada
	trace := strings.Repeat("ab", 16)
	id := uuid.Must(uuid.NewV7())

	// One object each, so that a result reads as a list of letters.
	for _, r := range []struct {
		who actor.Actor
		e   audit.Entry
	}{
		{ada, audit.Entry{Object: "A", Action: "plugin.enable", Plugin: "publisher", Outcome: audit.Allow}},
		{greeter, audit.Entry{Object: "publisher/B", Action: "operator.call", Outcome: audit.Allow, Rule: "operator.grant", Call: id}},
		{greeter, audit.Entry{Object: "publisher/B", Action: "operator.call", Outcome: audit.OK, Rule: "operator.grant", Call: id}},
		{forAda, audit.Entry{Object: "example.com/C", Action: "proxy.request", Outcome: audit.Deny, Rule: "proxy.domain",
			Detail: map[string]any{"reasons": []map[string]string{{"sentence": "The host example.com is not in the manifest's domains."}}}}},
		{greeter, audit.Entry{Object: "D", Action: "event.deliver", Plugin: "greeter", Outcome: audit.Allow,
			Classes: trait.ClassesOf(trait.PII), Receivers: []string{"publisher", "lurker"}}},
		{ada, audit.Entry{Object: "read", Action: "audit.read", Outcome: audit.OK}},
		{greeter, audit.Entry{Object: "E*_.x", Action: "operator.call", Target: "lurker", Outcome: audit.Failed, Rule: "it's \\ odd"}},
	} {
		ctx := actor.WithAddress(actor.With(t.Context(), r.who), "192.0.2.9")
		if r.e.Object == "example.com/C" {
			ctx = actor.WithTrace(ctx, trace)
		}
		if r.e.Object == "D" {
			ctx = actor.WithAddress(ctx, "2001:db8::1")
		}
		decide(t, ctx, w, r.e)
	}
	change(t, actor.With(t.Context(), ada), d.Pool, audit.Entry{Object: "F", Action: "settings.set", Outcome: audit.OK, Detail: map[string]string{"reason": "RÄUMT auf"}})

	long := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		f    audit.Filter
		want string
	}{
		"nothing":                           {audit.Filter{}, "F E*_.x read D example.com/C publisher/B publisher/B A"},
		"actor by id":                       {audit.Filter{Actor: ada.ID}, "F read example.com/C A"},
		"actor by e-mail":                   {audit.Filter{Actor: "ada@example.ORG"}, "F read example.com/C A"},
		"actor by name":                     {audit.Filter{Actor: "ada lovelace"}, "F read example.com/C A"},
		"actor is a plugin":                 {audit.Filter{Actor: "greeter"}, "E*_.x D example.com/C publisher/B publisher/B"},
		"actor unknown":                     {audit.Filter{Actor: "nobody"}, ""},
		"plugin that acts":                  {audit.Filter{Plugin: "greeter"}, "E*_.x D example.com/C publisher/B publisher/B"},
		"plugin acted upon or receiving":    {audit.Filter{Plugin: "publisher"}, "D publisher/B publisher/B A"},
		"plugin named as target":            {audit.Filter{Plugin: "lurker"}, "E*_.x D"},
		"actor and plugin":                  {audit.Filter{Actor: ada.ID, Plugin: "greeter"}, "example.com/C"},
		"action":                            {audit.Filter{Action: "operator.call"}, "E*_.x publisher/B publisher/B"},
		"action by prefix":                  {audit.Filter{Action: "p*"}, "example.com/C A"},
		"action by group":                   {audit.Filter{Action: "plugin.*"}, "A"},
		"object":                            {audit.Filter{Object: "publisher/B"}, "publisher/B"},
		"object of what needed no decision": {audit.Filter{Object: "read"}, "read"},
		"object in another case":            {audit.Filter{Object: "Publisher/b"}, ""},
		"object by half a word":             {audit.Filter{Object: "example.co*"}, "example.com/C"},
		"object cut short":                  {audit.Filter{Object: "example.co"}, ""},
		"object without words":              {audit.Filter{Object: "/"}, ""},
		"object odd":                        {audit.Filter{Object: "E*_.x"}, "E*_.x"},
		"object by prefix":                  {audit.Filter{Object: "example.com/*"}, "example.com/C"},
		"outcome":                           {audit.Filter{Outcome: audit.Deny}, "example.com/C"},
		"outcome ok":                        {audit.Filter{Outcome: audit.OK}, "F read publisher/B"},
		"class":                             {audit.Filter{Class: "pii"}, "D"},
		"class nobody touched":              {audit.Filter{Class: "phi"}, ""},
		"rule":                              {audit.Filter{Rule: "operator.grant"}, "publisher/B"},
		"rule with quotes":                  {audit.Filter{Rule: "it's \\ odd"}, "E*_.x"},
		"trace":                             {audit.Filter{Trace: trace}, "example.com/C"},
		"address":                           {audit.Filter{Address: "2001:db8::1"}, "D"},
		"words of an object":                {audit.Filter{Text: "publisher", Since: long}, "publisher/B A"},
		"beginning of a word":               {audit.Filter{Text: "publ", Since: long}, "publisher/B A"},
		"words of a reason":                 {audit.Filter{Text: "not in Manifest's", Since: long}, "example.com/C"},
		"words beyond ASCII":                {audit.Filter{Text: "rÄum", Since: long}, "F"},
		"words, all of them":                {audit.Filter{Text: "greeter zebra", Since: long}, ""},
		"words that look like query syntax": {audit.Filter{Text: "' | !a & c:*", Since: long}, ""},
		"since":                             {audit.Filter{Since: time.Now().Add(time.Hour)}, ""},
		"until":                             {audit.Filter{Until: long}, ""},
		"several": {audit.Filter{Plugin: "greeter", Action: "proxy.*", Outcome: audit.Deny, Rule: "proxy.domain",
			Address: "192.0.2.9", Text: "example com", Since: long, Until: time.Now().Add(time.Hour)}, "example.com/C"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := audit.NewStore(d.Pool).Search(reader(t, "default"), c.f)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, strings.Join(objects(p.Records), " "), c.want)
			exported := export(t, d, "default", c.f)
			if n := strings.Count(exported, "\n") - 1; n != len(p.Records) {
				t.Errorf("the export of the same filter has %d records, the search %d", n, len(p.Records))
			}
		})
	}
}

// Whatever is asked, nobody reads the records of another tenant.
func TestNobodyReadsAnotherTenant(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	trace := strings.Repeat("cd", 16)
	var ids []uuid.UUID
	for _, tenant := range []string{"red", "blue"} {
		who := actor.Actor{Kind: actor.Plugin, ID: "p", Name: "P", Tenant: tenant, OnBehalf: &actor.Actor{ID: "u", Name: "U"}}
		e := call()
		e.Receivers, e.Classes = []string{"r"}, trait.ClassesOf(trait.PII)
		ids = append(ids, e.ID)
		decide(t, actor.WithAddress(actor.WithTrace(actor.With(t.Context(), who), trace), "192.0.2.1"), w, e)
	}
	s, red := audit.NewStore(d.Pool), reader(t, "red")
	_, from, err := s.Tail(red, audit.Filter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-time.Hour)
	for name, f := range map[string]audit.Filter{
		"nothing": {}, "actor": {Actor: "p"}, "on behalf": {Actor: "u"}, "plugin": {Plugin: "p"}, "object plugin": {Plugin: "b"},
		"receiver": {Plugin: "r"}, "action": {Action: "operator.*"}, "object": {Object: "b/get"}, "outcome": {Outcome: audit.Allow},
		"class": {Class: "pii"}, "rule": {Rule: "operator.grant"}, "trace": {Trace: trace}, "address": {Address: "192.0.2.1"},
		"text": {Text: "get", Since: since}, "since": {Since: since},
		"all": {Actor: "p", Plugin: "b", Action: "operator.call", Object: "b/get", Outcome: audit.Allow, Class: "pii", Rule: "operator.grant",
			Trace: trace, Address: "192.0.2.1", Text: "get", Since: since},
	} {
		p, err := s.Search(red, f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(p.Records) != 1 || p.Records[0].Tenant != "red" {
			t.Errorf("by %s a reader of red sees %d records, want the one of red", name, len(p.Records))
		}
		if strings.Contains(export(t, d, "red", f), `"tenant_id":"blue"`) {
			t.Errorf("the export by %s holds a record of blue", name)
		}
		if p, err := s.Search(reader(t, ""), f); err != nil || len(p.Records) != 0 {
			t.Errorf("by %s a reader of no tenant sees %d records, %v", name, len(p.Records), err)
		}
	}
	if _, err := s.ByID(red, ids[1]); !fault.Is(err, fault.NotFound) {
		t.Errorf("a record of blue by its id: %v, want NotFound", err)
	}
	if _, err := s.Get(red, "lane/one", 2); !fault.Is(err, fault.NotFound) {
		t.Errorf("a record of blue by its place: %v, want NotFound", err)
	}
	if r, err := s.Get(red, "lane/one", 1); err != nil || r.ID != ids[0] {
		t.Errorf("a record of red by its place: %v, %v", r.ID, err)
	}
	decide(t, actor.With(t.Context(), actor.Actor{Kind: actor.System, ID: "x", Tenant: "blue"}), w, call())
	if records, _, err := s.Tail(red, audit.Filter{}, from); err != nil || len(records) != 0 {
		t.Errorf("following as red shows %d records of blue, %v", len(records), err)
	}
}

func TestPagesHoldEachRecordOnce(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	for i := range 103 {
		w.Later(as(t, number("p", i%3)), audit.Entry{Action: "a.b", Object: number("o", i), Outcome: audit.Allow, Receivers: []string{"p0000"}})
	}
	w.stop()
	for name, f := range map[string]audit.Filter{"all": {Limit: 10}, "one plugin, in two ways": {Plugin: "p0000", Limit: 10}, "words": {Text: "p0001", Since: time.Now().Add(-time.Hour), Limit: 7}} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			var last time.Time
			pages := 0
			for {
				p, err := audit.NewStore(d.Pool).Search(reader(t, "default"), f)
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, r := range p.Records {
					if seen[r.Object] {
						t.Errorf("%s is listed twice", r.Object)
					}
					if seen[r.Object] = true; !last.IsZero() && r.At.After(last) {
						t.Errorf("%s is newer than the record before it", r.Object)
					}
					last = r.At
				}
				if p.Next == "" {
					break
				}
				f.Cursor = p.Next
			}
			want := map[string]int{"all": 103, "one plugin, in two ways": 103, "words": 34}[name]
			if len(seen) != want || pages != (want+f.Limit-1)/f.Limit {
				t.Errorf("%d records on %d pages, want %d on %d", len(seen), pages, want, (want+f.Limit-1)/f.Limit)
			}
		})
	}
}

func TestRefusedFilters(t *testing.T) {
	s := audit.NewStore(nil) // refused before the database is asked
	for field, f := range map[string]audit.Filter{
		"/actor":   {Actor: strings.Repeat("x", 300)},
		"/plugin":  {Plugin: "a\x00"},
		"/object":  {Object: "\xff"},
		"/action":  {Action: "a b"},
		"/outcome": {Outcome: "maybe"},
		"/class":   {Class: "secret"},
		"/q":       {Text: "--", Since: time.Now()},
		"/since":   {Text: "word"},
		"/until":   {Since: time.Now(), Until: time.Now().Add(-time.Hour)},
		"/cursor":  {Cursor: "AAAA"},
	} {
		_, err := s.Search(t.Context(), f)
		got := fault.Of(err)
		if got.Kind != fault.Invalid || got.Code != "audit.filter" || !slices.ContainsFunc(got.Violations, func(v fault.Violation) bool { return v.Path == field }) {
			t.Errorf("%s: got %v %+v, want Invalid and a violation of %s", field, err, got.Violations, field)
		}
	}
}

func TestADecisionIsReadBackWithItsOutcome(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	traced := actor.WithTrace(as(t, "a"), strings.Repeat("ef", 16))
	for name, ctx := range map[string]context.Context{"with a trace": traced, "without a trace": as(t, "a")} {
		e, other := call(), call()
		decide(t, ctx, w, e, other)
		end := outcome(e, audit.Failed)
		end.ID = uuid.Must(uuid.NewV7())
		decide(t, ctx, w, end)
		for _, id := range []uuid.UUID{e.ID, end.ID} {
			got, err := audit.NewStore(d.Pool).ByID(reader(t, "default"), id)
			if err != nil || len(got) != 2 || got[0].ID != e.ID || got[1].ID != end.ID {
				t.Errorf("%s: got %d records, %v; want the decision and its outcome", name, len(got), err)
			}
		}
	}
	for _, id := range []uuid.UUID{uuid.Must(uuid.NewV7()), uuid.New(), uuid.Nil} {
		if _, err := audit.NewStore(d.Pool).ByID(reader(t, "default"), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", id, err)
		}
	}
}

func TestFollowing(t *testing.T) {
	d := dbtest.New(t)
	s, ctx := audit.NewStore(d.Pool), reader(t, "default")
	one := start(t, d.Pool, audit.WriterConfig{Replica: "one"})
	decide(t, as(t, "a"), one, call())
	got, at, err := s.Tail(ctx, audit.Filter{}, "")
	if err != nil || len(got) != 0 || at == "" {
		t.Fatalf("from nowhere: %d records, %q, %v; want none and a place", len(got), at, err)
	}
	two := start(t, d.Pool, audit.WriterConfig{Replica: "two"}) // a chain nobody has seen
	for i, w := range []running{one, two, one} {
		e := call()
		e.Object = number("b/", i)
		decide(t, as(t, number("p", i)), w, e)
	}
	change(t, as(t, "p0000"), d.Pool, audit.Entry{Action: "x", Object: "changed", Outcome: audit.OK})
	got, next, err := s.Tail(ctx, audit.Filter{}, at)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, objects(got), []string{"b/0000", "b/0001", "b/0002", "changed"})
	if got, again, err := s.Tail(ctx, audit.Filter{}, next); err != nil || len(got) != 0 || again != next {
		t.Errorf("nothing new: %d records, %v", len(got), err)
	}
	got, _, err = s.Tail(ctx, audit.Filter{Plugin: "p0000"}, at)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, objects(got), []string{"b/0000", "changed"})
	got, _, err = s.Tail(ctx, audit.Filter{Limit: 1}, at)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, objects(got), []string{"changed"})
	if _, _, err := s.Tail(ctx, audit.Filter{}, "x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("from a place that is none: %v, want Invalid", err)
	}
}

// A cursor is read back as it was written, or refused.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AQAGQ_Yo0Z8AAZqgAAAAAHAAgAAAAAAAAQ")
	f.Add("AQAGQ_Yo0Z8AAZqgAAAAAHAAgAAAAAAAAQ==")
	f.Fuzz(func(t *testing.T, text string) {
		err := (&audit.Filter{Cursor: text}).Check()
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want Invalid", text, err)
		}
		if err == nil && text != "" && len(text) != 34 {
			t.Errorf("%q is taken for a cursor", text)
		}
	})
}

// Whatever is searched for, the database understands the query.
func FuzzSearch(f *testing.F) {
	d := dbtest.New(f)
	w := start(f, d.Pool, audit.WriterConfig{})
	decide(f, as(f, "a"), w, call())
	s := audit.NewStore(d.Pool)
	for _, seed := range []string{"a", "a'b\\", "* :* & | ! <->", "%_", "ÄÖÜ ß", "\u2028", "$1", "a:*", "' OR true --", "İI", "\U0010FFFF"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		q := audit.Filter{Text: text, Object: name, Rule: name, Plugin: name, Actor: name, Address: text, Trace: name, Since: time.Now().Add(-time.Hour)}
		if _, err := s.Search(reader(t, "default"), q); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	})
}

func ExampleFilter_String() {
	f := audit.Filter{Plugin: "hello-greeter", Outcome: audit.Deny, Text: "two words"}
	fmt.Println(f.String())
	// Output: outcome=deny&plugin=hello-greeter&q=two+words
}

// The search for words runs along its index: the two must spell their
// expression alike, which only the planner can tell.
func TestWordsAreLookedUpInTheirIndex(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	for i := range 5000 {
		w.Later(as(t, "a"), audit.Entry{Action: "a.b", Object: number("o", i), Outcome: audit.Allow})
	}
	w.stop()
	exec(t, d, "ANALYZE audit_log")
	pool, err := pgxpool.NewWithConfig(t.Context(), d.Pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]audit.Filter{
		"words": {Text: "o0815", Since: time.Now().Add(-time.Hour)}, "object": {Object: "o0815"}, "beginning of an object": {Object: "o081*"},
		"rule": {Rule: "none"}, "address": {Address: "none"}, "class": {Class: "phi"},
	} {
		if _, err := audit.NewStore(pool).Search(reader(t, "default"), f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	pool.Close() // a session reports its statistics when it ends
	eventually(t, "all six searches have used the index", func() bool {
		return count(t, d, `SELECT COALESCE(sum(idx_scan), 0)::int FROM pg_stat_user_indexes s JOIN pg_indexes i ON i.indexname = s.indexrelname
			WHERE i.indexdef LIKE '%array_to_tsvector%' AND i.tablename = $1`, "audit_log_"+time.Now().UTC().Format("200601")) >= 6
	})
}
