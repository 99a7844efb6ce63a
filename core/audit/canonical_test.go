package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db/dbtest"
)

// digest returns the hash of a record whose detail is that.
func digest(t testing.TB, detail string) []byte {
	t.Helper()
	r := audit.Record{Detail: json.RawMessage(detail)}
	sum, err := r.Digest()
	if err != nil {
		t.Fatalf("%q: %v", detail, err)
	}
	return sum
}

// Two spellings of one value have one hash; two values never have.
func TestTheHashIsOfTheValue(t *testing.T) {
	for _, c := range []struct{ one, other string }{
		{`{"b":1,"a":2}`, "{ \"a\" : 2 ,\n\"b\":\t1 }"},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`"\u00e4\u20AC\ud83d\ude00\/"`, `"ä€😀/"`},
		{`"\b\f\n\r\t\u001b"`, `"\u0008\u000c\u000a\u000d\u0009\u001B"`},
		{`[1.0,1e0,10E-1,-0,-0.0,0e5]`, `[1,1,1,0,0,0]`},
		{`[1e21,100000000000000000000,0.000001,1e-7]`, `[1.0e+21,1e20,1e-6,0.0000001]`},
		{`"\ud800"`, `"\ufffd"`},
		{`"\u0000"`, `"\ufffd"`},
		{`9007199254740993`, `"9007199254740993"`},
		{`1e400`, `"1e400"`},
	} {
		if !bytes.Equal(digest(t, c.one), digest(t, c.other)) {
			t.Errorf("%s and %s are one value with two hashes", c.one, c.other)
		}
	}
	for _, c := range []struct{ one, other string }{
		{`1`, `"1"`}, {`0.1`, `0.10000000000000002`}, {`9007199254740992`, `9007199254740993`},
		{`{"a":null}`, `{}`}, {`[]`, `{}`}, {`""`, `null`}, {`["a,b"]`, `["a","b"]`},
		{`12`, `12.00000000000000000001`},
	} {
		if bytes.Equal(digest(t, c.one), digest(t, c.other)) {
			t.Errorf("%s and %s are two values with one hash", c.one, c.other)
		}
	}
}

func TestWhatIsNoJSONHasNoHash(t *testing.T) {
	for _, text := range []string{"", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", ".5", "1e", "+1", "--1", "tru", "nulll", "'a'", "\"a", "\"\n\"", `"\x"`, `"\u12"`, "[1] 2", strings.Repeat("[", 100) + strings.Repeat("]", 100), "NaN"} {
		r := audit.Record{Detail: json.RawMessage(text)}
		if text == "" {
			r.Detail = json.RawMessage{}
		}
		if _, err := r.Digest(); err == nil {
			t.Errorf("%q has a hash", text)
		}
	}
}

// recompute is the package comment's recipe, written a second time with an
// independent implementation of RFC 8785.
func recompute(t testing.TB, line []byte) []byte {
	t.Helper()
	var columns map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&columns); err != nil {
		t.Fatal(err)
	}
	prev, err := base64.StdEncoding.DecodeString(columns["prev_hash"].(string))
	if err != nil {
		t.Fatal(err)
	}
	delete(columns, "prev_hash")
	delete(columns, "hash")
	plain, err := json.Marshal(columns)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(prev, canonical...))
	return sum[:]
}

func TestAnybodyCanRecomputeAnExport(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	lines := strings.Split(strings.TrimSpace(export(t, d, "default", audit.Filter{})), "\n")
	for _, line := range lines[:len(lines)-1] {
		var r struct{ Hash []byte }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(recompute(t, []byte(line)), r.Hash) {
			t.Errorf("another hash for %s", line)
		}
	}
	if len(lines) != 18 {
		t.Errorf("%d lines, want 17 records and a manifest", len(lines))
	}
}

// FuzzCanonical compares with an independent implementation of RFC 8785.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-0,1e21,1e-7,123456789012345680000],"\u20ac":"\r","1":{"f":{"F":5}},"":"empty"}`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew","1":"One","\ud83d\ude00":"Emoji","\u0080":"Control","\u00f6":"o"}`,
		`[56,{"d":true,"10":null,"1":[]}]`, `"\"\\\/\b\f\n\r\t"`, `[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]`, `{"a":1,"a":2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := audit.Record{At: time.Unix(0, 0), Detail: json.RawMessage(text)}
		line, err := r.MarshalJSON()
		if (err == nil) != json.Valid([]byte(text)) && utf8.ValidString(text) && strings.Count(text, "[")+strings.Count(text, "{") <= 64 {
			t.Fatalf("%q: %v, though valid is %v", text, err, json.Valid([]byte(text)))
		}
		if err != nil {
			return
		}
		if !json.Valid(line) {
			t.Fatalf("%q becomes %q, which is no JSON", text, line)
		}
		var back audit.Record
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%q becomes %q, which cannot be read: %v", text, line, err)
		}
		one, _ := r.Digest()
		two, err := back.Digest()
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%q has another hash after its way through an export", text)
		}
		if !bytes.Equal(one, recompute(t, line)) {
			t.Errorf("%q has another hash when it is computed with another implementation: %s", text, line)
		}
	})
}

// FuzzRoundTrip: whatever is recorded reads back from the database to the hash
// it was written with, by both ways in.
func FuzzRoundTrip(f *testing.F) {
	d := dbtest.New(f)
	w := start(f, d.Pool, audit.WriterConfig{})
	s := audit.NewStore(d.Pool)
	for _, seed := range []string{
		"plain", hostile, "\x00\xff\xfe\xed\xa0\x80", strings.Repeat("é", 3000), `{"a":1e400,"b":[1.10,-0,123456789012345678901234567890],"\u0000":"\ud83d","c":{"c":1,"c":2}}`,
		"null", "[1e-320,1.7976931348623157e308,5e-324,0.1,1e22]", "\"\u2028\"", strings.Repeat("[", 200) + strings.Repeat("]", 200), `{"bb":1,"a":2,"ccc":3}`,
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, raw string) {
		id := uuid.Must(uuid.NewV7())
		e := audit.Entry{ID: id, Plugin: text, Action: text, Object: text, Outcome: audit.Deny, Rule: text, Detail: map[string]any{text: text}, Before: []byte(raw), After: []byte(raw), Receivers: []string{text, raw}}
		if json.Valid([]byte(raw)) {
			e.Detail = json.RawMessage(raw)
		}
		decide(t, as(t, text), w, e)
		change(t, as(t, text), d.Pool, e)
		p, err := s.Search(reader(t, "default"), audit.Filter{Limit: 2})
		if err != nil || len(p.Records) != 2 {
			t.Fatalf("%d records, %v", len(p.Records), err)
		}
		for _, r := range p.Records {
			if r.ID != id {
				t.Fatalf("the newest record is %s, want %s", r.ID, id)
			}
			sum, err := r.Digest()
			if err != nil || !bytes.Equal(sum, r.Hash) {
				t.Errorf("%q, %q: another hash after reading back from %s: %v\n%s", text, raw, r.Chain, err, r.Detail)
			}
		}
		for name, q := range map[string]audit.Filter{
			"object": {Object: p.Records[0].Object}, "rule": {Rule: p.Records[0].Rule}, "plugin": {Plugin: p.Records[0].Plugin},
			"receiver": {Plugin: p.Records[0].Receivers[0]}, "actor": {Actor: p.Records[0].ActorID},
		} {
			q.Limit = 2
			found, err := s.Search(reader(t, "default"), q)
			if fault.Is(err, fault.Invalid) {
				continue // longer than a filter may be
			}
			if err != nil || len(found.Records) != 2 || found.Records[0].ID != id || found.Records[1].ID != id {
				t.Errorf("by its own %s %q the record is not found: %d others, %v", name, text, len(found.Records), err)
			}
		}
	})
}

func ExampleRecord_Digest() {
	r := audit.Record{
		ID: uuid.MustParse("019aa111-2222-7333-8444-555566667777"), Chain: "change", Seq: 1,
		At: time.Date(2026, 11, 20, 13, 45, 6, 120_000, time.UTC), Tenant: "default",
		ActorKind: "user", ActorID: "u-1", ActorName: "Ada", Action: "plugin.enable", Object: "greeter", Outcome: audit.OK,
		Detail: json.RawMessage(`{"reason": "tested"}`), PrevHash: make([]byte, 32),
	}
	sum, _ := r.Digest()
	fmt.Printf("%x\n", sum)
	// Output: a044993a1e4144bca4518628b867cb6e5adbf88cb48a49d512d2cabc04403ba5
}
