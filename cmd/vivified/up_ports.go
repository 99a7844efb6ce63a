package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// keptPorts is where the ports of the last start stand, below the data directory.
// Approvals and addresses that the core keeps name them, so the next start takes
// the same ones again.
const keptPorts = "dev/ports.json"

// choosePorts gives each entry a port of the loopback address that is free now:
// the one that the file says it had, else any. The core's entry gets one too, for
// the resolver beside it. What was chosen is kept in the file.
func choosePorts(entries []entry, file string) (map[string]int, error) {
	fresh, err := freePorts(2 * len(entries)) // a fresh one may be what another entry had
	if err != nil {
		return nil, err
	}
	had := map[string]int{}
	if text, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(text, &had) // a damaged file means any ports
	}
	ports := map[string]int{}
	var taken []int
	take := func(name string, port int) {
		ports[name] = port
		taken = append(taken, port)
	}
	for _, e := range entries {
		if port := had[e.name]; !slices.Contains(taken, port) && isFreePort(port) {
			take(e.name, port)
		}
	}
	for _, e := range entries {
		if ports[e.name] == 0 {
			take(e.name, fresh[slices.IndexFunc(fresh, func(p int) bool { return !slices.Contains(taken, p) })])
		}
	}
	text, err := json.Marshal(ports)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("keep the ports: %w", err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return nil, fmt.Errorf("keep the ports: %w", err)
	}
	return ports, nil
}

// isFreePort reports whether a port of the loopback address that needs no rights
// is free for TCP and UDP.
func isFreePort(port int) bool {
	if port < 1024 || port > 65535 {
		return false
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return udp.Close() == nil && isFree(address)
}

// isFree reports whether an address can be listened on.
func isFree(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// freePorts returns ports of the loopback address that are free for TCP and UDP now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer tcp.Close() // all are held until the last is found, so that they differ
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			if tries > 10*n {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			continue
		}
		defer udp.Close()
		ports = append(ports, tcp.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
