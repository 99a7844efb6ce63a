// Package siem forwards the audit to other systems: a syslog server, a webhook, an
// OpenTelemetry collector.
//
// It reads what is committed and sends it on, so a sink that is slow or down
// slows nobody. Each sink has its own place in every chain, which moves only when
// the other side confirmed: what it missed while it was away is sent when it is
// back, some of it twice. One replica sends to a sink, under a lease.
//
// It refuses to send the audit in clear over a network, and to follow redirects.
package siem
