package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/views"
)

// pluginForm reads the plugin an action is about, and what was sent with it.
func (s *Server) pluginForm(c echo.Context) (*registry.Plugin, url.Values, error) {
	in, err := formOf(c)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.pluginOf(c)
	return p, in, err
}

// ends are how long an approval may last.
var ends = []views.Option{{Value: "1", Label: "1 day"}, {Value: "7", Label: "7 days"}, {Value: "30", Label: "30 days"}, {Value: "90", Label: "90 days"}, {Value: "365", Label: "1 year"}, {Value: "", Label: "No end"}}

// approvalFields ask for the terms of an approval.
func approvalFields(in url.Values) []*views.Field {
	days := in.Get("days")
	if !in.Has("days") {
		days = "90"
	}
	return []*views.Field{
		{Name: "methods", Label: "Methods", Value: in.Get("methods"), Mono: true, Help: "Such as GET POST; empty for every method."},
		{Name: "ports", Label: "Ports", Value: in.Get("ports"), Mono: true, Help: "Empty for 443. Plain http only where its port is named."},
		{Name: "paths", Label: "Paths below", Value: in.Get("paths"), Mono: true, Help: "Such as /v1/; empty for every path."},
		{Name: "rate", Label: "Requests a minute", Type: views.Number, Value: in.Get("rate"), Short: true, Min: "1"},
		{Name: "bytes", Label: "Bytes a request", Type: views.Number, Value: in.Get("bytes"), Short: true, Min: "1"},
		{Name: "days", Label: "For", Type: views.Select, Value: days, Options: slices.Clone(ends)},
		{Name: "reason", Label: "Reason", Value: in.Get("reason"), MaxLength: 500, Help: "Kept in the audit."},
	}
}

// askApprove handles GET /console/plugins/:id/domains/approve.
func (s *Server) askApprove(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	return s.confirmApprove(c, http.StatusOK, p, c.QueryParam("host"), approvalFields(nil), "")
}

// confirmApprove asks for the terms on which a plugin may reach a host.
func (s *Server) confirmApprove(c echo.Context, status int, p *registry.Plugin, host string, fields []*views.Field, refused string) error {
	if !slices.Contains(p.Manifest.AllowedDomains, host) {
		return fault.New(fault.Unprocessable, "proxy.domain", "The manifest of %s does not list this host among its allowed domains; only declared hosts can be approved.", p.ID)
	}
	q := question(c, p, "Approve")
	q.Back = back(c, views.PluginPath(p.ID, "permissions"))
	q.Title, q.Error = "Let "+p.Name+" reach "+host+"?", refused
	q.Text = "Its requests to this host pass the proxy lane on these terms, and each is recorded."
	q.Action.Icon, q.Action.Href = "globe-lock", views.PluginPath(p.ID, "domains", "approve")
	q.Action.Fields = []views.Hidden{{Name: "host", Value: host}}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return s.asked(c, status, p, q)
}

// approveDomain handles POST /console/plugins/:id/domains/approve.
func (s *Server) approveDomain(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	fields, host := approvalFields(in), in.Get("host")
	a, ok := readApproval(in, fields, time.Now())
	if !ok {
		return s.confirmApprove(c, http.StatusUnprocessableEntity, p, host, fields, "Some terms need a correction; nothing was approved.")
	}
	a.Plugin, a.Domain = p.ID, host
	if _, err := s.Approvals.Give(c.Request().Context(), egressAsk(a)); err != nil {
		if f := fault.Of(err); f.Kind == fault.Unprocessable && slices.Contains(p.Manifest.AllowedDomains, host) {
			return s.confirmApprove(c, http.StatusUnprocessableEntity, p, host, fields, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: p.Name + " may reach " + host + "."}, back(c, views.PluginPath(p.ID, "permissions")))
}

// readApproval reads the terms of an approval. What cannot be read is noted in
// its field, and ok is false.
func readApproval(in url.Values, fields []*views.Field, now time.Time) (a registry.Approved, ok bool) {
	ok = true
	number := func(name string, bits int) *int64 {
		text := strings.TrimSpace(in.Get(name))
		if text == "" {
			return nil
		}
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil || n < 1 {
			ok, named(fields, name).Error = false, "It is a whole number above 0."
			return nil
		}
		return &n
	}
	a = registry.Approved{Methods: list(in.Get("methods")), PathPrefixes: list(in.Get("paths")), Reason: strings.TrimSpace(in.Get("reason")), Bytes: number("bytes", 64)}
	if n := number("rate", 32); n != nil {
		rate := int32(*n)
		a.Rate = &rate
	}
	for _, text := range list(in.Get("ports")) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			ok, named(fields, "ports").Error = false, "A port is a number from 1 to 65535."
			break
		}
		a.Ports = append(a.Ports, int32(n))
	}
	if n := number("days", 16); n != nil {
		end := now.Add(time.Duration(*n) * 24 * time.Hour)
		a.ExpiresAt = &end
	}
	return a, ok
}

// list reads names separated by spaces or commas.
func list(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r' })
}

// revokeDomain handles POST /console/plugins/:id/domains/revoke.
func (s *Server) revokeDomain(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	a, ok := s.Registry.Snapshot().Approval(p.ID, in.Get("host"))
	if !ok {
		return fault.New(fault.NotFound, "approval.unknown", "There is no such approval any more; look again.")
	}
	if err := s.Registry.Revoke(c.Request().Context(), a.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: p.Name + " may not reach " + a.Domain + " any more."}, back(c, views.PluginPath(p.ID, "permissions")))
}
