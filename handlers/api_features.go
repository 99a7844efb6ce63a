package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// features handles GET /admin/features: what the console shows this person.
func (s *Server) features(c echo.Context) error {
	who, snap := actor.From(c.Request().Context()), s.Registry.Snapshot()
	type page struct {
		Page    string `json:"page"`
		Path    string `json:"path"`
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reason,omitempty"`
	}
	type plugin struct {
		Plugin  string   `json:"plugin"`
		Traits  []string `json:"traits"`
		Allowed bool     `json:"allowed"`
		Reason  string   `json:"reason,omitempty"`
	}
	pages, list := []page{}, []plugin{}
	for _, p := range consolePages {
		v := page{Page: p.title, Path: p.path, Allowed: who.Traits.Covers(trait.SetOf(p.needs...))}
		if !v.Allowed {
			v.Reason = "needs " + missingNames(snap.Traits(), who.Traits.Missing(trait.SetOf(p.needs...)))
		}
		pages = append(pages, v)
	}
	for _, p := range snap.Plugins() {
		need := p.Manifest.Security.Requires.Traits
		missing := who.Traits.MissingFor(p.Manifest.Security.Classes).Union(who.Traits.Missing(need))
		v := plugin{Plugin: p.ID, Traits: snap.Traits().Names(p.Traits), Allowed: missing.Empty() && len(p.Manifest.Security.Requires.Unknown) == 0}
		if !v.Allowed {
			v.Reason = "needs " + missingNames(snap.Traits(), missing)
		}
		list = append(list, v)
	}
	body, err := json.Marshal(map[string]any{"pages": pages, "plugins": list})
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
