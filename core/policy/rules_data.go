package policy

import (
	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// owned looks at who keeps a thing. The service that keeps it says whose it is.
func owned(r *Request) verdict {
	switch {
	case r.Subject.Kind == actor.Plugin && !r.Resource.Granted:
		return denied(word{sentence: r.Subject.ID + " keeps nothing here, and nobody shared it.", grantors: managers})
	case r.Subject.Kind == actor.User && r.Resource.Requires.Empty():
		return denied(word{sentence: "Nobody said which trait this needs, so nobody may do it."})
	case r.Subject.Kind == actor.User:
		if missing := r.Subject.Traits.Missing(r.Resource.Requires); !missing.Empty() {
			return denied(word{sentence: "You may not do this.", missing: missing, grantors: userGrants})
		}
	}
	if r.OnBehalf != nil {
		if missing := r.OnBehalf.Traits.Missing(r.Resource.Requires); !missing.Empty() {
			return denied(word{sentence: "The person acted for may not do this.", missing: missing, grantors: userGrants})
		}
	}
	return verdict{outcome: pass}
}

func userClasses(r *Request) verdict {
	if r.Subject.Kind != actor.User {
		return verdict{}
	}
	missing := r.Subject.Traits.MissingFor(r.Resource.Classes)
	if missing.Empty() {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "This operation answers with " + r.Resource.Classes.Highest().String() + " data, which needs more than you hold.", missing: missing})
}

func covered(r *Request) verdict {
	if missing := r.Subject.Traits.MissingFor(r.Resource.Classes); !missing.Empty() {
		return denied(word{sentence: r.Subject.ID + " handles data of a class its traits do not cover.", missing: missing, grantors: helpers(r.Subject.Kind)})
	}
	if r.OnBehalf == nil {
		return verdict{outcome: pass}
	}
	if missing := r.OnBehalf.Traits.MissingFor(r.Resource.Classes); !missing.Empty() {
		return denied(word{sentence: "The person acted for may not see data of this class.", missing: missing, grantors: userGrants})
	}
	return verdict{outcome: pass}
}

func encryption(r *Request) verdict {
	party := &r.Subject
	if r.Action == EventDeliver {
		party = &r.Target
	}
	if !r.Resource.Encrypts {
		return verdict{}
	}
	if party.Traits.Has(trait.EncryptionCapable) {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "This resource requires encryption.", missing: trait.SetOf(trait.EncryptionCapable)})
}

// deliver lets the receiver (the target) see what its traits cover, removes the
// rest where the schema marks it, and otherwise keeps the event from it.
func deliver(r *Request) verdict {
	if !r.Resource.Declared {
		return denied(word{sentence: r.Target.ID + " does not subscribe to " + r.Resource.Name + "."})
	}
	missing := r.Target.Traits.MissingFor(r.Resource.Classes)
	if missing.Empty() {
		return verdict{outcome: pass}
	}
	if !r.Resource.Marked {
		return denied(word{sentence: r.Target.ID + " may not see " + r.Resource.Classes.Highest().String() + " data, and this event does not mark which fields carry it.", missing: missing})
	}
	var hidden trait.Classes
	for c := trait.Confidential; c <= trait.PHI; c++ {
		if r.Resource.Classes.Has(c) && !r.Target.Traits.MissingFor(trait.ClassesOf(c)).Empty() {
			hidden = hidden.With(c)
		}
	}
	return verdict{redact, &word{sentence: r.Target.ID + " receives this event without its " + hidden.String() + " fields.", missing: missing, redact: hidden}}
}

func console(r *Request) verdict {
	if r.Subject.Kind == actor.System {
		return verdict{outcome: pass}
	}
	if r.Subject.Kind != actor.User {
		return denied(word{sentence: "Only people administer the platform."})
	}
	if r.Resource.Requires.Empty() && r.Action != ConsoleView {
		return denied(word{sentence: "Nobody said which trait this needs, so nobody may do it."})
	}
	missing := r.Subject.Traits.Missing(r.Resource.Requires)
	if missing.Empty() {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "You may not do this.", missing: missing})
}
