package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
)

// registerMetrics adds what is counted elsewhere: plugins by state and health,
// circuits, domains, and the audit's writer.
func registerMetrics(r *prometheus.Registry, plugins *registry.Registry, calls *operator.Lane, egress *proxy.Lane, writer *audit.Writer) {
	r.MustRegister(fleet{plugins}, circuits{calls}, domains{egress})
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	counter("vivified_audit_rows_total", "Audit rows committed by this replica.", func() float64 { return float64(writer.Stats().Rows) })
	counter("vivified_audit_commits_total", "Commits that held audit rows of this replica.", func() float64 { return float64(writer.Stats().Commits) })
	counter("vivified_audit_refused_total", "Requests refused because their decision could not be recorded.", func() float64 { return float64(writer.Stats().Refused) })
	gauge("vivified_audit_waiting", "Audit rows that wait to be written.", func() float64 { return float64(writer.Stats().Waiting) })
}

// fleet counts plugins by state and health, and shows each one's health.
type fleet struct{ plugins *registry.Registry }

var (
	byState   = prometheus.NewDesc("vivified_plugins", "Registered plugins by state and health.", []string{"state", "health"}, nil)
	oneHealth = prometheus.NewDesc("vivified_plugin_up", "1 when the plugin is active and not unhealthy.", []string{"plugin"}, nil)
)

// Describe implements prometheus.Collector.
func (f fleet) Describe(ch chan<- *prometheus.Desc) { ch <- byState; ch <- oneHealth }

// Collect implements prometheus.Collector.
func (f fleet) Collect(ch chan<- prometheus.Metric) {
	type key struct{ state, health string }
	count := map[key]float64{}
	for _, p := range f.plugins.Snapshot().Plugins() {
		count[key{string(p.State), string(p.Health)}]++
		up := 0.0
		if p.State == policy.Active && p.Health != registry.Unhealthy {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(oneHealth, prometheus.GaugeValue, up, p.ID)
	}
	for k, n := range count {
		ch <- prometheus.MustNewConstMetric(byState, prometheus.GaugeValue, n, k.state, k.health)
	}
}

// circuits shows the circuit and the load of each plugin that was called.
type circuits struct{ calls *operator.Lane }

var (
	circuitOpen = prometheus.NewDesc("vivified_target_circuit_open", "1 while the plugin's circuit is open, 0.5 while it is half-open.", []string{"target"}, nil)
	targetCalls = prometheus.NewDesc("vivified_target_in_flight", "Calls that the plugin is answering.", []string{"target"}, nil)
)

// Describe implements prometheus.Collector.
func (c circuits) Describe(ch chan<- *prometheus.Desc) { ch <- circuitOpen; ch <- targetCalls }

// Collect implements prometheus.Collector.
func (c circuits) Collect(ch chan<- prometheus.Metric) {
	openness := map[operator.Circuit]float64{operator.Closed: 0, operator.HalfOpen: 0.5, operator.Open: 1}
	for _, t := range c.calls.Targets() {
		ch <- prometheus.MustNewConstMetric(circuitOpen, prometheus.GaugeValue, openness[t.Circuit], t.ID)
		ch <- prometheus.MustNewConstMetric(targetCalls, prometheus.GaugeValue, float64(t.InFlight), t.ID)
	}
}

// domains shows what passed between plugins and the hosts approved for them.
type domains struct{ egress *proxy.Lane }

var (
	egressLabels   = []string{"plugin", "domain"}
	egressRequests = prometheus.NewDesc("vivified_egress_requests_total", "Requests of a plugin to a domain that were allowed and have ended.", egressLabels, nil)
	egressFailed   = prometheus.NewDesc("vivified_egress_failed_total", "Those of them without an answer, or without all of it.", egressLabels, nil)
	egressBytes    = prometheus.NewDesc("vivified_egress_bytes_total", "Bytes of their bodies.", append(egressLabels, "direction"), nil)
	egressSeconds  = prometheus.NewDesc("vivified_egress_seconds_total", "Time they took.", egressLabels, nil)
)

// Describe implements prometheus.Collector.
func (d domains) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{egressRequests, egressFailed, egressBytes, egressSeconds} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector. Domains that were only ever refused are
// left out: a plugin that makes up names must not fill whoever scrapes.
func (d domains) Collect(ch chan<- prometheus.Metric) {
	count := func(desc *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, n, labels...)
	}
	for _, u := range d.egress.Usage() {
		if u.Requests == 0 {
			continue
		}
		count(egressRequests, float64(u.Requests), u.Plugin, u.Domain)
		count(egressFailed, float64(u.Failed), u.Plugin, u.Domain)
		count(egressBytes, float64(u.Sent), u.Plugin, u.Domain, "sent")
		count(egressBytes, float64(u.Received), u.Plugin, u.Domain, "received")
		count(egressSeconds, u.Took.Seconds(), u.Plugin, u.Domain)
	}
}
