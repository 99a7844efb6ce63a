package runtimetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
)

// Escapes holds what a plugin that was started may not do: each attempt is made
// by a real one, and fails with the reason that the kernel gives for what is
// forbidden, not for what is not there.
func Escapes(t *testing.T, maker Maker) {
	b := newBench(t, maker)
	t.Cleanup(b.Close)
	at := b.start(t, b.launch("prisoner"))
	t.Run("privileges", func(t *testing.T) { b.refused(t, at, privileges) })
	t.Run("files", func(t *testing.T) {
		b.refused(t, at, files)
		for _, dir := range []string{"/data", "/tmp", "/run/vivified/plugin"} {
			if said := b.attempt(t, at, "fill", dir); !strings.Contains(said, "no space left") && !strings.Contains(said, "cannot allocate") {
				t.Errorf("filling %s: %q, want that there is no space left", dir, said)
			}
		}
	})
	t.Run("other plugins", func(t *testing.T) { b.strangers(t, at) })
	t.Run("addresses", func(t *testing.T) { b.network(t, at) })
	t.Run("a link in place of its socket", func(t *testing.T) { b.misled(t) })
	t.Run("memory", func(t *testing.T) { b.glutton(t) })
	t.Run("processor", func(t *testing.T) { b.busy(t) })
	t.Run("processes", func(t *testing.T) { b.bomb(t) })
}

// attempt has a plugin try something and returns what came of it; "" is success.
func (b *bench) attempt(t *testing.T, to pluginmgr.Target, what, at string) string {
	t.Helper()
	var got struct{ Error string }
	ask(t, b, to, "/try?"+url.Values{"what": {what}, "at": {at}}.Encode(), &got)
	return got.Error
}

// refusal is an attempt and what the kernel says to it.
type refusal struct{ what, at, want string }

const (
	notPermitted = "operation not permitted"
	readOnly     = "read-only file system"
	denied       = "permission denied"
)

var privileges = []refusal{
	{"mount", "/tmp", notPermitted},
	{"remount", "/", notPermitted},
	{"umount", "/proc", notPermitted},
	{"chroot", "/tmp", notPermitted},
	{"mknod", "/data/disk", notPermitted},
	{"unshare", "", notPermitted},
	{"setns", "/proc/self/ns/net", notPermitted},
	{"trace", "", notPermitted},
	{"peek", "", notPermitted},
	{"root", "", notPermitted},
	{"setgid", "", notPermitted},
	{"hoist", "", notPermitted},
	{"bpf", "", notPermitted},
	{"keyctl", "", notPermitted},
	{"module", "", notPermitted},
	{"reboot", "", notPermitted},
	{"clock", "", notPermitted},
	{"uring", "", notPermitted},
	{"suid", "/probe", "its bits are gone"},
	{"status", "CapEff", "0000000000000000"},
	{"status", "CapPrm", "0000000000000000"},
	{"status", "CapBnd", "0000000000000000"},
	{"status", "CapInh", "0000000000000000"},
	{"status", "CapAmb", "0000000000000000"},
	{"status", "NoNewPrivs", "1"},
	{"status", "Seccomp", "2"},
	{"status", "Groups", ""},
}

var files = []refusal{
	{"write", "/escaped", readOnly},
	{"write", "/probe", readOnly},
	{"write", "/dev/escaped", denied},
	{"write", "/run/vivified/core/escaped", readOnly},
	{"write", "/proc/sys/kernel/core_pattern", readOnly},
	{"run", "/data/escaped", denied},
	{"run", "/tmp/escaped", denied},
}

func (b *bench) refused(t *testing.T, to pluginmgr.Target, all []refusal) {
	for _, r := range all {
		said := b.attempt(t, to, r.what, r.at)
		switch {
		case r.what == "status" && said != r.want:
			t.Errorf("%s is %q, want %q", r.at, said, r.want)
		case !strings.Contains(said, r.want), said == "" && r.want != "":
			t.Errorf("%s %s: %q, want %q", r.what, r.at, said, r.want)
		}
	}
}

// strangers: neither files nor processes of another plugin are seen.
func (b *bench) strangers(t *testing.T, at pluginmgr.Target) {
	other := b.start(t, b.launch("neighbour"))
	if said := b.attempt(t, other, "write", "/data/secret"); said != "" {
		t.Fatalf("the neighbour cannot write its own volume: %s", said)
	}
	for _, path := range []string{"/data/secret", "/data/../data/secret", "/proc/1/root/data/secret", "/run/vivified/plugin/../../../data/secret"} {
		if said := b.attempt(t, at, "read", path); !strings.Contains(said, "no such file") {
			t.Errorf("reading %s of another plugin: %q", path, said)
		}
	}
	if said := b.attempt(t, at, "others", ""); said == "" {
		t.Error("it sees processes that are not its own")
	}
}

// network: whatever listens on this machine, by whatever address, is not reached.
func (b *bench) network(t *testing.T, at pluginmgr.Target) {
	tcp, err := net.Listen("tcp", ":0")
	must(t, err)
	defer tcp.Close()
	port := tcp.Addr().(*net.TCPAddr).Port
	hidden, err := net.Listen("unix", "@vivified-escape-"+t.Name())
	must(t, err)
	defer hidden.Close()
	targets := []string{"unix @vivified-escape-" + t.Name(), "udp 192.0.2.1:53", "tcp 192.0.2.1:443", "tcp 169.254.169.254:80", "tcp [2001:db8::1]:443"}
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
			targets = append(targets, fmt.Sprintf("tcp %s", net.JoinHostPort(ip.IP.String(), fmt.Sprint(port))))
		}
	}
	for _, to := range targets {
		if said := b.attempt(t, at, "dial", to); said == "" {
			t.Errorf("it reached %s", to)
		}
	}
	// AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_XDP
	for _, family := range []string{"17", "40", "38", "31", "44"} {
		if said := b.attempt(t, at, "socket", family); said == "" {
			t.Errorf("it opened a socket of the family %s", family)
		}
	}
}

// misled: the core does not follow what a plugin leaves in place of its socket.
func (b *bench) misled(t *testing.T) {
	dir, err := os.MkdirTemp("", "vv") // a short path: it must fit a socket's address
	must(t, err)
	defer os.RemoveAll(dir)
	bait := filepath.Join(dir, "host.sock")
	l, err := net.Listen("unix", bait)
	must(t, err)
	defer l.Close()
	reached := make(chan struct{}, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			conn.Close()
		}
	}()
	launch := b.launch("swindler")
	at := b.start(t, launch)
	if said := b.attempt(t, at, "link", bait); said != "" {
		t.Fatalf("it cannot even try: %s", said)
	}
	if err := b.Probe(t.Context(), at); !fault.Is(err, fault.BadGateway) || fault.Of(err).Code != "target.address" {
		t.Errorf("the core followed it: %v", err)
	}
	select {
	case <-reached:
		t.Error("a plugin led the core to a socket of the machine")
	default:
	}
}

// glutton: more memory than its limit ends it, and that is said.
func (b *bench) glutton(t *testing.T) {
	l := b.launch("glutton")
	l.Limits.Memory = 64 << 20
	at := b.start(t, l)
	b.strain(at, "memory", "512")
	if got := b.ended(t, l.Instance); !got.OOM || got.Signal != "SIGKILL" {
		t.Errorf("it ended with %+v, want that it was killed for want of memory", got)
	}
}

// strain has a plugin do what it may not survive.
func (b *bench) strain(to pluginmgr.Target, what, at string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://plugin/try?"+url.Values{"what": {what}, "at": {at}}.Encode(), nil)
	if err != nil {
		return
	}
	if answer, err := b.Call(ctx, to, r); err == nil {
		answer.Body.Close()
	}
}

// busy: four threads of work get a tenth of a core.
func (b *bench) busy(t *testing.T) {
	l := b.launch("busy")
	l.Limits.CPU = 0.1
	at := b.start(t, l)
	before, err := b.Stats(t.Context(), l.Instance)
	must(t, err)
	began := time.Now()
	b.strain(at, "cpu", "2000")
	after, err := b.Stats(t.Context(), l.Instance)
	must(t, err)
	used, took := after.CPU-before.CPU, time.Since(began)
	if most := time.Duration(float64(took)*l.Limits.CPU) + 200*time.Millisecond; used > most {
		t.Errorf("in %s it used %s of a processor, more than %s", took, used, most)
	}
	if after.Held == before.Held {
		t.Error("it was never held back")
	}
}

// bomb: more processes than its limit it does not get.
func (b *bench) bomb(t *testing.T) {
	l := b.launch("bomb")
	l.Limits.PIDs = 32
	at := b.start(t, l)
	done := aside(func() error { b.strain(at, "pids", "200"); return nil })
	most := 0
	for over := false; !over; {
		if s, err := b.Stats(t.Context(), l.Instance); err == nil {
			most = max(most, s.PIDs)
		}
		select {
		case <-done:
			over = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	if most > l.Limits.PIDs || most < 16 {
		t.Errorf("it had %d processes, of at most %d", most, l.Limits.PIDs)
	}
}
