package handlers

import (
	"cmp"

	"github.com/vivified/vivified/core/trait"
)

// SafeNext and Compare are for fuzzing.
var (
	SafeNext = safeNext
	Compare  = changes
)

// Needs is what the table says a person must hold for every route, by method and
// path, and whether people are let in at all.
func (s *Server) Needs() map[[2]string]trait.Set {
	all := map[[2]string]trait.Set{}
	for _, r := range s.table {
		if r.who == users || r.who == parties {
			all[[2]string{r.method, r.path}] = trait.SetOf(r.needs...)
		}
	}
	return all
}

// Actions is what the table has people's requests decided as, by method and path.
func (s *Server) Actions() map[[2]string]string {
	all := map[[2]string]string{}
	for _, r := range s.table {
		if r.who == users || r.who == parties {
			all[[2]string{r.method, r.path}] = cmp.Or(r.action, usualAction)
		}
	}
	return all
}

// Fresh is whether a route wants a fresh proof, of all that answer people, by
// method and path.
func (s *Server) Fresh() map[[2]string]bool {
	all := map[[2]string]bool{}
	for _, r := range s.table {
		if r.who == users || r.who == parties {
			all[[2]string{r.method, r.path}] = r.fresh
		}
	}
	return all
}
