package proxy_test

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver is a real DNS server on loopback that answers what answer says.
type nameserver struct {
	address netip.AddrPort
	asked   atomic.Int64
}

// mute is the answer of a name server that gives none.
var mute = []netip.Addr{{}}

// startNameserver serves A and AAAA questions until the test ends. A name that
// answer gives nothing for does not exist.
func startNameserver(t testing.TB, answer func(name string) []netip.Addr) *nameserver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ns := &nameserver{address: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := ns.reply(buf[:n], answer); reply != nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return ns
}

func (ns *nameserver) reply(question []byte, answer func(string) []netip.Addr) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	var addrs []netip.Addr
	if q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA {
		ns.asked.Add(1)
		if addrs = answer(strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))); len(addrs) == 0 {
			m.RCode = dnsmessage.RCodeNameError
		}
	}
	for _, a := range addrs {
		if !a.IsValid() {
			return nil
		}
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 0}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// names answers from a table.
func names(table map[string][]string) func(string) []netip.Addr {
	return func(name string) []netip.Addr {
		var addrs []netip.Addr
		for _, s := range table[name] {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		return addrs
	}
}
