package operator

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// Caller delivers one request to a running plugin, whatever it runs in. The
// request's URL carries path and query only. The answer's body is the caller's to close.
type Caller interface {
	Call(ctx context.Context, to *registry.Plugin, r *http.Request) (*http.Response, error)
}

// Tokens signs what the core says to plugins.
type Tokens interface {
	// CallToken returns a token that only audience accepts, for this very method and path.
	CallToken(audience, caller, user, trace, method, path string) (string, error)
	// Delegation returns what the target may hand back to act for the user in this trace.
	Delegation(plugin string, user actor.Actor, trace string) (string, error)
}

// Config is what the lane needs.
type Config struct {
	Plugins *registry.Registry
	Gate    *gate.Gate
	Caller  Caller
	Tokens  Tokens
	IDs     IDs // nil: every plugin calls a thing the same
	Log     *slog.Logger
	Limits  Limits
	Now     func() time.Time // default time.Now
}

// Limits bound what one caller may ask of the lane.
type Limits struct {
	Timeout  time.Duration // until an answer begins, for endpoints that state none; default 10 s
	Longest  time.Duration // what a caller may ask for at most, and how long a streamed answer may stand still; default 60 s
	Drain    time.Duration // how long calls of a disabled plugin may go on; default 10 s
	Body     int64         // bytes of a request or an answer; default 10 MiB
	Rate     int           // requests a second and caller; default 1,000
	InFlight int           // requests at a time and caller; default 64
	AtTarget int           // requests at a time and target; default four times those of a caller
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&l.Timeout, 10*time.Second)
	set(&l.Longest, time.Minute)
	set(&l.Drain, 10*time.Second)
	if l.Body <= 0 {
		l.Body = 10 << 20
	}
	if l.Rate <= 0 {
		l.Rate = 1000
	}
	if l.InFlight <= 0 {
		l.InFlight = 64
	}
	if l.AtTarget <= 0 {
		l.AtTarget = 4 * l.InFlight
	}
	return l
}

// Lane carries operator calls. Safe for concurrent use.
type Lane struct {
	plugins *registry.Registry
	gate    *gate.Gate
	out     Caller
	tokens  Tokens
	ids     IDs
	log     *slog.Logger
	limits  Limits
	now     func() time.Time
	callers *gate.Throttle
	targets targets
	flights flights
	routes  sync.Map // *manifest.Manifest → *routes
}

// New returns the lane.
func New(c Config) *Lane {
	limits := c.Limits.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Lane{
		plugins: c.Plugins, gate: c.Gate, out: c.Caller, tokens: c.Tokens, ids: c.IDs, log: c.Log, limits: limits, now: c.Now,
		callers: gate.NewThrottle(limits.Rate, limits.InFlight), targets: targets{most: limits.AtTarget},
	}
}

// Run ends the calls of plugins that leave the lane, and drops what was kept for
// them and for manifests that are no longer in force, until ctx ends.
func (l *Lane) Run(ctx context.Context) error {
	for {
		changed := l.plugins.Changed()
		live, snap := map[*manifest.Manifest]bool{}, l.plugins.Snapshot()
		for _, p := range snap.Plugins() {
			live[p.Manifest] = true
		}
		l.flights.ground(snap, l.limits.Drain)
		l.targets.forget(func(id string) bool { return flies(standing(snap, id)) })
		l.routes.Range(func(m, _ any) bool {
			if !live[m.(*manifest.Manifest)] {
				l.routes.Delete(m)
			}
			return true
		})
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// Call is one request for an operation of a plugin.
type Call struct {
	Route
	Method   string
	Header   http.Header // the caller's; only what a target may see is passed on
	Body     io.Reader   // nil: none
	Length   int64       // of the body; -1: unknown
	Payload  []byte      // of the early clients' wrapped form, in place of Body
	Wrapped  bool        // the early form: POST with a payload, GET without, where the manifest names no method
	Timeout  time.Duration
	OnBehalf *actor.Actor // the user a plugin acts for

	sent *atomic.Bool // the body was read to its end, or there is none
}

// Answer is what came back. Close its body.
type Answer struct {
	Status   int
	Header   http.Header
	Body     io.ReadCloser
	Decision string
}

// Call decides, carries and answers c. Errors are faults: the caller's (Invalid,
// Unprocessable, TooLarge, TooMany), the policy's (Denied, NotFound,
// Unauthenticated), and the target's (BadGateway, Timeout, and Unavailable for one
// that is out of service, busy, or failed most of its last calls).
func (l *Lane) Call(ctx context.Context, c Call) (*Answer, error) {
	who, snap := actor.From(ctx), l.plugins.Snapshot()
	release, err := l.callers.Enter(who.ID)
	if err != nil {
		return nil, err
	}
	done := &ending{release: release}
	defer done.unlessHanded()
	c.sent = new(atomic.Bool)

	target, ok := snap.Plugin(c.Target)
	r := &policy.Request{Action: policy.OperatorCall, Subject: subject(snap, who), Method: c.Method, Trace: actor.Trace(ctx), At: time.Now(), Resource: policy.Resource{Name: c.name()}}
	note := gate.Note{Plugin: who.ID, Object: c.Target + "/" + c.name(), Level: audit.Basic}
	if c.OnBehalf != nil {
		r.OnBehalf = &policy.Party{Kind: actor.User, ID: c.OnBehalf.ID, Name: c.OnBehalf.Name, Tenant: c.OnBehalf.Tenant, Traits: c.OnBehalf.Traits}
	}
	if who.Kind != actor.Plugin {
		note.Plugin = c.Target
	}
	var match match
	if ok {
		match, r.Resource.Declared = l.resolve(target.Manifest, c)
		l.facts(r, snap, target, match)
		note.Level = max(target.Level(), callerLevel(snap, who))
		note.Object = c.Target + "/" + match.label(c)
	}
	note.Context = asked{c.Method, c.Path.String()}
	var out *http.Request
	// Everything that can be wrong with the request is found before the decision is
	// recorded, so that an allowed call is a call that was made. Who is denied learns
	// nothing of it, and has no body read.
	passage, err := l.gate.PassAfter(ctx, r, note, func(n *gate.Note) (err error) {
		if !ok {
			return fault.New(fault.NotFound, "operator.target", "There is no plugin %s.", c.Target)
		}
		if out, err = l.request(ctx, target, match, c); err == nil {
			n.Context = asked{out.Method, out.URL.EscapedPath()}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	answer, err := l.carry(ctx, target, match, c, r, out, passage, done)
	if err != nil {
		f := *fault.Of(err)
		f.Decision = passage.ID.String()
		passage.End(ctx, audit.Failed, map[string]any{"code": f.Code, "error": f.Sentence})
		return nil, &f
	}
	return answer, nil
}

// asked is what the audit keeps of a call, beside who and whether.
type asked struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

func (c Call) name() string {
	if c.Operation != "" {
		return c.Operation
	}
	return c.Path.String()
}

// subject is the acting party with the facts of this moment: a plugin's state
// and traits come from the registry, never from its token.
func subject(snap *registry.Snapshot, who actor.Actor) policy.Party {
	if who.Kind == actor.Plugin {
		if p, ok := snap.Plugin(who.ID); ok {
			return p.Party()
		}
		return policy.Party{Kind: actor.Plugin, ID: who.ID, State: "unregistered"}
	}
	return policy.Party{Kind: who.Kind, ID: who.ID, Name: who.Name, Tenant: who.Tenant, Traits: who.Traits}
}

// facts completes r with what the manifest and the registry say of the endpoint.
func (l *Lane) facts(r *policy.Request, snap *registry.Snapshot, target *registry.Plugin, m match) {
	r.Target = target.Party()
	e := m.endpoint
	if e.Name != "" {
		r.Resource.Name = e.Name
	}
	r.Resource.Requires, r.Resource.Unknown = e.Requires.Traits, e.Requires.Unknown
	r.Resource.Classes = e.Classes
	r.Resource.Encrypts = target.Traits.Has(requiresEncryption)
	r.Resource.Granted = snap.Granted(r.Subject.ID, target.ID, e.Name, r.At)
	r.Resource.People = target.Manifest.Security.Requires.Traits
	if r.Subject.Kind == actor.User || r.OnBehalf != nil {
		r.Resource.Unknown = append(r.Resource.Unknown[:len(r.Resource.Unknown):len(r.Resource.Unknown)], target.Manifest.Security.Requires.Unknown...)
	}
}

func callerLevel(snap *registry.Snapshot, who actor.Actor) audit.Level {
	if p, ok := snap.Plugin(who.ID); ok && who.Kind == actor.Plugin {
		return p.Level()
	}
	return audit.Basic
}

// ending lets the caller's slot go when the call is over: at once on failure,
// when the body is closed on success.
type ending struct {
	release func()
	handed  bool
}

// add has f run before what is let go already.
func (e *ending) add(f func()) {
	then := e.release
	e.release = func() { f(); then() }
}

func (e *ending) unlessHanded() {
	if !e.handed {
		e.release()
	}
}

// routes are the endpoints of one manifest, compiled.
type routes struct {
	byName map[string]route
	byPath []route // more specific templates first
}

type route struct {
	endpoint manifest.Endpoint
	template Template
	marks    *canon.Marks  // of the response schema
	asks     *canon.Marks  // of the request schema
	input    *input        // nil: not checked
	output   *canon.Schema // nil: not checked
}

// match is the endpoint a call found, with the values its path gave.
type match struct {
	route
	params url.Values
	found  bool
}

func (m match) label(c Call) string {
	if m.found {
		return m.endpoint.Name
	}
	return c.name()
}
