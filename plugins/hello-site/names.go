package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	messageLimit = 1232            // bytes of an answer over UDP (DNS flag day 2020)
	tcpClients   = 64              // connections at a time
	tcpPatience  = 5 * time.Second // for one exchange on a connection
)

// resolver answers DNS over UDP and TCP (RFC 1035, RFC 7766) on one port.
type resolver struct {
	udp *net.UDPConn
	tcp net.Listener
}

// listenNames opens both transports on one loopback port; "" is any that is
// free for both.
func listenNames(ctx context.Context, port string) (*resolver, error) {
	wanted := uint64(0)
	if port != "" {
		var err error
		if wanted, err = strconv.ParseUint(port, 10, 16); err != nil {
			return nil, fmt.Errorf("listen for names: %q is not a port", port)
		}
	}
	var err error
	for range 20 { // the port that UDP was given may be taken for TCP
		var udp *net.UDPConn
		udp, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(wanted))))
		if err != nil {
			return nil, fmt.Errorf("listen for names: %w", err)
		}
		var tcp net.Listener
		_, same, _ := net.SplitHostPort(udp.LocalAddr().String())
		if tcp, err = listen(ctx, "tcp4", same); err == nil {
			return &resolver{udp, tcp}, nil
		}
		udp.Close()
		if wanted != 0 {
			break
		}
	}
	return nil, err
}

func (r *resolver) close() error { return errors.Join(r.udp.Close(), r.tcp.Close()) }

// serve answers until ctx ends.
func (r *resolver) serve(ctx context.Context, log *slog.Logger) error {
	defer context.AfterFunc(ctx, func() { r.close() })()
	failed := make(chan error, 2)
	go func() { failed <- r.serveUDP() }()
	go func() { failed <- r.serveTCP(ctx, log) }()
	err := <-failed
	r.close()
	err = errors.Join(err, <-failed)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve names: %w", err)
}

func (r *resolver) serveUDP() error {
	query := make([]byte, 4096)
	for {
		n, from, err := r.udp.ReadFromUDPAddrPort(query)
		if err != nil {
			return err
		}
		if answer := reply(query[:n], messageLimit); answer != nil {
			// An answer that cannot be sent is asked for again.
			_, _ = r.udp.WriteToUDPAddrPort(answer, from)
		}
	}
}

func (r *resolver) serveTCP(ctx context.Context, log *slog.Logger) error {
	places := make(chan struct{}, tcpClients)
	for {
		places <- struct{}{}
		client, err := r.tcp.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { client.Close(); <-places }()
			defer context.AfterFunc(ctx, func() { client.Close() })()
			if err := converse(client); !errors.Is(err, io.EOF) {
				log.DebugContext(ctx, "a client of the resolver left", "reason", err)
			}
		}()
	}
}

// converse answers one connection's queries, each with its length in front.
func converse(client net.Conn) error {
	for {
		if err := client.SetDeadline(time.Now().Add(tcpPatience)); err != nil {
			return err
		}
		var length [2]byte
		if _, err := io.ReadFull(client, length[:]); err != nil {
			return err
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(client, query); err != nil {
			return err
		}
		answer := reply(query, 0xffff)
		if answer == nil {
			return errors.New("it sent something that is no query")
		}
		if _, err := client.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return err
		}
	}
}
