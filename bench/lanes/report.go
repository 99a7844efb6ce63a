package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"runtime"
	"time"
)

// document is the whole report.
type document struct {
	At       time.Time `json:"at"`
	CPUs     int       `json:"cpus"`
	Go       string    `json:"go"`
	Clients  int       `json:"connections"`
	Duration string    `json:"duration"`
	Lines    []result  `json:"lines"`
}

//go:embed report.html
var page string

// report prints the lines, and writes them to the files that were asked for.
func report(o options, lines []result) error {
	d := document{At: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Go: runtime.Version(), Clients: o.clients, Duration: o.duration.String(), Lines: lines}
	fmt.Printf("\n%d CPUs, %s, %d connections, %s a measurement, medians of %d\n\n", d.CPUs, d.Go, d.Clients, d.Duration, o.rounds)
	if err := print(o, lines); err != nil {
		return err
	}
	if o.asJSON != "" {
		data, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.asJSON, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.asHTML == "" {
		return nil
	}
	f, err := os.Create(o.asHTML)
	if err != nil {
		return err
	}
	if err := draw(d).Execute(f, d); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// draw returns the page with the functions that place its bars: of requests a
// second beside the fastest of their lane, of times beside the slowest.
func draw(d document) *template.Template {
	fastest, slowest := map[string]float64{}, 0.0
	for _, r := range d.Lines {
		if r.Rate == 0 {
			fastest[r.Lane] = max(fastest[r.Lane], r.PerSec)
		} else {
			slowest = max(slowest, r.P99)
		}
	}
	const width = 420.0
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"lane": func(lane string) (of []result) {
			for _, r := range d.Lines {
				if r.Lane == lane && r.Rate == 0 {
					of = append(of, r)
				}
			}
			return of
		},
		"rated": func() (of []result) {
			for _, r := range d.Lines {
				if r.Rate > 0 {
					of = append(of, r)
				}
			}
			return of
		},
		"speed":  func(r result) float64 { return width * r.PerSec / max(1, fastest[r.Lane]) },
		"time":   func(ms float64) float64 { return width * ms / max(1, slowest) },
		"y":      func(i int) int { return 22 * i },
		"height": func(rs []result) int { return 22 * len(rs) },
		"bar":    func(y, n int) int { return y + n },
	}).Parse(page))
}
