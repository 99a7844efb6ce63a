package canonical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// CalloutConfig lets plugins onto an external NATS server whose auth_callout asks
// the core about everybody who connects.
type CalloutConfig struct {
	Seed   string // of the account key that the server trusts as its auth_callout's issuer
	System string // address with a user of the server's system account; empty: a connection of a plugin that is disabled ends with its token
}

const (
	calloutSubject = "$SYS.REQ.USER.AUTH"
	userInfo       = "$SYS.REQ.USER.INFO"
	calloutQueue   = "vivified"
	// mostKnown is how many connections of one plugin are kept in mind; with another
	// one, the oldest is closed.
	mostKnown = 8 * mostGuests
)

// connection is the server a client is at, and the number it has there.
type connection struct {
	server string
	id     uint64
}

// callout answers what an external server asks.
type callout struct {
	doorkeeper[connection]
	lane    *Lane
	key     nkeys.KeyPair
	account string // that of the core, where plugins go too
	system  *nats.Conn
}

// openCallout answers until ctx ends.
func (l *Lane) openCallout(ctx context.Context, c CalloutConfig) (*callout, error) {
	key, err := nkeys.FromSeed([]byte(c.Seed))
	if err != nil {
		return nil, fmt.Errorf("read the seed of the callout's account key: %w", err)
	}
	if public, err := key.PublicKey(); err != nil || !nkeys.IsValidPublicAccountKey(public) {
		return nil, errors.New("the seed of the callout is not that of an account key, which begins with SA")
	}
	o := &callout{lane: l, key: key}
	o.out = o.kick
	if o.account, err = l.ownAccount(ctx); err != nil {
		return nil, err
	}
	if c.System != "" {
		if o.system, err = nats.Connect(c.System, nats.Name("vivified system"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true)); err != nil {
			return nil, fmt.Errorf("connect to the system account of the event bus: %w", err)
		}
		context.AfterFunc(ctx, o.system.Close)
	}
	sub, err := l.Bus.Conn.QueueSubscribe(calloutSubject, calloutQueue, func(m *nats.Msg) { go o.answer(m) })
	if err != nil {
		return nil, fmt.Errorf("listen for those who connect to the event bus: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	return o, nil
}

// ownAccount asks the server for the account the core is in.
func (l *Lane) ownAccount(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	answer, err := l.Bus.Conn.RequestWithContext(ctx, userInfo, nil)
	if err != nil {
		return "", fmt.Errorf("ask the event bus for the core's account: %w", err)
	}
	var info struct {
		Data struct {
			Account string `json:"account"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil || info.Data.Account == "" {
		return "", fmt.Errorf("the event bus did not say which account the core is in: %w", err)
	}
	return info.Data.Account, nil
}

// answer says who it is that connects, in a token of the callout's account, or that
// nobody known does.
func (o *callout) answer(m *nats.Msg) {
	asked, err := jwt.DecodeAuthorizationRequestClaims(string(m.Data))
	if err != nil {
		o.lane.Log.Warn("the event bus asks about a connection in a way that cannot be read", "error", err)
		return
	}
	said := jwt.NewAuthorizationResponseClaims(asked.UserNkey)
	said.Audience = asked.Server.ID
	if said.Jwt, err = o.user(asked); err != nil {
		o.lane.Log.Info("a plugin may not onto the bus", "from", asked.ClientInformation.Host, "error", err)
		said.Error = "the token is not that of an active plugin"
	}
	text, err := said.Encode(o.key)
	if err == nil {
		err = m.Respond([]byte(text))
	}
	if err != nil {
		o.lane.Log.Warn("the event bus got no answer about a connection", "error", err)
	}
}

// user proves a plugin and returns what it may on the bus.
func (o *callout) user(asked *jwt.AuthorizationRequestClaims) (string, error) {
	token := asked.ConnectOptions.Token
	if token == "" {
		token = asked.ConnectOptions.Password
	}
	g, err := o.lane.admit(token, asked.ClientInformation.Host)
	if err != nil {
		return "", err
	}
	for o.here(g.who.ID) >= mostKnown { // many of them may have ended: the server does not say
		first := o.oldest(g.who.ID)
		o.kick(first)
		o.forget(first)
	}
	u := jwt.NewUserClaims(asked.UserNkey)
	u.Name, u.Audience, u.Expires = g.who.ID, o.account, g.ends.Unix()
	u.Permissions.Pub.Allow.Add(inward(g.who.ID) + ".>")
	u.Permissions.Sub.Allow.Add(outward(g.who.ID) + ".>")
	text, err := u.Encode(o.key)
	if err != nil {
		return "", err
	}
	o.enter(connection{asked.Server.ID, asked.ClientInformation.ID}, g)
	return text, nil
}

// kick closes a connection at its server.
func (o *callout) kick(c connection) {
	if o.system == nil {
		return // nothing reaches it, and it ends with its token
	}
	order, _ := json.Marshal(map[string]uint64{"cid": c.id})
	if _, err := o.system.Request("$SYS.REQ.SERVER."+c.server+".KICK", order, time.Second); err != nil {
		o.lane.Log.Warn("a connection of a plugin was not closed", "server", c.server, "connection", c.id, "error", err)
	}
}
