//go:build linux

package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivified/vivified/core/fault"
)

// CorePort is where a plugin that cannot use sockets finds the core, at
// 127.0.0.1 in its own network. It is the next one where the plugin itself
// answers at that.
const CorePort = 8080

// CoreAddress is where such a plugin finds the core when it answers at port itself.
func CoreAddress(port int) netip.AddrPort {
	at := uint16(CorePort)
	if port == CorePort {
		at++
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at)
}

// Loopback is the loopback of one instance's own network, which leads nowhere
// else. The core reaches into it: what would have to be forwarded by a process
// inside is listened to and dialled from outside.
type Loopback struct {
	ns   *os.File
	port int
}

// EnterLoopback returns the loopback in the network of a process, in which the
// plugin answers at port. It is good until Close.
func EnterLoopback(pid, port int) (*Loopback, error) {
	ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return nil, fmt.Errorf("find the plugin's network: %w", err)
	}
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("find the core's network: %w", err)
	}
	if its, err := ns.Stat(); err != nil || os.SameFile(own, its) {
		ns.Close()
		return nil, errors.New("the plugin is in the core's own network")
	}
	return &Loopback{ns: ns, port: port}, nil
}

// Close lets go of the network.
func (l *Loopback) Close() error { return l.ns.Close() }

// Listen listens where the plugin finds the core.
func (l *Loopback) Listen() (net.Listener, error) {
	var listener net.Listener
	err := l.inside(func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp4", CoreAddress(l.port).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in the plugin's network: %w", err)
	}
	return listener, nil
}

// Dial connects to where the plugin answers. Errors are faults of kind BadGateway.
func (l *Loopback) Dial(ctx context.Context) (net.Conn, error) {
	var conn net.Conn
	err := l.inside(func() (err error) {
		d := net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second}
		conn, err = d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)))
		return err
	})
	if err != nil {
		return nil, fault.New(fault.BadGateway, "target.unreachable", "The plugin does not answer at its port %d.", l.port).Because(err)
	}
	return conn, nil
}

// inside does something in the plugin's network. The thread that was there ends
// with it, because a thread that could not be led back would carry the core's own
// connections into the plugin's network.
func (l *Loopback) inside(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := unix.Setns(int(l.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the plugin's network: %w", err)
			return
		}
		done <- do()
	}()
	return <-done
}
