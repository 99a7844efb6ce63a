package external_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Run(t, lifeRuntime(t, []netip.Prefix{lifeLoopback}), elsewhere, pluginmgr.Target{Plugin: "nobody", Address: "http://" + freeAddress(t)})
}

// elsewhere runs the plugin under test as somebody else would, on a port of this
// machine.
func elsewhere(t *testing.T) pluginmgr.Target {
	at := freeAddress(t)
	c := exec.Command(runtimetest.Program(t))
	c.Env = append(os.Environ(), "VIVIFIED_PLUGIN_LISTEN="+at)
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for late := time.After(30 * time.Second); ; {
		if conn, err := net.Dial("tcp", at); err == nil {
			conn.Close()
			return pluginmgr.Target{Plugin: "probe", Address: "http://" + at}
		}
		select {
		case <-late:
			t.Fatal("the plugin under test never answers")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
