package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// feature is something a person may do, or may not do now, with the reason.
type feature struct {
	Action  string   `json:"action"`
	Allowed bool     `json:"allowed"`
	Reason  string   `json:"reason,omitempty"`
	Traits  []string `json:"missing,omitempty"` // that would allow it
}

// reach is a plugin that a person may reach, or not now, with the reason.
type reach struct {
	Plugin  string   `json:"plugin"`
	Traits  []string `json:"traits"`
	Allowed bool     `json:"allowed"`
	Reason  string   `json:"reason,omitempty"`
}

// features handles GET /admin/features: what the console shows this person. What
// they may not see is not there; what they may see and not do now has its reason.
func (s *Server) features(c echo.Context) error {
	who := actor.From(c.Request().Context())
	type page struct {
		Page string `json:"page"`
		Path string `json:"path"`
	}
	pages := []page{}
	for _, p := range consolePages {
		if who.Traits.Covers(trait.SetOf(p.needs...)) {
			pages = append(pages, page{p.title, p.path})
		}
	}
	plugins := []reach{}
	for _, p := range s.reachable(who) {
		if p.Allowed || who.Has(trait.Viewer) {
			plugins = append(plugins, p)
		}
	}
	return tagged(c, map[string]any{"pages": pages, "actions": s.actionsOf(who), "plugins": plugins})
}

// actionsOf are the actions of the route table whose family has at least one that
// who may do: whoever may look at plugins sees that they may not enable one.
func (s *Server) actionsOf(who actor.Actor) []feature {
	traits := s.Registry.Snapshot().Traits()
	needs := map[string]trait.Set{}
	for _, r := range s.table {
		if r.who == anyone || r.who == plugins || r.action == "" || len(r.needs) == 0 {
			continue
		}
		want := trait.SetOf(r.needs...)
		// One action may have several routes; the easiest of them counts.
		if have, ok := needs[r.action]; !ok || who.Traits.Covers(want) || want.Len() < have.Len() && !who.Traits.Covers(have) {
			needs[r.action] = want
		}
	}
	seen := map[string]bool{} // families with something allowed
	for action, want := range needs {
		if who.Traits.Covers(want) {
			family, _, _ := strings.Cut(action, ".")
			seen[family] = true
		}
	}
	list := []feature{}
	for _, action := range slices.Sorted(maps.Keys(needs)) {
		if family, _, _ := strings.Cut(action, "."); !seen[family] {
			continue
		}
		f := feature{Action: action, Allowed: who.Traits.Covers(needs[action])}
		if missing := who.Traits.Missing(needs[action]); !f.Allowed {
			f.Traits, f.Reason = traits.Names(missing), "needs "+missingNames(traits, missing)
		}
		list = append(list, f)
	}
	return list
}

// reachable says of each plugin whether a person's traits let them reach it.
func (s *Server) reachable(who actor.Actor) []reach {
	snap := s.Registry.Snapshot()
	var list []reach
	for _, p := range snap.Plugins() {
		missing := who.Traits.MissingFor(p.Manifest.Security.Classes).Union(who.Traits.Missing(p.Manifest.Security.Requires.Traits))
		v := reach{Plugin: p.ID, Traits: snap.Traits().Names(p.Traits), Allowed: missing.Empty() && len(p.Manifest.Security.Requires.Unknown) == 0}
		if !v.Allowed {
			v.Reason = "needs " + missingNames(snap.Traits(), missing)
		}
		list = append(list, v)
	}
	return list
}

// tagged answers JSON with an ETag, or 304 to whoever has it already.
func tagged(c echo.Context, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := c.Response().Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache")
	if c.Request().Header.Get("If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSONBlob(http.StatusOK, body)
}

func missingNames(r *trait.Registry, missing trait.Set) string {
	names := r.Names(missing)
	slices.Sort(names)
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}
