package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

// hop is one request that was decided: the first, or one that a redirect led to.
type hop struct {
	target     Target
	judged     Judged
	unresolved error // why there is nothing to dial; the request was allowed all the same
	passage    gate.Passage
	limit      int64 // body bytes, each way
	began      time.Time
	plugin     string   // who asks
	credential *bound   // added to the request; nil: none
	hide       []string // what of it must not come back in the answer
}

// asked is what the audit keeps of a request, beside who and whether.
type asked struct {
	Method string `json:"method"`
	Scheme string `json:"scheme,omitempty"`
	Host   string `json:"host,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	Path   string `json:"path,omitempty"`
	Query  string `json:"query_hash,omitempty"` // HMAC-SHA-256: comparable, not readable
	Length int64  `json:"bytes"`                // of the body; -1: not known before it is sent
}

// admit decides one request, durably, before anything is dialled. What costs a
// look-up is found out only for a request that everything else allows, so that
// the names of hosts nobody approved do not even reach a name server.
func (l *Lane) admit(ctx context.Context, method, rawURL string, length int64) (*hop, error) {
	who, snap := actor.From(ctx), l.plugins.Snapshot()
	h := &hop{limit: l.limits.Body, began: l.now(), plugin: who.ID}
	r := policy.Request{Action: policy.ProxyRequest, Subject: subject(snap, who), Method: method, Trace: actor.Trace(ctx), At: h.began}
	if who.OnBehalf != nil {
		u := who.OnBehalf
		r.OnBehalf = &policy.Party{Kind: u.Kind, ID: u.ID, Name: u.Name, Tenant: u.Tenant, Traits: u.Traits}
	}
	if err := l.credentials.ready(ctx); err != nil {
		return nil, err
	}
	var malformed error
	if h.target, malformed = ParseURL(rawURL); malformed != nil {
		r.Resource = unreadable(malformed)
	} else {
		r.Resource = l.facts(snap, who, method, h)
		if l.gate.Would(r) {
			if length > h.limit {
				return nil, fault.New(fault.TooLarge, CodeSize, "The body is larger than the %d bytes approved for %s.", h.limit, h.target.Host)
			}
			if err := l.takeApproved(snap, who.ID, h.target.Host); err != nil {
				return nil, err
			}
			l.judge(ctx, h, &r.Resource)
		}
	}
	var err error
	if h.passage, err = l.gate.Pass(ctx, &r, l.note(snap, who, method, h.target, length)); err != nil {
		if fault.Is(err, fault.Denied) && malformed == nil {
			l.usage.count(who.ID, h.target.Host, func(u *Usage) { u.Denied++ })
		}
		if f := fault.Of(err); malformed == nil && (f.Code == "proxy.domain" || f.Code == "proxy.approved") {
			l.learned.add(refused{plugin: who.ID, domain: h.target.Host, rule: f.Code})
		}
		return nil, err
	}
	return h, nil
}

// subject is the acting party with the facts of this moment: a plugin's state and
// traits come from the registry, never from its token.
func subject(snap *registry.Snapshot, who actor.Actor) policy.Party {
	if who.Kind == actor.Plugin {
		if p, ok := snap.Plugin(who.ID); ok {
			return p.Party()
		}
		return policy.Party{Kind: actor.Plugin, ID: who.ID, State: "unregistered"}
	}
	return policy.Party{Kind: who.Kind, ID: who.ID, Name: who.Name, Tenant: who.Tenant, Traits: who.Traits}
}

// unreadable is the resource of a URL that ParseURL refused.
func unreadable(malformed error) policy.Resource {
	f, r := fault.Of(malformed), policy.Resource{Name: "a malformed URL"}
	if f.Code == CodeAddress {
		r.Name, r.Address = "an address", f.Sentence
	} else {
		r.URL = f.Sentence
	}
	return r
}

// facts says what manifest and approvals have to say of the target.
func (l *Lane) facts(snap *registry.Snapshot, who actor.Actor, method string, h *hop) policy.Resource {
	t, res := h.target, policy.Resource{Name: h.target.Host}
	p, ok := snap.Plugin(who.ID)
	if !ok || who.Kind != actor.Plugin {
		return res
	}
	h.credential = l.credentials.of(p.ID, t.Host)
	res.Declared = slices.Contains(p.Manifest.AllowedDomains, t.Host)
	a, ok := snap.Approval(p.ID, t.Host)
	if !ok {
		return res
	}
	res.Egress = a.Judge(t.Scheme, method, t.Path, int(t.Port), h.began)
	protected := p.Traits.Has(trait.HandlesPHI) || p.Traits.Has(trait.HandlesPII) || p.Manifest.Traits.Has(trait.HandlesPHI) || p.Manifest.Traits.Has(trait.HandlesPII)
	// Nor does a credential travel unencrypted.
	if res.Egress == policy.Approved && t.Plain() && (protected || h.credential != nil || p.Manifest.Kind == manifest.Isolate) {
		res.Egress = policy.PlainNotApproved
	}
	if a.Bytes != nil {
		h.limit = min(h.limit, *a.Bytes)
	}
	return res
}

// takeApproved counts the request against the rate of its approval.
func (l *Lane) takeApproved(snap *registry.Snapshot, plugin, host string) error {
	a, ok := snap.Approval(plugin, host)
	if !ok || a.Rate == nil {
		return nil
	}
	if wait, ok := l.approved.take(plugin, host, l.now(), int(*a.Rate)); !ok {
		return slowDown("proxy.rate", wait, "%d requests a minute to %s are approved; wait.", *a.Rate, host)
	}
	return nil
}

// judge looks the host up and judges its addresses. A name server that does not
// answer leaves time to record that it did not.
func (l *Lane) judge(ctx context.Context, h *hop, r *policy.Resource) {
	patience := lookupTime
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	h.judged, err = l.dialer.Judge(ctx, h.target.Host, h.target.Port)
	switch {
	case err == nil:
		r.Resolved = true
	case fault.Is(err, fault.Denied):
		r.Address = fault.Of(err).Sentence
	default:
		h.unresolved = err
	}
}

// note says what the audit keeps of the request.
func (l *Lane) note(snap *registry.Snapshot, who actor.Actor, method string, t Target, length int64) gate.Note {
	n := gate.Note{Object: who.ID, Level: audit.Detailed, Context: asked{
		Method: method, Scheme: t.Scheme, Host: t.Host, Port: t.Port, Path: t.Path, Query: l.hash(t.Query), Length: length,
	}}
	if t.Host != "" {
		n.Object += "/" + t.Host
	}
	if p, ok := snap.Plugin(who.ID); ok && who.Kind == actor.Plugin {
		n.Plugin = p.ID
		if level, ok := audit.ParseLevel(p.Manifest.Compliance.AuditLevel); ok {
			n.Level = level
		}
	}
	return n
}

func (l *Lane) hash(query string) string {
	if query == "" {
		return ""
	}
	mac := hmac.New(sha256.New, l.hashKey)
	mac.Write([]byte(query))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// mismatch records and returns the refusal of a request that names another plugin
// than its credential does.
func (l *Lane) mismatch(ctx context.Context) error {
	who, id := actor.From(ctx), uuid.Must(uuid.NewV7())
	f := fault.New(fault.Denied, "identity.mismatch", "The request names another plugin than its credential does.")
	f.Decision = id.String()
	e := audit.Entry{ID: id, Action: string(policy.ProxyRequest), Object: who.ID, Outcome: audit.Deny, Rule: f.Code}
	if who.Kind == actor.Plugin {
		e.Plugin = who.ID
	}
	if err := l.gate.Record(ctx, e); err != nil {
		return err
	}
	return f
}
