// Command lanes measures the lanes beside their peers in one run, and prints
// ratios: this machine's absolute figures mean little elsewhere.
//
// It starts bin/vivified with a private PostgreSQL and an embedded bus in a
// temporary directory, and nginx, squid, Caddy and the standard library's
// ReverseProxy beside it, in front of the same target. What is not installed is
// left out, and said so. All traffic stays on loopback, and all of it is bounded in
// time. Measurements take turns, so that a machine that slows down slows down for all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one line of the report.
type result struct {
	Name   string  `json:"name"`
	Lane   string  `json:"lane"`
	Rate   int     `json:"rate,omitempty"` // requests a second that were due; 0: as fast as the connections can
	PerSec float64 `json:"per_second"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Errors int64   `json:"errors"`
	CPU    float64 `json:"cpu_us"`          // processor time for one request, microseconds; 0: not known
	Data   float64 `json:"database_cpu_us"` // that of its database
	Ratios []ratio `json:"ratios,omitempty"`
	Of     string  `json:"growth_of,omitempty"` // what there is more and more of
	Size   int     `json:"size,omitempty"`      // how much of it
	Rounds int     `json:"rounds"`              // the median of so many
	Detail string  `json:"remarks"`             // what the figure includes
	count  int     // answers
}

// ratio is PerSec against that of a peer.
type ratio struct {
	To string  `json:"to"`
	Is float64 `json:"is"`
}

// options are how long, how often and how much.
type options struct {
	core, caddy    string
	duration       time.Duration
	rounds         int
	clients        int
	rates          []int
	asJSON, asHTML string
	only           string
	growth         bool
}

func main() {
	var o options
	var rates string
	flag.StringVar(&o.core, "core", "bin/vivified", "the core's program")
	flag.StringVar(&o.caddy, "caddy", "bin/bench-caddy", "Caddy's program; built from bench/caddy where it is not there")
	flag.DurationVar(&o.duration, "for", 3*time.Second, "how long each measurement lasts")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is repeated; the median counts")
	flag.IntVar(&o.clients, "clients", 64, "connections")
	flag.StringVar(&rates, "rates", "100,1000,5000", "requests a second of the measurements at a fixed rate; empty: none")
	flag.StringVar(&o.asJSON, "json", "", "also write the report to this file")
	flag.StringVar(&o.asHTML, "html", "", "also write it as a page with plots to this file")
	flag.BoolVar(&o.growth, "growth", true, "measure also how cost grows with plugins, rules and subscribers")
	flag.StringVar(&o.only, "only", "", "measure only what has one of these words in its name, separated by commas; empty: all")
	flag.Parse()
	log.SetFlags(0)
	for part := range strings.SplitSeq(rates, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(part)); err == nil && n > 0 {
			o.rates = append(o.rates, n)
		}
	}
	if err := bench(context.Background(), o); err != nil {
		log.Fatal("bench: ", err)
	}
}

// operatorLane is the name of what growth is measured by, too.
const operatorLane = "operator lane"

// work is one thing that is measured.
type work struct {
	name, lane string
	peers      []string // what it is compared with
	rated      bool     // also at fixed rates
	detail     string
	pid        int // of what is measured; 0: it shares this process
	next       func() sender
}

// metered measures, and divides the processor time that was used by the answers.
func (w work) metered(measure func() result) result {
	before := used(w.pid)
	r := measure()
	if s, n := used(w.pid).minus(before), r.count; w.pid > 0 && n > 0 {
		r.CPU, r.Data = float64(s.itself.Microseconds())/float64(n), float64(s.database.Microseconds())/float64(n)
	}
	return r
}

func bench(ctx context.Context, o options) error {
	list, core, stop, err := prepare(ctx, o)
	defer stop()
	if err != nil {
		return err
	}
	call := list[slices.IndexFunc(list, func(w work) bool { return w.name == operatorLane })]
	list = slices.DeleteFunc(list, func(w work) bool { return !wanted(o.only, w.name) })
	for _, w := range list {
		if err := warm(w.name, w.next()); err != nil {
			return err
		}
	}
	type key struct {
		name string
		rate int
	}
	got := map[key][]result{}
	for round := range o.rounds {
		for _, w := range list {
			r := w.metered(func() result { return closed(o.clients, o.duration, w.next) })
			fmt.Fprintf(os.Stderr, "round %d: %-24s %9.0f/s, CPU %.0f + %.0f µs\n", round+1, w.name, r.PerSec, r.CPU, r.Data)
			got[key{w.name, 0}] = append(got[key{w.name, 0}], r)
		}
	}
	for _, rate := range o.rates {
		for _, w := range list {
			if w.rated {
				r := w.metered(func() result { return open(rate, o.duration, w.next) })
				fmt.Fprintf(os.Stderr, "at %d/s: %-24s p50 %.2f p99 %.2f ms, CPU %.0f + %.0f µs\n", rate, w.name, r.P50, r.P99, r.CPU, r.Data)
				got[key{w.name, rate}] = append(got[key{w.name, rate}], r)
			}
		}
	}
	var lines []result
	for _, rate := range append([]int{0}, o.rates...) {
		for _, w := range list {
			rs := got[key{w.name, rate}]
			if len(rs) == 0 {
				continue
			}
			m := median(rs)
			m.Name, m.Lane, m.Rate, m.Detail, m.Rounds = w.name, w.lane, rate, w.detail, len(rs)
			for _, peer := range w.peers {
				if p := got[key{peer, 0}]; rate == 0 && len(p) > 0 && median(p).PerSec > 0 {
					m.Ratios = append(m.Ratios, ratio{peer, m.PerSec / median(p).PerSec})
				}
			}
			lines = append(lines, m)
		}
	}
	if o.growth {
		grown, err := grow(ctx, o, core, call)
		if lines = append(lines, grown...); err != nil {
			fmt.Fprintln(os.Stderr, "growth is measured in part:", err)
		}
	}
	return report(o, lines)
}

// prepare starts everything and returns what is to be measured. Stop ends what was
// started, also after an error.
func prepare(ctx context.Context, o options) (list []work, c *running, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range slices.Backward(stops) {
			f()
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, stop, err
	}
	stops = append(stops, func() { l.Close() })
	go serve(l, nil)
	target := l.Addr().String()
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, stop, err
	}
	stops = append(stops, func() { dns.Close() })
	go names(dns)
	c, err = startCore(ctx, o.core, target, dns.LocalAddr().String())
	if err != nil {
		return nil, nil, stop, err
	}
	stops = append(stops, c.stop)
	core := strings.TrimPrefix(c.url, "http://")
	bearer := "Authorization: Bearer " + c.caller
	same := func(at string, request []byte, want int, once bool) func() sender {
		return func() sender { return &client{at: at, request: request, want: want, once: once} }
	}
	plain := get("/ping", "bench")
	list = append(list, work{name: "direct call", lane: "operator", rated: true, detail: "client to target, nothing between", next: same(target, plain, 200, false)})
	beside := func(name, detail string, p *peer, err error) {
		if gone, ok := errors.AsType[absent](err); ok {
			fmt.Fprintf(os.Stderr, "without %s: %s\n", name, gone.why)
			return
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "without %s: %v\n", name, err)
			return
		}
		stops = append(stops, p.stop)
		list = append(list, work{name: name, lane: "operator", rated: true, detail: detail, pid: p.pid, next: same(p.at, plain, 200, false)})
	}
	p, err := nginx(ctx, target)
	beside("nginx", "reverse proxy, connections kept; decides and records nothing", p, err)
	p, err = caddy(ctx, o.caddy, target)
	beside("Caddy", "reverse proxy; decides and records nothing", p, err)
	beside("Go ReverseProxy", "the standard library's; decides and records nothing", reverseProxy(target), nil)
	list = append(list, work{
		name: operatorLane, lane: "operator", peers: []string{"nginx", "Caddy", "Go ReverseProxy"}, rated: true,
		detail: "token, policy, signed call, decision durable before the call", pid: c.pid, next: same(core, get("/gateway/bench-target/ping", core, bearer), 200, false),
	})

	_, port, _ := net.SplitHostPort(target)
	there := "http://" + net.JoinHostPort(outside, port) + "/ping"
	if p, err := squid(ctx); err == nil {
		stops = append(stops, p.stop)
		list = append(list, work{name: "squid", lane: "proxy", rated: true, detail: "forward proxy, keeps nothing, records nothing", pid: p.pid, next: same(p.at, get("http://"+target+"/ping", target), 200, false)})
	} else {
		fmt.Fprintln(os.Stderr, "without squid:", err)
	}
	list = append(list, work{
		name: "proxy lane", lane: "proxy", peers: []string{"squid"}, rated: true, detail: "token, policy, approval, address judged, decision durable before the request", pid: c.pid,
		next: same(core, get("/proxy?url="+url.QueryEscape(there), core, bearer), 200, false),
	})

	event := []byte(`{"event_type":"bench.happened","payload":{"text":"` + strings.Repeat("x", 420) + `"}}`)
	b, err := startBus(ctx, event)
	if err != nil {
		return nil, nil, stop, err
	}
	stops = append(stops, b.stop)
	return append(list,
		work{name: "raw JetStream", lane: "canonical", detail: "publish acknowledged after the disk has it, nothing else", next: func() sender { return b }},
		work{
			name: "canonical lane, 202", lane: "canonical", peers: []string{"raw JetStream"}, rated: true, detail: "token, schema, policy, decision durable, event durable", pid: c.pid,
			next: same(core, post("/messaging/events", core, event, bearer), 202, false),
		},
	), c, stop, nil
}

// wanted reports whether a name has one of the words.
func wanted(words, name string) bool {
	return words == "" || slices.ContainsFunc(strings.Split(words, ","), func(word string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(strings.TrimSpace(word)))
	})
}

func median(rs []result) result {
	rs = slices.Clone(rs)
	slices.SortFunc(rs, func(a, b result) int { return int(a.PerSec - b.PerSec) })
	return rs[len(rs)/2]
}

// print writes the report for people at a terminal.
func print(o options, lines []result) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tdue/s\tper second\tp50 ms\tp99 ms\tCPU µs\tdatabase µs\terrors\tratio\tincludes")
	for _, r := range lines {
		due := "–"
		if r.Rate > 0 {
			due = strconv.Itoa(r.Rate)
		}
		var ratios []string
		for _, x := range r.Ratios {
			ratios = append(ratios, fmt.Sprintf("%.2f × %s", x.Is, x.To))
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%d\t%s\t%s\n", r.Name, due, r.PerSec, r.P50, r.P99, r.CPU, r.Data, r.Errors, strings.Join(ratios, ", "), r.Detail)
	}
	return t.Flush()
}

// freePort returns an address nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
