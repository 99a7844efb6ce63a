package identity

import (
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Of whom a second factor is required.
const (
	FactorOfNobody    = "nobody"
	FactorOfSensitive = "sensitive" // whoever holds a sensitive trait
	FactorOfEverybody = "everybody"
)

// Demands is what signing in must show, and for how long it counts.
type Demands struct {
	SecondFactor string        // of whom one is required; one of the FactorOf words
	Grace        time.Duration // how long somebody may go without it after the first sign-in that lacked it
	Fresh        time.Duration // for how long a proof lets dangerous actions through
	BreakGlass   time.Duration // longest life of a session of an account for emergencies
}

// DefaultDemands are those of an installation that sets none.
func DefaultDemands() Demands {
	return Demands{SecondFactor: FactorOfSensitive, Grace: 7 * 24 * time.Hour, Fresh: 10 * time.Minute, BreakGlass: time.Hour}
}

// FactorRequired reports whether a second factor is required of a person now.
func (s *Service) FactorRequired(u User) bool {
	switch s.Demands().SecondFactor {
	case FactorOfNobody:
		return false
	case FactorOfSensitive:
		registry := s.Traits()
		for _, id := range u.Traits.IDs() {
			if registry.Get(id).Sensitive {
				return true
			}
		}
		return false
	}
	return true
}

// lacksFactor reports whether a session lacks the second factor its owner must
// have shown by now. Whoever breaks the glass has shown a reason instead.
func (s *Service) lacksFactor(u User, session db.Session) bool {
	return session.Factor == "" && session.Method != MethodBreakGlass &&
		u.FactorDue != nil && !s.now().Before(*u.FactorDue) && s.FactorRequired(u)
}

// Fresh returns nil when whoever acts may do what is dangerous: they proved
// themselves a moment ago. Keys, plugins and the core itself prove themselves at
// every use and by nothing else. It returns a Denied fault otherwise.
func (s *Service) Fresh(who actor.Actor) error {
	if who.Credential.Kind != CredentialSession || s.now().Sub(who.Credential.Proved) < s.Demands().Fresh {
		return nil
	}
	return fault.New(fault.Denied, "auth.step_up", "This wants a fresh proof that it is you; confirm with your password, a code or a passkey and do it again.")
}
