package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/vivified/vivified/core/fault"
)

const (
	nextAddr    = 250 * time.Millisecond // head start of each address over the next (RFC 8305 section 5)
	connectTime = 10 * time.Second       // for one address
)

type keyJudged struct{}

// With returns a context in which j may be dialled.
func (j Judged) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyJudged{}, j)
}

// DialContext connects to one of the addresses judged in ctx. It never resolves
// a name; without a judgement for exactly this authority it refuses.
func (d *Dialer) DialContext(ctx context.Context, network, authority string) (net.Conn, error) {
	j, ok := ctx.Value(keyJudged{}).(Judged)
	if !ok || j.authority != authority || len(j.addrs) == 0 {
		return nil, refuse(CodeAddress, "Nobody judged the addresses of %s.", authority)
	}
	conn, err := d.race(ctx, j)
	if err != nil {
		return nil, unreachable(j.host, err)
	}
	return conn, nil
}

// unreachable says in a fault why no address of host could be connected to.
func unreachable(host string, err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fault.New(fault.Timeout, CodeTimeout, "%s does not accept a connection in time.", host).Because(err)
	}
	return fault.New(fault.BadGateway, CodeConnect, "%s does not accept a connection.", host).Because(err)
}

// race tries the addresses in turn, each with a head start over the next, and
// returns the first connection (RFC 8305).
func (d *Dialer) race(ctx context.Context, j Judged) (net.Conn, error) {
	type attempt struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan attempt, len(j.addrs))
	start := time.NewTimer(0)
	defer start.Stop()
	var failed error
	for next, running := 0, 0; ; {
		select {
		case <-start.C:
			if next < len(j.addrs) {
				go func(at netip.AddrPort) {
					conn, err := d.connect(ctx, j.host, at)
					done <- attempt{conn, err}
				}(j.addrs[next])
				next++
				running++
				start.Reset(nextAddr)
			}
		case a := <-done:
			running--
			if a.err == nil {
				go func() { // the losers were cancelled; one may have connected all the same
					for range running {
						if late := <-done; late.conn != nil {
							late.conn.Close()
						}
					}
				}()
				return a.conn, nil
			}
			failed = errors.Join(failed, a.err)
			if running == 0 && next == len(j.addrs) {
				return nil, failed
			}
			start.Reset(0)
		}
	}
}

// connect dials one judged address. The judgement is repeated where the socket is
// about to connect, on the address the kernel is given.
func (d *Dialer) connect(ctx context.Context, host string, at netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: connectTime,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			given, err := netip.ParseAddrPort(address)
			if err != nil || given != at {
				return refuse(CodeAddress, "The address dialled is not the one judged.")
			}
			return d.judge.Address(host, given)
		},
	}
	return dialer.DialContext(ctx, "tcp", at.String())
}
