// Package actor says who acts: a user, a plugin or the system, in which tenant,
// and on whose behalf. It is carried in the context of every request.
//
// It holds facts already proved by a credential; it proves nothing itself.
package actor

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/trait"
)

// Kind tells what sort of party acts.
type Kind string

// The kinds of actor.
const (
	Anonymous Kind = "anonymous"
	User      Kind = "user"
	Plugin    Kind = "plugin"
	System    Kind = "system"
)

// DefaultTenant is the tenant of every row in a single-tenant installation.
const DefaultTenant = "default"

// Actor is a party whose credential was checked.
type Actor struct {
	Kind       Kind
	ID         string // user id (UUID), plugin id, or the name of a part of the core
	Name       string // as shown to people, at this time
	Tenant     string
	Traits     trait.Set // effective traits at the time of the check
	OnBehalf   *Actor    // the user a plugin acts for, or as whom a person looks at the console; or nil
	Credential Credential
}

// Credential tells how the actor proved who it is.
type Credential struct {
	Kind string // session, api_key, plugin_token, socket, or "" for the system
	ID   string // never the secret: the session's, key's or token's identifier

	// Proved is when the person behind a session last proved that it is them, by
	// signing in or by a step-up; zero for every other kind. Dangerous actions want a
	// recent one.
	Proved time.Time `json:"-"`
	// Limited says that a session lacks the second factor that is required of its
	// owner: it carries no traits, and nothing can be done in it but to set one up.
	Limited bool `json:"-"`
}

// Has reports whether the actor holds the trait.
func (a Actor) Has(id trait.ID) bool { return a.Traits.Has(id) }

// Viewing reports whether a person looks at the console as somebody else, which
// changes nothing.
func (a Actor) Viewing() bool { return a.Kind == User && a.OnBehalf != nil }

// Core returns the actor for work the core does by itself, named after the part that does it.
func Core(part string) Actor {
	return Actor{Kind: System, ID: part, Name: "Vivified " + part, Tenant: DefaultTenant}
}

type keyActor struct{}
type keyTrace struct{}
type keyAddress struct{}
type keySocket struct{}

// With returns a context in which a acts.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, keyActor{}, a)
}

// From returns who acts in ctx: an anonymous actor when nobody was proved.
func From(ctx context.Context) Actor {
	if a, ok := ctx.Value(keyActor{}).(Actor); ok {
		return a
	}
	return Actor{Kind: Anonymous, Tenant: DefaultTenant}
}

// WithTrace returns a context that carries a W3C trace id (32 lower-case hex digits).
func WithTrace(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, keyTrace{}, trace)
}

// Trace returns the trace id of ctx, or "".
func Trace(ctx context.Context) string {
	t, _ := ctx.Value(keyTrace{}).(string)
	return t
}

// WithAddress returns a context that carries the source address of the request.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, keyAddress{}, address)
}

// Address returns the source address of the request in ctx, or "".
func Address(ctx context.Context) string {
	a, _ := ctx.Value(keyAddress{}).(string)
	return a
}

// AtSocket returns a context of what comes through the socket of a plugin, which
// is its identity: no other can call there.
func AtSocket(ctx context.Context, plugin string) context.Context {
	return context.WithValue(ctx, keySocket{}, plugin)
}

// Socket returns the plugin through whose socket the request in ctx came, or "".
func Socket(ctx context.Context) string {
	p, _ := ctx.Value(keySocket{}).(string)
	return p
}

// Traceparent returns the W3C header for a trace id, or "" for what is none. The
// core is one hop and keeps no spans of its own: the span id is the second half
// of the trace id.
func Traceparent(trace string) string {
	if len(trace) != 32 {
		return ""
	}
	return "00-" + trace + "-" + trace[16:] + "-01"
}
