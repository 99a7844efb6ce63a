package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/views"
)

// consoleMarketplace are the pages of the shelf and of jobs.
func (s *Server) consoleMarketplace() []route {
	manage, chief := []trait.ID{trait.PluginManager}, []trait.ID{trait.Admin}
	const one, key, job = views.PathMarketplace + "/:id", views.PathPublisherKeys, views.PathJobs + "/:id"
	return []route{
		{method: get, path: views.PathMarketplace, who: users, needs: manage, action: "marketplace.view", handler: s.marketplacePage},
		{method: get, path: views.PathImport, who: users, needs: manage, action: "marketplace.import", handler: s.importPage, fresh: true},
		{method: post, path: views.PathImport, who: users, needs: manage, action: "marketplace.import", handler: s.importFile, body: mostBundle, slow: true, fresh: true},
		{method: get, path: key, who: users, needs: manage, action: "marketplace.view", handler: s.publisherKeysPage},
		{method: get, path: key + "/new", who: users, needs: chief, action: "marketplace.key.add", handler: s.trustKeyPage},
		{method: post, path: key, who: users, needs: chief, action: "marketplace.key.add", handler: s.trustKey, body: form, fresh: true},
		{method: get, path: key + "/:key/revoke", who: users, needs: chief, action: "marketplace.key.revoke", handler: s.askRevokePublisher},
		{method: post, path: key + "/:key/revoke", who: users, needs: chief, action: "marketplace.key.revoke", handler: s.revokePublisher, body: form, fresh: true},
		{method: get, path: one, who: users, needs: manage, action: "marketplace.view", handler: s.listingPage},
		{method: post, path: one + "/install", who: users, needs: manage, action: "plugin.install", handler: s.installNow, body: form, fresh: true},
		{method: get, path: one + "/remove", who: users, needs: manage, action: "marketplace.remove", handler: s.askRemoveBundle},
		{method: post, path: one + "/remove", who: users, needs: manage, action: "marketplace.remove", handler: s.removeBundleNow, body: form, fresh: true},

		{method: get, path: views.PathJobs, who: users, needs: manage, action: "job.view", handler: s.jobsPage},
		{method: get, path: job, who: users, needs: manage, action: "job.view", handler: s.jobPage},
		{method: get, path: job + "/live", who: users, needs: manage, action: "job.view", handler: s.jobLive, slow: true},
		{method: post, path: job + "/cancel", who: users, needs: manage, action: "job.cancel", handler: s.cancelJobNow, body: form},
		{method: post, path: job + "/retry", who: users, needs: manage, action: "plugin.install", handler: s.retryJobNow, body: form, fresh: true},
	}
}

func marketFrame(way ...string) frame {
	return at(views.PathMarketplace, append([]string{"Plugins", "", "Marketplace", views.PathMarketplace}, way...)...)
}

// marketplacePage handles GET /console/marketplace.
func (s *Server) marketplacePage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	all, err := s.Shelf.Listings(ctx)
	if err != nil {
		return err
	}
	props := views.Marketplace{
		Total: len(all), Filter: v.marketFilter(all, q), Keys: views.PathPublisherKeys,
		Import: views.Action{Label: "Import a file", Icon: "upload", Primary: true, Get: true, Href: views.PathImport},
	}
	for i := range all {
		if best := all[i].Latest(); best.Manifest != nil && v.onShelf(best, q) {
			props.Cards = append(props.Cards, v.marketCard(best))
		}
	}
	if q.Get("sort") == "risk" {
		slices.SortStableFunc(props.Cards, func(a, b views.MarketCard) int { return cmp.Compare(a.Risk.Score, b.Risk.Score) })
	}
	return answer(c, v, http.StatusOK, at(views.PathMarketplace, "Plugins", "", "Marketplace", ""), props, views.MarketplacePage, views.MarketplaceBody)
}

// marketFilter is the bar above the shelf, with what there is to choose.
func (v *visit) marketFilter(all []market.Listing, q url.Values) views.Filter {
	seen := map[string]map[string]bool{"category": {}, "trait": {}, "contract": {}, "publisher": {}}
	for i := range all {
		m := all[i].Latest().Manifest
		if m == nil {
			continue
		}
		seen["category"][m.Category], seen["publisher"][m.Publisher] = true, true
		for _, name := range v.snap.Traits().Names(m.Traits) {
			seen["trait"][name] = true
		}
		for _, name := range m.Contracts {
			seen["contract"][name] = true
		}
	}
	field := func(name, label string) views.FilterField {
		f := views.FilterField{Name: name, Label: label, Value: q.Get(name)}
		for _, value := range slices.Sorted(maps.Keys(seen[name])) {
			if value != "" {
				f.Options = append(f.Options, views.Option{Value: value, Label: value})
			}
		}
		return f
	}
	return views.Filter{Path: views.PathMarketplace, Search: q.Get("q"), In: "name, id, domain, event", Fields: []views.FilterField{
		field("category", "Category"), field("trait", "Trait"), field("contract", "Contract"), field("publisher", "Publisher"),
		{Name: "signature", Label: "Signature", Value: q.Get("signature"), Options: []views.Option{{Value: "trusted", Label: "Trusted"}, {Value: "none", Label: "None that counts"}}},
		{Name: "sort", Label: "Order", Value: q.Get("sort"), Options: []views.Option{{Value: "risk", Label: "Lowest risk first"}}},
	}}
}

// onShelf reports whether a bundle is among those a query asks for.
func (v *visit) onShelf(b *market.Version, q url.Values) bool {
	m := b.Manifest
	if text := strings.ToLower(strings.TrimSpace(q.Get("q"))); text != "" {
		said := []string{m.ID, m.Name, m.Description}
		said = append(append(said, m.AllowedDomains...), m.Events.Subscribes...)
		for _, e := range m.Events.Publishes {
			said = append(said, e.Type)
		}
		if !strings.Contains(strings.ToLower(strings.Join(said, "\n")), text) {
			return false
		}
	}
	is := func(name string, has bool) bool { return q.Get(name) == "" || has }
	return is("category", m.Category == q.Get("category")) && is("publisher", m.Publisher == q.Get("publisher")) &&
		is("trait", slices.Contains(v.snap.Traits().Names(m.Traits), q.Get("trait"))) && is("contract", slices.Contains(m.Contracts, q.Get("contract"))) &&
		is("signature", (len(b.Verdict.Signers) > 0) == (q.Get("signature") == "trusted"))
}

// categoryIcons are those of plugins on the shelf.
var categoryIcons = map[string]views.IconName{
	"storage": "hard-drive", "communication": "message-square", "identity": "user-round", "processing": "workflow", "integration": "cable",
}

func (v *visit) marketCard(b *market.Version) views.MarketCard {
	m := b.Manifest
	card := views.MarketCard{
		ID: m.ID, Name: m.Name, Icon: cmp.Or(categoryIcons[m.Category], "puzzle"), Publisher: m.Publisher, Version: m.Version, Text: m.Description,
		Traits: v.snap.Traits().Names(m.Traits), Signed: views.SignedMark{Trusted: len(b.Verdict.Signers), Needed: b.Verdict.Needed},
		Risk: views.RiskMark{Score: b.Risk.Score, Level: b.Risk.Level}, Classes: sensitive(m),
	}
	for _, r := range b.Verdict.Blocked {
		card.Blocked = append(card.Blocked, r.Sentence)
	}
	if p, ok := v.snap.Plugin(m.ID); ok {
		card.Installed, card.Newer = p.Version, manifest.CompareVersions(m.Version, p.Version) > 0
	}
	return card
}

// sensitive are the classes that deserve a mark.
func sensitive(m *manifest.Manifest) (marks []views.Class) {
	for _, name := range m.Security.Classes.Names() {
		if name != "public" && name != "internal" {
			marks = append(marks, views.Class(name))
		}
	}
	return marks
}

// listingPage handles GET /console/marketplace/:id.
func (s *Server) listingPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	l, err := s.Shelf.Listing(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	shown := chosen(l, c.QueryParam("version"))
	if shown == nil || shown.Manifest == nil {
		return fault.New(fault.NotFound, "marketplace.unknown", "No version %q of %s is on the shelf.", c.QueryParam("version"), l.ID)
	}
	props := views.Listing{Card: v.marketCard(shown), May: v.mays(shown.Manifest), Cannot: cannots(shown.Manifest), Depends: v.depends(shown.Manifest)}
	props.Download = "/admin/marketplace/bundles/" + shown.Digest
	props.Remove = views.Action{Label: "Take off the shelf", Icon: "trash-2", Danger: true, Ask: true, Href: views.MarketplacePath(l.ID, "remove") + "?version=" + url.QueryEscape(shown.Version)}
	for _, one := range l.Versions {
		props.Versions = append(props.Versions, views.Tab{Label: one.Version, Href: views.MarketplacePath(l.ID) + "?version=" + url.QueryEscape(one.Version), Current: one.Digest == shown.Digest})
	}
	for _, f := range shown.Risk.Factors {
		props.Factors = append(props.Factors, views.RiskFactor{What: strings.ToUpper(f.What[:1]) + f.What[1:], Points: f.Points})
	}
	if props.Card.Installed == "" && shown.Installable() {
		props.Install = &views.InstallForm{Path: views.MarketplacePath(l.ID, "install"), Digest: shown.Digest, Verb: "Install " + shown.Version}
	}
	if props.Signature, err = origin(shown); err != nil {
		return err
	}
	readme, err := shown.Bundle.Attached(bundle.TypeReadme)
	changelog, err2 := shown.Bundle.Attached(bundle.TypeChangelog)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	props.Readme, props.Changelog = excerpt(readme), excerpt(changelog)
	return answer(c, v, http.StatusOK, marketFrame(shown.Manifest.Name, ""), props, views.ListingPage, views.ListingBody)
}

// excerpt is what of a text from outside fits on a page.
func excerpt(text []byte) string {
	const most = 12 << 10
	said := strings.ToValidUTF8(string(text), "\uFFFD")
	if len(said) > most {
		said = strings.ToValidUTF8(said[:most], "") + "\n…"
	}
	return said
}

// chosen is the version that was asked for, or the one to show.
func chosen(l *market.Listing, version string) *market.Version {
	if version == "" {
		return l.Latest()
	}
	for i := range l.Versions {
		if l.Versions[i].Version == version {
			return &l.Versions[i]
		}
	}
	return nil
}

// origin says who vouches for a bundle.
func origin(b *market.Version) ([]views.KV, error) {
	var signers []string
	for _, k := range b.Verdict.Signers {
		signers = append(signers, k.Name)
	}
	envelopes, err := b.Bundle.Signatures()
	if err != nil {
		return nil, err
	}
	sbom := "None"
	if b.SBOM {
		sbom = "Comes with the file"
	}
	return []views.KV{
		{Label: "Publisher", Value: b.Manifest.Publisher},
		{Label: "Trusted keys", Value: strings.Join(signers, ", ")},
		{Label: "Signatures", Value: fmt.Sprintf("%d, of which %d count; %d asked for", len(envelopes), len(signers), b.Verdict.Needed)},
		{Label: "Digest", Value: b.Digest, Mono: true, Copy: true},
		{Label: "SBOM", Value: sbom},
		{Label: "License", Value: b.Manifest.License},
		{Label: "Size", Value: bytesOf(b.Size)},
		{Label: "Checked", Value: "Again at every start"},
	}, nil
}

// bytesOf writes a size for people.
func bytesOf(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// installNow handles POST /console/marketplace/:id/install.
func (s *Server) installNow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	j, err := s.Installer.Install(c.Request().Context(), pluginmgr.Wish{Digest: in.Get("digest"), Enable: in.Get("enable") == "on"})
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: "The installation of " + j.Plugin + " began."}, views.JobPath(j.ID.String()))
}

// importPage handles GET /console/marketplace/import.
func (s *Server) importPage(c echo.Context) error {
	return answer(c, s.visit(c.Request()), http.StatusOK, marketFrame("Import", ""), views.ImportForm{}, views.ImportPage, views.ImportBody)
}

// importFile handles POST /console/marketplace/import.
func (s *Server) importFile(c echo.Context) error {
	r := c.Request()
	parts, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "body.malformed", "Send the file as a form does.").Because(err)
	}
	var file io.Reader
	for file == nil {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fault.New(fault.Invalid, "body.malformed", "The upload ended too early; try again.").Because(err)
		}
		if part.FormName() == "file" {
			file = part
		}
	}
	if file == nil {
		return s.notImported(c, "Choose a file first.")
	}
	v, err := s.Shelf.Import(r.Context(), file, "upload")
	if err != nil {
		f := fault.Of(err)
		if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
			return err
		}
		return s.notImported(c, f.Sentence)
	}
	return s.done(c, flash{Text: v.Manifest.Name + " " + v.Version + " is on the shelf."}, views.MarketplacePath(v.Manifest.ID)+"?version="+url.QueryEscape(v.Version))
}

func (s *Server) notImported(c echo.Context, why string) error {
	return answer(c, s.visit(c.Request()), http.StatusUnprocessableEntity, marketFrame("Import", ""), views.ImportForm{Error: why}, views.ImportPage, views.ImportBody)
}

// shelved is the version that an address names.
func (s *Server) shelved(c echo.Context) (*market.Version, error) {
	l, err := s.Shelf.Listing(c.Request().Context(), c.Param("id"))
	if err != nil {
		return nil, err
	}
	if v := chosen(l, c.QueryParam("version")); v != nil {
		return v, nil
	}
	return nil, fault.New(fault.NotFound, "marketplace.unknown", "No version %q of %s is on the shelf.", c.QueryParam("version"), l.ID)
}

// askRemoveBundle handles GET /console/marketplace/:id/remove.
func (s *Server) askRemoveBundle(c echo.Context) error {
	b, err := s.shelved(c)
	if err != nil {
		return err
	}
	id := c.Param("id")
	q := views.Confirm{
		Title: "Take " + id + " " + b.Version + " off the shelf?", Text: "It cannot be installed any more. What was installed from it goes on until it is to be started again.",
		Back:   views.MarketplacePath(id),
		Reach:  []views.KV{{Label: "Digest", Value: b.Digest, Mono: true}, {Label: "Size", Value: bytesOf(b.Size)}},
		Action: views.Action{Label: "Take it off", Icon: "trash-2", Danger: true, Primary: true, Href: views.MarketplacePath(id, "remove") + "?version=" + url.QueryEscape(b.Version)},
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, marketFrame(), q)
}

// removeBundleNow handles POST /console/marketplace/:id/remove.
func (s *Server) removeBundleNow(c echo.Context) error {
	b, err := s.shelved(c)
	if err != nil {
		return err
	}
	if err := s.Shelf.Remove(c.Request().Context(), b.Digest); err != nil {
		return err
	}
	return s.done(c, flash{Text: c.Param("id") + " " + b.Version + " is off the shelf."}, views.PathMarketplace)
}
