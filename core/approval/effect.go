package approval

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Made is what came of an approval.
type Made struct {
	Egress registry.Approval
	Grant  registry.Given
	Until  *time.Time // when it ends; nil: never
}

// action does what was approved, in the transaction that decides.
type action func(ctx context.Context, q *db.Queries) (Made, error)

func nothing(context.Context, *db.Queries) (Made, error) { return Made{}, nil }

// check returns a fault for what cannot be given, and puts the rest into the form
// in which it is kept and compared.
func (s *Service) check(ctx context.Context, a *Ask) error {
	if err := checkTerms(a.Terms, s.now(), a.Kind == Elevation); err != nil {
		return err
	}
	a.Object = strings.TrimSpace(a.Object)
	switch a.Kind {
	case Egress:
		return s.checkEgress(a)
	case Widening:
		return s.checkWidening(a)
	case Elevation:
		return s.checkElevation(ctx, a)
	case Grant:
		return s.checkGrant(a)
	case Setting:
		return s.checkSetting(ctx, a)
	case Policy:
		return violation("approval.kind", "/kind", "Rules are published from their draft, which asks by itself.", "Publish the draft.")
	}
	return violation("approval.kind", "/kind", "There is no such kind of request.", "Ask for egress, widening, elevation, grant or setting.")
}

func (s *Service) plugin(id string) (*registry.Plugin, error) {
	if p, ok := s.Registry.Snapshot().Plugin(id); ok {
		return p, nil
	}
	return nil, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", id)
}

func (s *Service) checkEgress(a *Ask) error {
	p, err := s.plugin(a.Subject)
	if err != nil {
		return err
	}
	a.Object = strings.ToLower(a.Object)
	a.Terms.Learned = !slices.Contains(p.Manifest.AllowedDomains, a.Object)
	if a.Terms.Learned {
		return fault.New(fault.Unprocessable, "proxy.domain", "The manifest of %s does not list %s among its allowed domains; only declared domains can be approved.", p.ID, a.Object)
	}
	return nil
}

func (s *Service) checkWidening(a *Ask) error {
	p, err := s.plugin(a.Subject)
	if err != nil {
		return err
	}
	w, ok := s.Registry.Snapshot().Waiting(p)
	if !ok || w.Digest != a.Object {
		return fault.New(fault.Conflict, "plugin.manifest", "%s waits with another manifest, or with none; look again.", p.ID)
	}
	a.Terms = s.widening(p, w)
	return nil
}

// widening says what waits of a plugin.
func (s *Service) widening(p *registry.Plugin, w registry.Waiting) Terms {
	return Terms{Version: w.Manifest.Version, Traits: s.Registry.Snapshot().Traits().Names(w.Adds), Adds: s.Manifests.Widens(p.ID)}
}

// checkElevation leaves, of the traits asked for, those that bring the others along.
func (s *Service) checkElevation(ctx context.Context, a *Ask) error {
	known := s.Registry.Snapshot().Traits()
	names := a.Terms.Traits
	if len(names) == 0 {
		names = strings.Split(a.Object, "+")
	}
	var wanted trait.Set
	for _, name := range names {
		t, _, ok := known.Lookup(strings.TrimSpace(name))
		if !ok || !t.Assignable.Has(trait.ToUser) {
			return violation("trait.not_assignable", "/object", "This trait does not exist or is not for people.", "Choose from the list of traits.")
		}
		wanted = wanted.With(t.ID)
	}
	person, err := s.person(ctx, a.Subject)
	if err != nil {
		return err
	}
	if person.Traits.Covers(wanted) {
		return fault.New(fault.Conflict, "approval.given", "%s holds %s already.", person.Name, strings.Join(known.Names(wanted), " and "))
	}
	wanted = person.Traits.Missing(wanted)
	for _, id := range wanted.IDs() {
		if rest := wanted.Without(id); !rest.Empty() && known.Effective(rest).Has(id) {
			wanted = rest
		}
	}
	a.Terms.Traits = known.Names(wanted)
	a.Object = strings.Join(a.Terms.Traits, "+")
	return nil
}

// person returns an active person by id.
func (s *Service) person(ctx context.Context, id string) (identity.User, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return identity.User{}, fault.New(fault.NotFound, "user.unknown", "There is no such person.")
	}
	u, err := s.People.User(ctx, parsed)
	if err == nil && u.Status != identity.Active {
		err = fault.New(fault.Conflict, "user.status", "%s is %s and can be given nothing.", u.Name, u.Status)
	}
	return u, err
}

func (s *Service) checkGrant(a *Ask) error {
	if _, err := s.plugin(a.Subject); err != nil {
		return err
	}
	target, err := s.plugin(a.Object)
	if err != nil {
		return err
	}
	a.Terms.Operations = sorted(a.Terms.Operations)
	for _, op := range a.Terms.Operations {
		if _, ok := target.Manifest.Endpoint(op); !ok {
			return fault.New(fault.Unprocessable, "operator.endpoint", "%s declares no operation %q.", a.Object, op)
		}
	}
	return nil
}

// prepare does what can be done before the transaction, and returns the rest.
func (s *Service) prepare(ctx context.Context, k Kind, subject, object string, t Terms, reason string) (action, error) {
	now := s.now()
	if err := checkTerms(t, now, k == Elevation); err != nil {
		return nil, err
	}
	until := t.end(now)
	switch k {
	case Egress:
		return func(ctx context.Context, q *db.Queries) (Made, error) {
			a, err := s.Registry.ApproveIn(ctx, q, registry.Approved{
				Plugin: subject, Domain: object, Methods: t.Methods, PathPrefixes: t.PathPrefixes, Ports: t.Ports, Rate: t.Rate, Bytes: t.Bytes,
				Reason: reason, ExpiresAt: until, Ahead: t.Learned,
			})
			return Made{Egress: a, Until: until}, err
		}, nil
	case Widening:
		a, err := s.Manifests.Acceptance(ctx, subject, object)
		return func(ctx context.Context, q *db.Queries) (Made, error) { return Made{}, s.Registry.AcceptIn(ctx, q, a) }, err
	case Elevation:
		return s.elevate(ctx, subject, t.Traits, reason, until)
	case Setting:
		return s.change(subject, object, reason)
	}
	return func(ctx context.Context, q *db.Queries) (Made, error) {
		g, err := s.Registry.GiveIn(ctx, q, registry.Grant{Caller: subject, Target: object, Operations: t.Operations, Reason: reason, ExpiresAt: until})
		return Made{Grant: g, Until: until}, err
	}, nil
}

// elevate gives a person traits. A trait that they hold meanwhile is left as it is:
// it may have no end.
func (s *Service) elevate(ctx context.Context, subject string, traits []string, reason string, until *time.Time) (action, error) {
	person, err := s.person(ctx, subject)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, q *db.Queries) (Made, error) {
		for _, name := range traits {
			t, _, ok := s.Registry.Snapshot().Traits().Lookup(name)
			if ok && person.Traits.Has(t.ID) {
				continue
			}
			if _, err := s.People.GrantTraitIn(ctx, q, person.ID, identity.TraitGrant{Trait: name, Reason: reason, Expires: until}); err != nil {
				return Made{}, err
			}
		}
		return Made{Until: until}, nil
	}, nil
}

// refusal forgets a manifest that was refused.
func (s *Service) refusal(r Request) action {
	return func(ctx context.Context, q *db.Queries) (Made, error) {
		p, ok := s.Registry.Snapshot().Plugin(r.Subject)
		if !ok || p.Pending == nil {
			return Made{}, nil // traits that came later: nothing is kept of them
		}
		if w, ok := s.Registry.Snapshot().Waiting(p); !ok || w.Digest != r.Object {
			return Made{}, fault.New(fault.Conflict, "plugin.manifest", "%s came with another manifest meanwhile; look again.", r.Subject)
		}
		return Made{}, s.Registry.RefuseIn(ctx, q, p.ID, p.Pending.Raw)
	}
}

// runs reports whether a plugin is in use.
func runs(p *registry.Plugin) bool { return p.State == policy.Active || p.State == policy.Unhealthy }
