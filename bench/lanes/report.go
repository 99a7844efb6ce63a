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

// group is what is drawn in one plot.
type group struct {
	Title, About string
	Of           string // the lane
	Lines        []result
}

// lanes are the plots of requests a second.
var lanes = []group{
	{Title: "The operator lane", Of: "operator", About: "One plugin's call to another, beside proxies that decide and record nothing."},
	{Title: "The proxy lane", Of: "proxy", About: "A plugin's request to a host outside."},
	{Title: "The canonical lane", Of: "canonical", About: "Events that are on the disk when their publisher hears so."},
}

// draw returns the page with the functions that place its bars: of requests a
// second beside the fastest of their lane, of times beside the slowest.
func draw(d document) *template.Template {
	fastest, slowest, dearest := map[string]float64{}, 0.0, map[string]float64{}
	for _, r := range d.Lines {
		switch {
		case r.Rate == 0:
			fastest[r.Lane] = max(fastest[r.Lane], r.PerSec)
			dearest[r.Lane+r.Of] = max(dearest[r.Lane+r.Of], r.CPU+r.Data)
		default:
			slowest = max(slowest, r.P99)
		}
	}
	choose := func(wanted func(result) bool) (of []result) {
		for _, r := range d.Lines {
			if wanted(r) {
				of = append(of, r)
			}
		}
		return of
	}
	const width = 420.0
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"lanes": func() (all []group) {
			for _, g := range lanes {
				g.Lines = choose(func(r result) bool { return r.Lane == g.Of && r.Rate == 0 })
				all = append(all, g)
			}
			return all
		},
		"metered": func(lines []result) (of []result) {
			for _, r := range lines {
				if r.CPU > 0 {
					of = append(of, r)
				}
			}
			return of
		},
		"rated": func() []result { return choose(func(r result) bool { return r.Rate > 0 }) },
		"grown": func() (all []group) {
			for _, g := range []group{
				{Title: "Plugins", Of: "plugins", About: "registered beside the two of a call"},
				{Title: "Rules", Of: "rules", About: "of administrators, in force and about others"},
				{Title: "Subscribers", Of: "subscribers", About: "of one event type; the cost is that of one delivery"},
			} {
				if g.Lines = choose(func(r result) bool { return r.Of == g.Of }); len(g.Lines) > 0 {
					all = append(all, g)
				}
			}
			return all
		},
		"speed":  func(r result) float64 { return width * r.PerSec / max(1, fastest[r.Lane]) },
		"cost":   func(r result, us float64) float64 { return width * us / max(1, dearest[r.Lane+r.Of]) },
		"time":   func(ms float64) float64 { return width * ms / max(1, slowest) },
		"sum":    func(a, b float64) float64 { return a + b },
		"y":      func(i int) int { return 22 * i },
		"height": func(rs []result) int { return 22 * len(rs) },
		"bar":    func(y, n int) int { return y + n },
	}).Parse(page))
}
