package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db/dbtest"
)

// key signs and is known.
type key struct{ private ed25519.PrivateKey }

func newKey() key { return key{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))} }

func (k key) Sign(message []byte) (string, []byte, error) {
	return "k1", ed25519.Sign(k.private, message), nil
}

func (k key) keys(kid string) (ed25519.PublicKey, bool) {
	return k.private.Public().(ed25519.PublicKey), kid == "k1"
}

// export returns the JSONL export of a tenant's records.
func export(t testing.TB, d *dbtest.DB, tenant string, f audit.Filter) string {
	t.Helper()
	var b strings.Builder
	if err := audit.NewStore(d.Pool).Export(reader(t, tenant), f, audit.JSONL, newKey(), &b); err != nil {
		t.Fatalf("export: %v", err)
	}
	return b.String()
}

// verifyExport returns the report on an export.
func verifyExport(t testing.TB, text string) audit.Report {
	t.Helper()
	r, err := audit.VerifyExport(strings.NewReader(text), audit.VerifyConfig{Keys: newKey().keys})
	if err != nil {
		t.Fatalf("verify the export: %v", err)
	}
	return r
}

// hostile is text that would break a line, move a cursor, turn text around or
// pass for a formula.
const hostile = "=a\r\nb\x1b[2Jc\u2028d\u2029e\u202ef\u0085g\u009bh\x7fi\x00j\ufeffk\U000e0001\t\"\\<>&"

// fill makes an audit of two chains: twelve decisions and five changes.
func fill(t testing.TB, d *dbtest.DB) {
	t.Helper()
	w := start(t, d.Pool, audit.WriterConfig{})
	for i := range 12 {
		e := call()
		e.Object = number("b/", i)
		decide(t, as(t, number("p", i%2)), w, e)
		if i%3 == 0 {
			change(t, as(t, "p0000"), d.Pool, audit.Entry{Action: "settings.set", Object: hostile, Outcome: audit.OK,
				Before: json.RawMessage(`{"b":1.50,"a":"` + "\u2028" + `"}`), After: json.RawMessage(`null`), Detail: map[string]string{hostile: hostile}})
		}
	}
	change(t, as(t, "p0001"), d.Pool, audit.Entry{Action: "settings.set", Object: "last", Outcome: audit.OK})
	w.stop()
}

func TestAnExportVerifies(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	for name, f := range map[string]audit.Filter{"whole": {}, "selected": {Plugin: "p0001"}, "empty": {Plugin: "nobody"}} {
		r := verifyExport(t, export(t, d, "default", f))
		want := map[string]int64{"whole": 17, "selected": 7, "empty": 0}[name]
		if !r.OK || !r.Signed || r.Rows != want {
			t.Errorf("%s: %+v (first bad: %+v), want %d rows, signed and in order", name, r, r.Bad, want)
		}
	}
}

// Every byte counts: flip one bit anywhere, and the export does not verify.
func TestOneChangedByteOfAnExport(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	decide(t, as(t, "p0001"), w, call())
	change(t, as(t, "p0000"), d.Pool, audit.Entry{Action: "settings.set", Object: hostile, Outcome: audit.OK})
	for name, f := range map[string]audit.Filter{"whole": {}, "selected": {Plugin: "p0001"}} {
		text := export(t, d, "default", f)
		for i := range len(text) {
			b := []byte(text)
			b[i] ^= 1
			r, err := audit.VerifyExport(bytes.NewReader(b), audit.VerifyConfig{Keys: newKey().keys})
			// The name of the signing key is not signed; another name is another, unknown key.
			if err != nil || r.OK && r.Signed {
				t.Fatalf("%s: byte %d of %q changed: %v, %+v", name, i, around(text, i), err, r)
			}
			if r.OK && !strings.Contains(around(text, i), "kid") {
				t.Fatalf("%s: byte %d of %q changed, and it verifies, though not as signed", name, i, around(text, i))
			}
		}
	}
}

func around(text string, i int) string { return text[max(0, i-20):min(len(text), i+20)] }

// Each way of tampering with an export names the first bad record.
func TestTamperingWithAnExportIsNamed(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	whole := strings.SplitAfter(export(t, d, "default", audit.Filter{}), "\n")
	whole = whole[:len(whole)-1]
	place := regexp.MustCompile(`"chain":"([^"]*)".*"seq":(\d+)`)
	at := func(chain, seq string) int { // the line of a record
		for i, line := range whole {
			if m := place.FindStringSubmatch(line); m != nil && m[1] == chain && m[2] == seq {
				return i
			}
		}
		t.Fatalf("no record %s of %s", seq, chain)
		return 0
	}
	lane := func(seq string) int { return at("lane/one", seq) }
	without := func(i int) []string { return append(append([]string{}, whole[:i]...), whole[i+1:]...) }
	swap := func(i, j int) []string {
		s := append([]string{}, whole...)
		s[i], s[j] = s[j], s[i]
		return s
	}
	edit := func(i int, old, new string) []string {
		s := append([]string{}, whole...)
		if s[i] = strings.Replace(s[i], old, new, 1); s[i] == whole[i] {
			t.Fatalf("%q is not in %s", old, whole[i])
		}
		return s
	}
	insert := func(i int, line string) []string {
		return append(append(append([]string{}, whole[:i]...), line), whole[i:]...)
	}
	for name, c := range map[string]struct {
		lines []string
		chain string
		seq   int64
		code  audit.BadCode
	}{
		"edited":                   {edit(lane("5"), "b/0004", "b/0044"), "lane/one", 5, audit.BadEdited},
		"edited number":            {edit(lane("5"), `"seq":5`, `"seq":6`), "lane/one", 5, audit.BadMissing},
		"no JSON any more":         {edit(lane("5"), `"rule"`, `rule"`), "lane/one", 5, audit.BadEdited},
		"a member more":            {edit(lane("5"), `{"action"`, `{"a":1,"action"`), "lane/one", 5, audit.BadEdited},
		"a member twice":           {edit(lane("5"), `{"action"`, `{"action":"x","action"`), "lane/one", 5, audit.BadEdited},
		"white space":              {edit(lane("5"), `{"action"`, `{ "action"`), "lane/one", 5, audit.BadEdited},
		"deleted":                  {without(lane("7")), "lane/one", 7, audit.BadMissing},
		"first deleted":            {without(lane("1")), "lane/one", 1, audit.BadMissing},
		"last deleted":             {without(lane("12")), "lane/one", 12, audit.BadMissing},
		"last of the other":        {without(at("change", "5")), "change", 5, audit.BadMissing},
		"swapped":                  {swap(lane("8"), lane("9")), "lane/one", 8, audit.BadMissing},
		"inserted a copy":          {insert(lane("4"), whole[lane("2")]), "lane/one", 2, audit.BadInserted},
		"cut off before the end":   {whole[:lane("9")], "lane/one", 9, audit.BadExport},
		"manifest of another":      {append(append([]string{}, whole[:len(whole)-1]...), strings.Replace(whole[len(whole)-1], `"count":17`, `"count":18`, 1)), "", 0, audit.BadSignature},
		"something after manifest": {append(append([]string{}, whole...), whole[0]), "", 0, audit.BadExport},
	} {
		t.Run(name, func(t *testing.T) {
			r := verifyExport(t, strings.Join(c.lines, ""))
			if r.OK || r.Bad == nil {
				t.Fatalf("it verifies: %+v", r)
			}
			if r.Bad.Chain != c.chain || r.Bad.Seq != c.seq || r.Bad.Code != c.code {
				t.Errorf("the first bad record is %+v, want %d of %q, %s", *r.Bad, c.seq, c.chain, c.code)
			}
		})
	}
}

// One line per record, whatever is in it, in both formats.
func TestExportsKeepOneLinePerRecord(t *testing.T) {
	d := dbtest.New(t)
	ctx := actor.WithAddress(actor.WithTrace(actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: hostile, Name: hostile, Tenant: "default"}), hostile), hostile)
	change(t, ctx, d.Pool, audit.Entry{Action: hostile, Object: hostile, Rule: hostile, Outcome: audit.Deny, Detail: map[string]any{hostile: []string{hostile}}, Before: []byte(`"` + "\u2028" + `"`)})
	odd := regexp.MustCompile(`[^\n -~\x{a0}-\x{10ffff}]|[\x{85}\x{9b}\x{2028}\x{2029}\x{202e}\x{feff}\x{e0001}]`)
	for _, format := range []audit.Format{audit.JSONL, audit.CSV} {
		var b strings.Builder
		if err := audit.NewStore(d.Pool).Export(reader(t, "default"), audit.Filter{}, format, nil, &b); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "\n"); n != 2 {
			t.Errorf("%s: %d lines, want 2:\n%s", format, n, b.String())
		}
		if m := odd.FindString(b.String()); m != "" {
			t.Errorf("%s holds %q as it is", format, m)
		}
		switch format {
		case audit.JSONL:
			if r := verifyExport(t, b.String()); !r.OK || r.Signed {
				t.Errorf("%+v, want an export in order and not signed", r)
			}
		case audit.CSV:
			rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
			if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			if object := rows[1][7]; !strings.HasPrefix(object, `'=a\u000d\u000ab\u001b[2J`) {
				t.Errorf("the object is %q, want it escaped and no formula", object)
			}
		}
	}
}

// A record marshals to the line of an export and back.
func TestRecordAsJSON(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	p, err := audit.NewStore(d.Pool).Search(reader(t, "default"), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Records {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back audit.Record
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		digest, err := back.Digest()
		if err != nil || !bytes.Equal(digest, r.Hash) {
			t.Errorf("record %d of %s has another hash after its way through JSON: %v", r.Seq, r.Chain, err)
		}
	}
}

func TestExportsThatCannotBe(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	s := audit.NewStore(d.Pool)
	if err := s.Export(reader(t, "default"), audit.Filter{}, "xml", nil, io.Discard); !fault.Is(err, fault.Invalid) {
		t.Errorf("as xml: %v, want Invalid", err)
	}
	if err := s.Export(reader(t, "default"), audit.Filter{Class: "x"}, audit.CSV, nil, io.Discard); !fault.Is(err, fault.Invalid) {
		t.Errorf("of a class that is none: %v, want Invalid", err)
	}
	full := errors.New("disk full")
	if err := s.Export(reader(t, "default"), audit.Filter{}, audit.JSONL, nil, failing{full}); !errors.Is(err, full) {
		t.Errorf("to a full disk: %v", err)
	}
	ctx, cancel := context.WithCancel(reader(t, "default"))
	cancel()
	if err := s.Export(ctx, audit.Filter{}, audit.JSONL, nil, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("for somebody who left: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzVerifyExport: no export makes the verifier fail, and none verifies but
// the ones that were written.
func FuzzVerifyExport(f *testing.F) {
	d := dbtest.New(f)
	fill(f, d)
	_, private, err := ed25519.GenerateKey(nil) // each fuzzing process writes an export of its own
	if err != nil {
		f.Fatal(err)
	}
	k := key{private}
	var b strings.Builder
	if err := audit.NewStore(d.Pool).Export(reader(f, "default"), audit.Filter{}, audit.JSONL, k, &b); err != nil {
		f.Fatal(err)
	}
	good := b.String()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add("")
	f.Add(`{"manifest":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := audit.VerifyExport(strings.NewReader(text), audit.VerifyConfig{Keys: k.keys})
		if err == nil && r.OK && r.Signed && text != good {
			t.Errorf("verified and signed: %q", text)
		}
	})
}
