// Command policy measures our decisions beside those of cedar-go, CEL and OPA, on
// the same question from the same facts in one run, and prints ratios: this
// machine's absolute figures mean little elsewhere.
//
// The question is whether one plugin may call an operation of another: both are
// active and of one tenant, the operation is declared, granted and not dangerous,
// and the caller holds the traits that it and the class of its data require. Every
// engine is given the facts in the form it likes best, built beforehand. It is
// asked with these rules alone, and with a hundred of an administrator besides,
// none of which matches. Before anything is measured each engine has to allow what
// is in order and to refuse what is not, fact by fact.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
)

// engine answers the question.
type engine struct {
	name   string
	detail string
	given  func(*facts) func() bool // the facts in its own form, built once; what it returns asks
}

// result is one line of the report.
type result struct {
	Engine string  `json:"engine"`
	Rules  int     `json:"admin_rules"`
	NS     float64 `json:"ns"`
	Allocs int64   `json:"allocations"`
	Bytes  int64   `json:"bytes"`
	Ratio  float64 `json:"ratio"` // of ns to ours
	Detail string  `json:"remarks"`
}

var (
	rounds = flag.Int("rounds", 3, "how often each measurement is repeated; the median counts")
	asJSON = flag.String("json", "", "also write the report to this file")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	var all []result
	for _, rules := range []int{0, 100} {
		lines, err := compare(rules)
		if err != nil {
			log.Fatal("bench: ", err)
		}
		all = append(all, lines...)
	}
	if err := report(all); err != nil {
		log.Fatal("bench: ", err)
	}
}

// compare measures all engines with so many admin rules, in turns, so that a
// machine that gets slower gets slower for all.
func compare(rules int) ([]result, error) {
	var engines []engine
	for _, build := range []func(int) (engine, error){ours, cedarAlone, celProgram, opaQuery} {
		e, err := build(rules)
		if err != nil {
			return nil, err
		}
		if err := check(e); err != nil {
			return nil, err
		}
		engines = append(engines, e)
	}
	took := make([][]testing.BenchmarkResult, len(engines))
	for range *rounds {
		for i, e := range engines {
			ask := e.given(inOrder())
			took[i] = append(took[i], testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !ask() {
						b.Fatal(e.name, " refused")
					}
				}
			}))
		}
	}
	lines := make([]result, len(engines))
	for i, e := range engines {
		slices.SortFunc(took[i], func(a, b testing.BenchmarkResult) int { return int(a.T)/a.N - int(b.T)/b.N })
		m := took[i][len(took[i])/2]
		lines[i] = result{Engine: e.name, Rules: rules, NS: float64(m.T.Nanoseconds()) / float64(m.N), Allocs: m.AllocsPerOp(), Bytes: m.AllocedBytesPerOp(), Detail: e.detail}
		lines[i].Ratio = lines[i].NS / lines[0].NS
	}
	return lines, nil
}

// check holds an engine against the question.
func check(e engine) error {
	if !e.given(inOrder())() {
		return fmt.Errorf("%s refuses what is in order", e.name)
	}
	for name, spoil := range spoils {
		f := inOrder()
		spoil(f)
		if e.given(f)() {
			return fmt.Errorf("%s allows a call although %s", e.name, name)
		}
	}
	return nil
}

func report(all []result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "engine\tadmin rules\tns\tallocations\tbytes\tratio\t")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%d\t%d\t%.1f\t\n", r.Engine, r.Rules, r.NS, r.Allocs, r.Bytes, r.Ratio)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, r := range all[:len(all)/2] {
		fmt.Printf("%s: %s\n", r.Engine, r.Detail)
	}
	if *asJSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(*asJSON, append(text, '\n'), 0o644)
}
