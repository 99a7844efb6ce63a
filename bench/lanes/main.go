// Command lanes measures the lanes beside their peers in one run, and prints
// ratios: this machine's absolute figures mean little elsewhere.
//
// It starts bin/vivified with a private PostgreSQL and an embedded bus in a
// temporary directory, registers a caller and a target, and sends load over
// loopback only, bounded in time.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// result is one line of the report.
type result struct {
	Name   string  `json:"name"`
	PerSec float64 `json:"per_second"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Errors int64   `json:"errors"`
	Ratio  float64 `json:"ratio"`   // of PerSec to the peer's
	Peer   string  `json:"peer"`    // what Ratio compares with
	Rounds int     `json:"rounds"`  // the median of so many
	Detail string  `json:"remarks"` // what the figure includes
}

var (
	core     = flag.String("core", "bin/vivified", "the core's program")
	duration = flag.Duration("for", 3*time.Second, "how long each measurement lasts")
	rounds   = flag.Int("rounds", 3, "how often each is repeated; the median counts")
	clients  = flag.Int("clients", 64, "connections")
	asJSON   = flag.String("json", "", "also write the report to this file")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	if err := run(context.Background()); err != nil {
		log.Fatal("bench: ", err)
	}
}

// answer is what every target says: 512 bytes of JSON.
var answer = []byte(`{"status":"ok","padding":"` + string(slices.Repeat([]byte("x"), 512-27)) + `"}`)

func run(ctx context.Context) error {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	}))
	defer target.Close()
	at, err := url.Parse(target.URL)
	if err != nil {
		return err
	}
	peer := httputil.NewSingleHostReverseProxy(at)
	peer.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	reverse := httptest.NewServer(peer)
	defer reverse.Close()
	c, err := startCore(ctx, *core, target.URL)
	if err != nil {
		return err
	}
	defer c.stop()

	get := func(u, token string) func(*http.Client) error {
		return func(hc *http.Client) error { return request(hc, http.MethodGet, u, token, nil, http.StatusOK) }
	}
	event := []byte(`{"event_type":"bench.happened","payload":{"text":"` + string(slices.Repeat([]byte("x"), 420)) + `"}}`)
	work := []struct {
		result
		do func(*http.Client) error
	}{
		{result{Name: "direct call", Detail: "client to target"}, get(target.URL+"/ping", "")},
		{result{Name: "Go ReverseProxy", Peer: "direct call", Detail: "carries, decides nothing"}, get(reverse.URL+"/ping", "")},
		{result{Name: "operator lane", Peer: "Go ReverseProxy", Detail: "token, policy, signed call, decision durable before the call"}, get(c.url+"/gateway/bench-target/ping", c.caller)},
		{result{Name: "canonical lane, 202", Peer: "raw JetStream", Detail: "token, schema, policy, decision durable, event durable"}, func(hc *http.Client) error {
			return request(hc, http.MethodPost, c.url+"/messaging/events", c.caller, event, http.StatusAccepted)
		}},
	}
	raw, err := rawJetStream(*duration, *rounds, *clients, event)
	if err != nil {
		return err
	}
	by := map[string]result{raw.Name: raw}
	order := []string{}
	for round := range *rounds {
		for i := range work {
			r := measure(work[i].do, *clients, *duration)
			fmt.Fprintf(os.Stderr, "round %d: %-22s %9.0f/s\n", round+1, work[i].Name, r.PerSec)
			work[i].Rounds++
			all[work[i].Name] = append(all[work[i].Name], r)
		}
	}
	for _, w := range work {
		m := median(all[w.Name])
		m.Name, m.Peer, m.Detail, m.Rounds = w.Name, w.Peer, w.Detail, w.Rounds
		by[w.Name] = m
		if w.Name == "canonical lane, 202" {
			order = append(order, raw.Name)
		}
		order = append(order, w.Name)
	}
	return report(order, by)
}

var all = map[string][]result{}

func median(rs []result) result {
	slices.SortFunc(rs, func(a, b result) int { return int(a.PerSec - b.PerSec) })
	return rs[len(rs)/2]
}

// measure runs do from n clients for a time.
func measure(do func(*http.Client) error, n int, d time.Duration) result {
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n, MaxConnsPerHost: n}, Timeout: 30 * time.Second}
	defer hc.CloseIdleConnections()
	for range 2 * n { // warm connections up
		_ = do(hc)
	}
	var failed atomic.Int64
	took := make([][]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		wg.Go(func() {
			for time.Since(start) < d {
				t := time.Now()
				if err := do(hc); err != nil {
					failed.Add(1)
					continue
				}
				took[i] = append(took[i], time.Since(t))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	times := slices.Concat(took...)
	slices.Sort(times)
	r := result{PerSec: float64(len(times)) / elapsed.Seconds(), Errors: failed.Load()}
	if len(times) > 0 {
		r.P50 = times[len(times)/2].Seconds() * 1000
		r.P99 = times[len(times)*99/100].Seconds() * 1000
	}
	return r
}

func request(hc *http.Client, method, u, token string, body []byte, want int) error {
	var in io.Reader
	if body != nil {
		in = newReader(body)
	}
	r, err := http.NewRequest(method, u, in)
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	got, err := hc.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		return err
	}
	if got.StatusCode != want {
		return fmt.Errorf("answered %d", got.StatusCode)
	}
	return nil
}

func report(order []string, by map[string]result) error {
	fmt.Printf("\n%d CPUs, %s, %d connections, %s a measurement, medians of %d\n\n", runtime.NumCPU(), runtime.Version(), *clients, *duration, *rounds)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tper second\tp50 ms\tp99 ms\terrors\tratio\tincludes")
	var lines []result
	for _, name := range order {
		r := by[name]
		ratio := "–"
		if p, ok := by[r.Peer]; ok && p.PerSec > 0 {
			r.Ratio = r.PerSec / p.PerSec
			ratio = fmt.Sprintf("%.2f × %s", r.Ratio, r.Peer)
		}
		lines = append(lines, r)
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%d\t%s\t%s\n", r.Name, r.PerSec, r.P50, r.P99, r.Errors, ratio, r.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if *asJSON == "" {
		return nil
	}
	data, err := json.MarshalIndent(lines, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*asJSON, append(data, '\n'), 0o644)
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
