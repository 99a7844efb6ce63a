package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// permissionsPage handles GET /console/plugins/:id/permissions.
func (s *Server) permissionsPage(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props := views.PluginPermissions{
		Head: v.head(ctx, p, "permissions"), Traits: v.traitLines(p), Classes: v.classLines(p), Events: v.eventRights(p),
		Operations: v.operations(p), Grants: v.grantLines(ctx, p), Depends: v.dependencies(p),
		Grantors: v.grantors(ctx, "plugin_manager", "egress_approver"),
	}
	if props.Domains, err = v.domainLines(ctx, p); err != nil {
		return err
	}
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.PluginPermissionsPage, views.PluginPermissionsBody)
}

// traitLines are the traits a plugin asks for, now and with a manifest that waits.
func (v *visit) traitLines(p *registry.Plugin) []views.TraitLine {
	var lines []views.TraitLine
	wanted := p.Manifest.Traits
	if p.Pending != nil {
		wanted = wanted.Union(p.Pending.Traits)
	}
	for _, id := range wanted.IDs() {
		t := v.snap.Traits().Get(id)
		line := views.TraitLine{Name: t.Name, Meaning: t.Description, Status: views.Waiting}
		if p.Traits.Has(id) {
			line.Status, line.At = views.Accepted, when(p.EnabledAt)
		}
		lines = append(lines, line)
	}
	for _, name := range p.Manifest.UnknownTraits {
		lines = append(lines, views.TraitLine{Name: name, Meaning: "Nobody registered this name; it grants nothing.", Status: views.Unknown})
	}
	return lines
}

// classLines are the classes of data a plugin touches, and what covers them.
func (v *visit) classLines(p *registry.Plugin) []views.ClassLine {
	var lines []views.ClassLine
	for c := trait.PHI; ; c-- {
		if p.Manifest.Security.Classes.Has(c) {
			line := views.ClassLine{Class: views.Class(c.String()), Covered: p.Traits.MissingFor(trait.ClassesOf(c)).Empty()}
			if c >= trait.Confidential {
				line.Trait = v.snap.Traits().Get(c.Access()).Name
			}
			lines = append(lines, line)
		}
		if c == trait.Public {
			return lines
		}
	}
}

// eventRights are the types a plugin publishes and hears. Of what it hears, the
// classes are those that active publishers declare.
func (v *visit) eventRights(p *registry.Plugin) []views.EventRight {
	var rights []views.EventRight
	for _, e := range p.Manifest.Events.Publishes {
		rights = append(rights, views.EventRight{Type: e.Type, Publish: true, Classes: classes(e.Classes)})
	}
	for _, pattern := range p.Manifest.Events.Subscribes {
		right, carried := views.EventRight{Type: pattern}, trait.Classes(0)
		for _, other := range v.snap.Plugins() {
			for _, e := range other.Manifest.Events.Publishes {
				if other.ID != p.ID && manifest.MatchEventType(pattern, e.Type) {
					carried |= e.Classes
				}
			}
		}
		right.Classes = classes(carried)
		for c := trait.PHI; c >= trait.Confidential; c-- {
			if carried.Has(c) && !p.Traits.MissingFor(trait.ClassesOf(c)).Empty() {
				right.Redacted = append(right.Redacted, c.String()+" fields")
			}
		}
		rights = append(rights, right)
	}
	return rights
}

// operations are what a plugin offers on the operator lane.
func (v *visit) operations(p *registry.Plugin) []views.OperationLine {
	var lines []views.OperationLine
	for _, e := range p.Manifest.Endpoints {
		lines = append(lines, views.OperationLine{
			Name: e.Name, Method: orElse(e.Method, "any"), Path: e.Path, Class: views.Class(e.Classes.Highest().String()),
			Traits: append(v.snap.Traits().Names(e.Requires.Traits), e.Requires.Unknown...),
		})
	}
	return lines
}

// grantLines are who may call a plugin, and whom it may call.
func (v *visit) grantLines(ctx context.Context, p *registry.Plugin) []views.GrantLine {
	why := v.why(ctx, trait.PluginManager, "Only plugin managers may withdraw a grant.")
	var lines []views.GrantLine
	for _, g := range v.snap.Grants() {
		if g.Caller != p.ID && g.Target != p.ID {
			continue
		}
		from, to := v.plugin(g.Caller), v.plugin(g.Target)
		line := views.GrantLine{
			From: views.Dependent{Name: from.Name, Href: from.Href}, To: views.Dependent{Name: to.Name, Href: to.Href},
			What: "any declared operation", By: v.nameOf(ctx, g.GrantedBy), At: g.GrantedAt,
			Actions: []views.Action{{
				Label: "Withdraw", Object: "the grant of " + from.Name, Danger: true, Href: views.PluginPath(p.ID, "grants", g.ID.String(), "withdraw"), Why: why,
			}},
		}
		if len(g.Operations) > 0 {
			line.What = joined(g.Operations)
		}
		if g.ExpiresAt != nil {
			line.What += ", until " + day(*g.ExpiresAt)
		}
		if g.Caller == p.ID {
			line.From.Href = ""
		} else {
			line.To.Href = ""
		}
		lines = append(lines, line)
	}
	return lines
}

// domainLines are the hosts a plugin declares, with what was decided on each, and
// those it asked for without declaring them.
func (v *visit) domainLines(ctx context.Context, p *registry.Plugin) ([]views.DomainLine, error) {
	observed, err := v.Registry.Observed(ctx, 200)
	if err != nil {
		return nil, err
	}
	asked := map[string]int64{}
	var undeclared []views.DomainLine
	for _, o := range observed {
		if o.PluginID != p.ID {
			continue
		}
		asked[o.Domain] = o.Requests
		if !slices.Contains(p.Manifest.AllowedDomains, o.Domain) {
			undeclared = append(undeclared, views.DomainLine{
				Host: o.Domain, Status: views.Denied, Terms: "not declared; asked for " + count(int(o.Requests), "time", "times"), At: o.LastSeen,
			})
		}
	}
	why := v.why(ctx, trait.EgressApprover, "Only egress approvers decide which hosts a plugin reaches.")
	var lines []views.DomainLine
	for _, domain := range p.Manifest.AllowedDomains {
		line := views.DomainLine{Host: domain, Status: views.Declared, Terms: "not asked for yet", Actions: []views.Action{{
			Label: "Approve", Object: domain, Ask: true, Href: views.PluginPath(p.ID, "domains", "approve") + "?host=" + url.QueryEscape(domain), Why: why,
		}}}
		if n := asked[domain]; n > 0 {
			line.Status, line.Terms = views.Waiting, "asked for "+count(int(n), "time", "times")
		}
		if a, ok := v.snap.Approval(p.ID, domain); ok {
			line.Status, line.Terms, line.At = views.Approved, terms(a), a.ApprovedAt
			line.By = v.approver(ctx, a)
			if a.ExpiresAt != nil && !v.reader.Now.Before(*a.ExpiresAt) {
				line.Status = views.Expired
			} else {
				line.Actions = []views.Action{{
					Label: "Revoke", Object: domain, Danger: true, Href: views.PluginPath(p.ID, "domains", "revoke"), Fields: []views.Hidden{{Name: "host", Value: domain}}, Why: why,
				}}
			}
		}
		lines = append(lines, line)
	}
	return append(lines, undeclared...), nil
}

// approver names who approved a domain.
func (v *visit) approver(ctx context.Context, a *registry.Approval) string {
	if a.Source == "auto" {
		return "development policy"
	}
	return v.nameOf(ctx, a.ApprovedBy)
}

// terms writes what an approval covers.
func terms(a *registry.Approval) string {
	parts := []string{"any method"}
	if len(a.Methods) > 0 {
		parts[0] = strings.Join(a.Methods, " ")
	}
	if len(a.Ports) == 0 {
		parts = append(parts, "port 443")
	} else {
		ports := make([]string, len(a.Ports))
		for i, p := range a.Ports {
			ports[i] = strconv.Itoa(int(p))
		}
		parts = append(parts, "port "+joined(ports))
	}
	if len(a.PathPrefixes) > 0 {
		parts = append(parts, "below "+joined(a.PathPrefixes))
	}
	if a.Rate != nil {
		parts = append(parts, strconv.Itoa(int(*a.Rate))+" /min")
	}
	if a.Bytes != nil {
		parts = append(parts, strconv.FormatInt(*a.Bytes, 10)+" bytes a request")
	}
	if a.ExpiresAt != nil {
		parts = append(parts, "until "+day(*a.ExpiresAt))
	}
	return strings.Join(parts, ", ")
}
