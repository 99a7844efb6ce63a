package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
)

// mostBundle is how many bytes an uploaded bundle may have.
const mostBundle = 2<<30 + margin

// marketplaceAPI is the part of the table by which programs fill the shelf and
// install from it.
func (s *Server) marketplaceAPI() []route {
	manage, chief := []trait.ID{trait.PluginManager}, []trait.ID{trait.Admin}
	const shelf, one, key, job = "/admin/marketplace", "/admin/marketplace/bundles/:digest", "/admin/marketplace/keys", "/admin/jobs/:id"
	return []route{
		{method: get, path: shelf, who: users, needs: manage, action: "marketplace.view", handler: s.listShelf},
		{method: get, path: shelf + "/:id", who: users, needs: manage, action: "marketplace.view", handler: s.showListing},
		{method: post, path: shelf + "/bundles", who: users, needs: manage, action: "marketplace.import", handler: s.importBundle, body: mostBundle, slow: true, fresh: true},
		{method: get, path: one, who: users, needs: manage, action: "marketplace.view", handler: s.sendBundle, slow: true},
		{method: del, path: one, who: users, needs: manage, action: "marketplace.remove", handler: s.removeBundle, fresh: true},
		{method: post, path: one + "/install", who: users, needs: manage, action: "plugin.install", handler: s.installBundle, fresh: true},
		{method: get, path: key, who: users, needs: manage, action: "marketplace.view", handler: s.listPublisherKeys},
		{method: post, path: key, who: users, needs: chief, action: "marketplace.key.add", handler: s.addPublisherKey, body: 16 << 10, fresh: true},
		{method: post, path: key + "/:id/revoke", who: users, needs: chief, action: "marketplace.key.revoke", handler: s.revokePublisherKey, body: 16 << 10, fresh: true},
		{method: get, path: "/admin/jobs", who: users, needs: manage, action: "job.view", handler: s.listJobs},
		{method: get, path: job, who: users, needs: manage, action: "job.view", handler: s.showJob, slow: true},
		{method: post, path: job + "/cancel", who: users, needs: manage, action: "job.cancel", handler: s.cancelJob},
		{method: post, path: job + "/retry", who: users, needs: manage, action: "plugin.install", handler: s.retryJob, fresh: true},
	}
}

// bundleView is one bundle, judged.
type bundleView struct {
	*market.Version
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Publisher   string   `json:"publisher"`
	Category    string   `json:"category"`
	Traits      []string `json:"traits"`
	Classes     []string `json:"data_classification"`
	Domains     []string `json:"allowed_domains"`
	Runtime     string   `json:"runtime"`
}

func (s *Server) bundleView(v *market.Version) bundleView {
	out := bundleView{Version: v, Traits: []string{}, Classes: []string{}, Domains: []string{}}
	if m := v.Manifest; m != nil {
		out.ID, out.Name, out.Description, out.Publisher, out.Category, out.Runtime = m.ID, m.Name, m.Description, m.Publisher, m.Category, m.Runtime.Kind
		out.Traits = append(out.Traits, s.Registry.Snapshot().Traits().Names(m.Traits)...)
		out.Classes = append(out.Classes, m.Security.Classes.Names()...)
		out.Domains = append(out.Domains, m.AllowedDomains...)
	}
	return out
}

// listingView is a plugin on the shelf.
type listingView struct {
	ID        string       `json:"id"`
	Installed string       `json:"installed,omitempty"` // the version that is here
	Versions  []bundleView `json:"versions"`
}

func (s *Server) listingView(l *market.Listing) listingView {
	out := listingView{ID: l.ID, Versions: make([]bundleView, len(l.Versions))}
	for i := range l.Versions {
		out.Versions[i] = s.bundleView(&l.Versions[i])
	}
	if p, ok := s.Registry.Snapshot().Plugin(l.ID); ok {
		out.Installed = p.Version
	}
	return out
}

// listShelf handles GET /admin/marketplace.
func (s *Server) listShelf(c echo.Context) error {
	all, err := s.Shelf.Listings(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]listingView, len(all))
	for i := range all {
		items[i] = s.listingView(&all[i])
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// showListing handles GET /admin/marketplace/:id.
func (s *Server) showListing(c echo.Context) error {
	l, err := s.Shelf.Listing(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.listingView(l))
}

// importBundle handles POST /admin/marketplace/bundles, whose body is a .vvplugin.
func (s *Server) importBundle(c echo.Context) error {
	r := c.Request()
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != bundle.TypeFile {
		return fault.New(fault.Invalid, "body.type", "Send the file as it is, with Content-Type: %s.", bundle.TypeFile)
	}
	v, err := s.Shelf.Import(r.Context(), r.Body, "upload")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, s.bundleView(v))
}

// sendBundle handles GET /admin/marketplace/bundles/:digest.
func (s *Server) sendBundle(c echo.Context) error {
	v, err := s.Shelf.Version(c.Request().Context(), c.Param("digest"))
	if err != nil {
		return err
	}
	name := "plugin"
	if v.Manifest != nil {
		name = v.Manifest.ID + "-" + v.Manifest.Version
	}
	h := c.Response().Header()
	h.Set("Content-Type", bundle.TypeFile)
	h.Set("Content-Disposition", `attachment; filename="`+name+bundle.Extension+`"`)
	c.Response().WriteHeader(http.StatusOK)
	return s.Shelf.Store.Export(piecesOf(c), v.Digest)
}

// removeBundle handles DELETE /admin/marketplace/bundles/:digest.
func (s *Server) removeBundle(c echo.Context) error {
	if err := s.Shelf.Remove(c.Request().Context(), c.Param("digest")); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// installBundle handles POST /admin/marketplace/bundles/:digest/install.
func (s *Server) installBundle(c echo.Context) error {
	var in struct {
		Enable bool `json:"enable"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	j, err := s.Installer.Install(c.Request().Context(), pluginmgr.Wish{Digest: c.Param("digest"), Enable: in.Enable})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/admin/jobs/"+j.ID.String())
	return c.JSON(http.StatusAccepted, map[string]any{"job": j})
}

// listPublisherKeys handles GET /admin/marketplace/keys.
func (s *Server) listPublisherKeys(c echo.Context) error {
	keys, err := s.Shelf.Keys(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"items": keys})
}

// addPublisherKey handles POST /admin/marketplace/keys.
func (s *Server) addPublisherKey(c echo.Context) error {
	var in struct{ Name, PEM string }
	if err := bind(c, &in); err != nil {
		return err
	}
	k, err := s.Shelf.AddKey(c.Request().Context(), in.Name, in.PEM)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, k)
}

// revokePublisherKey handles POST /admin/marketplace/keys/:id/revoke.
func (s *Server) revokePublisherKey(c echo.Context) error {
	var in struct{ Reason string }
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := s.Shelf.RevokeKey(c.Request().Context(), c.Param("id"), in.Reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "revoked"})
}
