package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheNextStartTakesThePortsOfTheLast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev", "ports.json")
	first, err := choosePorts(sampleEntries, file)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != len(sampleEntries) {
		t.Errorf("%d entries got the ports %v", len(sampleEntries), first)
	}
	again, err := choosePorts(sampleEntries, file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the ports changed (-first +second):\n%s", diff)
	}
}

func TestAPortThatIsTakenNowIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	first, err := choosePorts(sampleEntries, file)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first["hello-site"])))
	if err != nil {
		t.Skipf("somebody was faster: %v", err)
	}
	defer taken.Close()
	again, err := choosePorts(sampleEntries, file)
	if err != nil {
		t.Fatal(err)
	}
	if again["hello-site"] == first["hello-site"] {
		t.Error("a port that somebody listens on was chosen")
	}
	if again["hello-greeter"] != first["hello-greeter"] {
		t.Error("a free port was not taken again")
	}
}

func TestADamagedFileOfPortsMeansAnyPorts(t *testing.T) {
	for _, text := range []string{"", "[]", `{"hello-site": 80}`, `{"hello-site": 700000}`, `{"hello-site": 40000, "hello-greeter": 40000}`, "\x00"} {
		file := filepath.Join(t.TempDir(), "ports.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ports, err := choosePorts(sampleEntries, file)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		seen := map[int]string{}
		for name, port := range ports {
			if other := seen[port]; other != "" || port < 1024 {
				t.Errorf("%q: %s got %d, as %q did", text, name, port, other)
			}
			seen[port] = name
		}
	}
}
