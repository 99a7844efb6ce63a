package jq_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/jq"
)

var roomy = jq.Limits{Time: 20 * time.Second, Size: 1 << 20}

func TestRun(t *testing.T) {
	for _, r := range []struct{ name, program, doc, want string }{
		{"identity", `.`, `{"a":1}`, `{"a":1}`},
		{"rename", `{id: .uid, name: (.first + " " + .last)}`, `{"uid":"7","first":"Ada","last":"Byron"}`, `{"id":"7","name":"Ada Byron"}`},
		{"map", `{names: [.people[] | select(.age >= 18) | .name]}`, `{"people":[{"name":"a","age":20},{"name":"b","age":3}]}`, `{"names":["a"]}`},
		{"update", `.name |= ascii_upcase`, `{"name":"ada"}`, `{"name":"ADA"}`},
		{"update through a selection", `(.l[] | select(.n > 1) | .n) |= . + 1`, `{"l":[{"n":1},{"n":2}]}`, `{"l":[{"n":1},{"n":3}]}`},
		{"assignment", `.a.b = 3 | del(.c)`, `{"c":1}`, `{"a":{"b":3}}`},
		{"own function", `def twice(f): f | f; .n | twice(. * 2)`, `{"n":2}`, `8`},
		{"variables", `. as {a: $x, b: [$y]} | $x + $y`, `{"a":1,"b":[2]}`, `3`},
		{"variable as member", `.a as $a | {$a}`, `{"a":1}`, `{"a":1}`},
		{"entries", `with_entries(.value |= tostring)`, `{"a":1}`, `{"a":"1"}`},
		{"interpolation", `"\(.a)-\(.b)"`, `{"a":1,"b":"x"}`, `"1-x"`},
		{"formats", `@base64`, `"a"`, `"YQ=="`},
		{"reduce", `reduce .[] as $n (0; . + $n)`, `[1,2,3]`, `6`},
		{"index", `.[1]`, `[1,2]`, `2`},
		{"suffixes stay", `map(.a)[0].b?`, `[{"a":{"b":1}}]`, `1`},
		{"alternative", `.a // "none"`, `{}`, `"none"`},
		{"try", `try error("x") catch "caught"`, `1`, `"caught"`},
		{"digits stay", `.a`, `{"a":1.10}`, `1.10`},
		{"dates", `.at | fromdate | todate`, `{"at":"2026-01-02T03:04:05Z"}`, `"2026-01-02T03:04:05Z"`},
		{"number of text", `.a | tonumber`, `{"a":"12"}`, `12`},
	} {
		t.Run(r.name, func(t *testing.T) {
			p, err := jq.Compile(r.program)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Run(t.Context(), []byte(r.doc), roomy)
			if err != nil || string(got) != r.want {
				t.Errorf("%s of %s is %s (%v), not %s", r.program, r.doc, got, err, r.want)
			}
		})
	}
}

func TestCompileRefusesWhatIsNotPureOrBounded(t *testing.T) {
	for _, program := range []string{
		`now`, `env`, `$ENV`, `{$ENV}`, `$ENV.HOME`, `input`, `inputs`, `debug`, `stderr`, `halt`, `halt_error`, `input_filename`, `localtime`, `builtins`,
		`import "a" as a; .`, `include "a"; .`, `{} | modulemeta`, `test("a")`, `[match("(a*)*")]`, `gsub("a"; "b")`, `split("a"; "g")`,
		`indices([1])`, `contains([1])`, `transpose`, `setpath([1]; 2)`, `getpath([1])`, `fromjson`, `nth(3)`, `fromstream(1)`, `.a *= 2`, `.a -= [1]`,
		`_multiply(.; 3)`, `def _vv_fits: true; .`, `_vv_fits`, `map(now)`, `{a: now}`, `[now]`, `"\(now)"`, `.[now]`, `{(now|tostring): 1}`, `if now then 1 else 2 end`,
		`try now catch 1`, `reduce now as $x (0; 1)`, `foreach 1 as $x (0; now)`, `label $f | now`, `-now`, `. as {(now|tostring): $x} | $x`, `def f: now; f`, `@base64 "\(now)"`,
		`(`, strings.Repeat(" ", 16<<10) + `.`,
	} {
		if _, err := jq.Compile(program); err == nil {
			t.Errorf("%q compiles", program)
		}
	}
}

func TestRunFails(t *testing.T) {
	quick := jq.Limits{Time: 500 * time.Millisecond, Size: 1 << 20}
	for _, r := range []struct {
		name, program, doc string
		want               error
	}{
		{"nothing", `empty`, `1`, jq.ErrNothing},
		{"several", `.[]`, `[1,2]`, jq.ErrSeveral},
		{"failure", `.a`, `"Ada"`, jq.ErrFailed},
		{"failure after a value", `1, error("x")`, `1`, jq.ErrFailed},
		{"no document", `.`, `{`, jq.ErrDocument},
		{"two documents", `.`, `1 2`, jq.ErrDocument},
		{"endless number", `.`, `1e999999999`, jq.ErrDocument},
		{"long number", `.`, strings.Repeat("9", 65), jq.ErrDocument},
		{"endless loop", `def f: f; f`, `1`, jq.ErrTime},
		{"endless loop of a builtin", `last(repeat(1))`, `1`, jq.ErrTime},
		{"long result", `[range(300000)]`, `1`, jq.ErrSize},
		{"repeated text", `"x" * 1000000000`, `1`, jq.ErrSize},
		{"far index", `.[500000000] = 1`, `[]`, jq.ErrSize},
		{"far index by a variable", `500000000 as $n | .[$n] |= 1`, `[]`, jq.ErrSize},
		{"doubling by sharing", `reduce range(60) as $i (.; [., .]) | tojson`, `1`, jq.ErrSize},
		{"doubling by a function", `def d: [., .]; reduce range(60) as $i (.; d) == 1`, `1`, jq.ErrSize},
		{"doubling by map", `reduce range(60) as $i ([.]; map([., .]))`, `1`, jq.ErrSize},
		{"doubling by update", `reduce range(60) as $i ({}; .a = {b: ., c: .})`, `1`, jq.ErrSize},
		{"doubling by a sum", `reduce range(60) as $i ("ab"; . + .)`, `1`, jq.ErrSize},
		{"doubling by merge", `reduce range(60) as $i ([1]; . + .)`, `1`, jq.ErrSize},
		{"growing number", `reduce range(60) as $i (12345678901234567890; . * .)`, `1`, jq.ErrSize},
		{"difference of arrays", `. - .`, `[1]`, jq.ErrSize},
		{"long digits", `tonumber`, `"` + strings.Repeat("9", 65) + `"`, jq.ErrSize},
	} {
		t.Run(r.name, func(t *testing.T) {
			p, err := jq.Compile(r.program)
			if err != nil {
				t.Fatal(err)
			}
			limits := roomy
			if r.want == jq.ErrTime {
				limits = quick
			}
			got, err := p.Run(t.Context(), []byte(r.doc), limits)
			if !errors.Is(err, r.want) {
				t.Errorf("%s: %.80s, %v", r.program, got, err)
			}
			if reason := jq.Reason(err); reason != r.want.Error() || strings.Contains(reason, "Ada") {
				t.Errorf("the reason is %q", reason)
			}
		})
	}
}

// FuzzRun: whatever the program, a run ends soon, and what it gives is one JSON
// document within the limit.
func FuzzRun(f *testing.F) {
	for _, program := range []string{`.`, `map(.a)`, `.a |= . + 1`, `reduce .[] as $x (0; . + $x)`, `. as [$a, {b: $c}] | {$a, $c}`, `[limit(3; repeat(1))]`, `with_entries(.)`, `"\(.)" * 3`, `@csv`, `.[1:3] = [1]`} {
		f.Add(program, `[{"a":1}]`)
	}
	limits := jq.Limits{Time: 50 * time.Millisecond, Size: 4 << 10}
	f.Fuzz(func(t *testing.T, program, doc string) {
		p, err := jq.Compile(program)
		if err != nil {
			return
		}
		began := time.Now()
		out, err := p.Run(t.Context(), []byte(doc), limits)
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
		if err == nil && (!json.Valid(out) || int64(len(out)) > limits.Size) {
			t.Errorf("gave %.100s", out)
		}
	})
}
