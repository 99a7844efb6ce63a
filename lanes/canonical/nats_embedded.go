package canonical

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/vivified/vivified/core/fault"
)

// gatekeeper lets clients onto the server inside the core: the core itself by a
// password that lives as long as the process, and plugins by their tokens.
type gatekeeper struct {
	doorkeeper[uint64]
	password string
	server   atomic.Pointer[server.Server]
	admit    atomic.Pointer[func(token, address string) (guest, error)]
	log      *slog.Logger
}

// coreUser is the core's own name on its server.
const coreUser = "core"

func newGatekeeper(log *slog.Logger) *gatekeeper {
	k := &gatekeeper{password: rand.Text(), log: log}
	k.out = func(id uint64) {
		if s := k.server.Load(); s != nil {
			_ = s.DisconnectClientByID(id) // it may have left by itself
		}
	}
	return k
}

// Check implements server.Authentication.
func (k *gatekeeper) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if c.Kind() != server.CLIENT {
		return false
	}
	if o.Username == coreUser {
		if subtle.ConstantTimeCompare([]byte(o.Password), []byte(k.password)) != 1 {
			return false
		}
		c.RegisterUser(&server.User{Username: coreUser})
		return true
	}
	admit := k.admit.Load()
	token := o.Token
	if token == "" {
		token = o.Password
	}
	if admit == nil || token == "" {
		return false
	}
	g, err := (*admit)(token, hostOf(c.RemoteAddress()))
	if err != nil {
		k.log.Info("a plugin may not onto the bus", "from", c.RemoteAddress().String(), "code", fault.Of(err).Code)
		return false
	}
	if k.here(g.who.ID) >= mostGuests {
		k.prune()
		if k.here(g.who.ID) >= mostGuests {
			k.log.Warn("a plugin has too many connections to the bus", "plugin", g.who.ID, "most", mostGuests)
			return false
		}
	}
	k.enter(c.GetID(), g)
	c.RegisterUser(&server.User{
		Username: g.who.ID, ConnectionDeadline: g.ends,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{inward(g.who.ID) + ".>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{outward(g.who.ID) + ".>"}},
		},
	})
	return true
}

// prune forgets connections that ended by themselves.
func (k *gatekeeper) prune() {
	s := k.server.Load()
	if s == nil {
		return
	}
	open, err := s.Connz(&server.ConnzOptions{Limit: 1 << 16})
	if err != nil {
		return
	}
	here := make(map[uint64]bool, len(open.Conns))
	for _, c := range open.Conns {
		here[c.Cid] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.guests {
		if !here[id] {
			delete(k.guests, id)
		}
	}
}

func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	if at, err := netip.ParseAddrPort(a.String()); err == nil {
		return at.Addr().Unmap().String()
	}
	return ""
}

// listenFor sets where the server listens for plugins. Beyond loopback that is over TLS.
func listenFor(o *server.Options, address string, secure *tls.Config) error {
	if address == "" {
		o.DontListen = true
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	if o.Host, o.Port = host, n; n == 0 {
		o.Port = server.RANDOM_PORT
	}
	if secure != nil {
		o.TLSConfig, o.TLSTimeout = secure, 5
		return nil
	}
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
		return fault.New(fault.Invalid, "nats_listen", "Plugins reach the bus in clear on loopback only: set tls_cert_file and tls_key_file, or listen on 127.0.0.1.")
	}
	return nil
}

// Address is where plugins reach the server inside the core; invalid: nowhere.
func (b *Bus) Address() netip.AddrPort {
	if b.server == nil {
		return netip.AddrPort{}
	}
	tcp, ok := b.server.Addr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return tcp.AddrPort()
}
