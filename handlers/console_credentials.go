package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/proxy"
	"github.com/vivified/vivified/views"
)

// credentialWords are the kinds of credentials as people call them.
var credentialWords = []struct {
	kind                proxy.CredentialKind
	name, text          string
	label, help, secret string // of what is not secret, and of what is
}{
	{proxy.HeaderCredential, "Header", "The secret is sent as the value of a header.", "Header", "Such as X-Api-Key, or Authorization with a secret that begins with Bearer.", "Value"},
	{proxy.QueryCredential, "Parameter", "The secret is sent as a parameter of the query.", "Parameter", "Such as api_key.", "Value"},
	{proxy.BasicCredential, "User and password", "User name and password are sent by HTTP Basic authentication.", "User name", "", "Password"},
	{proxy.OAuth2Credential, "OAuth 2.0 client", "The core gets access tokens for client credentials, and renews them in time.", "Client id", "", "Client secret"},
}

// consoleCredentials are the pages of what the core adds to egress.
func (s *Server) consoleCredentials() []route {
	needs := []trait.ID{trait.ConfigManager}
	const one = views.PathCredentials + "/:id/:host/remove"
	return []route{
		{method: get, path: views.PathCredentials, who: users, needs: needs, action: "egress.credential.view", handler: s.credentialsPage},
		{method: post, path: views.PathCredentials, who: users, needs: needs, action: "egress.credential.set", handler: s.setCredential, body: form, fresh: true},
		{method: get, path: views.PathCredentials + "/new", who: users, needs: needs, action: "egress.credential.set", handler: s.newCredentialPage},
		{method: get, path: one, who: users, needs: needs, action: "egress.credential.remove", handler: s.askRemoveCredential},
		{method: post, path: one, who: users, needs: needs, action: "egress.credential.remove", handler: s.removeCredential, body: form, fresh: true},
	}
}

// egressTabs are the pages of egress.
func (v *visit) egressTabs(current string) []views.Tab {
	return v.tabs(current, views.Tab{Label: "Hosts", Href: views.PathEgress}, views.Tab{Label: "Credentials", Href: views.PathCredentials})
}

// tabs are the pages of one place in the rail that whoever looks may see; none where
// it is one.
func (v *visit) tabs(current string, all ...views.Tab) []views.Tab {
	var tabs []views.Tab
	for _, t := range all {
		if v.may(t.Href) {
			t.Current = t.Href == current
			tabs = append(tabs, t)
		}
	}
	if len(tabs) < 2 {
		return nil
	}
	return tabs
}

func credentialsFrame(way ...string) frame {
	return at(views.PathEgress, append([]string{"Traffic", "", "Egress", views.PathEgress, "Credentials", views.PathCredentials}, way...)...)
}

// credentialsPage handles GET /console/egress/credentials.
func (s *Server) credentialsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	list, err := s.Egress.Credentials(ctx)
	if err != nil {
		return err
	}
	props := views.Credentials{Tabs: v.egressTabs(views.PathCredentials), Add: views.Action{Label: "Set a credential", Icon: "plus", Primary: true, Get: true, Href: views.PathCredentials + "/new"}}
	for _, one := range list {
		row := views.CredentialRow{
			Plugin: views.Party{Name: one.Plugin}, Host: one.Domain, Kind: credentialWords[wordsOf(one.Kind)].name, Name: cmp.Or(one.Name, one.Username, one.ClientID), At: one.SetAt,
			Actions: []views.Action{
				{Label: "Replace", Object: one.Domain, Icon: "pencil", Get: true, Href: views.PathCredentials + "/new?" + formOfCredential(one).Encode()},
				{Label: "Remove", Object: one.Domain, Icon: "trash-2", Danger: true, Ask: true, Href: views.CredentialPath(one.Plugin, one.Domain, "remove")},
			},
		}
		if p, ok := v.snap.Plugin(one.Plugin); ok {
			row.Plugin = views.Party{Name: p.Name}
			if v.has(trait.Viewer) {
				row.Plugin.Href = views.PluginPath(p.ID)
			}
		}
		props.Rows = append(props.Rows, row)
	}
	return answer(c, v, http.StatusOK, credentialsFrame(), props, views.CredentialsPage, views.CredentialsBody)
}

// formOfCredential is what the form is filled with to replace a credential.
func formOfCredential(one proxy.Credential) url.Values {
	in := url.Values{"kind": {string(one.Kind)}, "for": {one.Plugin + " " + one.Domain}, "name": {cmp.Or(one.Name, one.Username, one.ClientID)}}
	if one.Kind == proxy.OAuth2Credential {
		in.Set("token_url", one.TokenURL)
		in.Set("scopes", strings.Join(one.Scopes, " "))
		in.Set("audience", one.Audience)
	}
	return in
}

// wordsOf returns the place of a kind in credentialWords, the first for one that is none.
func wordsOf(k proxy.CredentialKind) int {
	for i, w := range credentialWords {
		if w.kind == k {
			return i
		}
	}
	return 0
}

// credentialForm is the form for a kind, filled with what was sent; a secret never is.
func (v *visit) credentialForm(in url.Values) views.CredentialForm {
	words := credentialWords[wordsOf(proxy.CredentialKind(in.Get("kind")))]
	f := views.CredentialForm{Text: words.text, Kind: string(words.kind)}
	for _, w := range credentialWords {
		f.Kinds = append(f.Kinds, views.Tab{Label: w.name, Href: views.PathCredentials + "/new?kind=" + string(w.kind), Current: w.kind == words.kind})
	}
	var hosts []views.Option
	for _, p := range v.snap.Plugins() {
		for _, host := range p.Manifest.AllowedDomains {
			hosts = append(hosts, views.Option{Value: p.ID + " " + host, Label: p.Name + " to " + host})
		}
	}
	help := "Hosts that manifests declare."
	if len(hosts) == 0 {
		help = "No manifest declares a host yet."
	}
	field := views.Field{Name: "name", Label: words.label, Value: in.Get("name"), Required: true, MaxLength: 500, Mono: true, Help: words.help, Autocomplete: "off"}
	f.Fields = []views.Field{{Name: "for", Label: "Requests of", Type: views.Select, Value: in.Get("for"), Options: hosts, Help: help}}
	if words.kind == proxy.OAuth2Credential {
		f.Fields = append(f.Fields, views.Field{Name: "token_url", Label: "Token address", Value: in.Get("token_url"), Required: true, MaxLength: 2000, Mono: true, Placeholder: "https://login.example.com/token", Autocomplete: "off"})
	}
	f.Fields = append(f.Fields, field, views.Field{Name: "secret", Label: words.secret, Type: views.Password, Required: true, Autocomplete: "off", Help: "At least 8 characters. Nobody can read it again."})
	if words.kind == proxy.OAuth2Credential {
		f.Fields = append(f.Fields,
			views.Field{Name: "scopes", Label: "Scopes", Value: in.Get("scopes"), MaxLength: 2000, Mono: true, Help: "Separated by spaces; may be empty.", Autocomplete: "off"},
			views.Field{Name: "audience", Label: "Audience", Value: in.Get("audience"), MaxLength: 1000, Mono: true, Help: "Where the token address asks for one.", Autocomplete: "off"})
	}
	return f
}

// newCredentialPage handles GET /console/egress/credentials/new.
func (s *Server) newCredentialPage(c echo.Context) error {
	v := s.visit(c.Request())
	return answer(c, v, http.StatusOK, credentialsFrame("Set a credential", ""), v.credentialForm(c.QueryParams()), views.CredentialFormPage, views.CredentialFormBody)
}

// setCredential handles POST /console/egress/credentials.
func (s *Server) setCredential(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	one := proxy.Credential{Kind: proxy.CredentialKind(in.Get("kind"))}
	one.Plugin, one.Domain, _ = strings.Cut(in.Get("for"), " ")
	switch name := strings.TrimSpace(in.Get("name")); one.Kind {
	case proxy.BasicCredential:
		one.Username = name
	case proxy.OAuth2Credential:
		one.ClientID, one.TokenURL, one.Audience, one.Scopes = name, strings.TrimSpace(in.Get("token_url")), strings.TrimSpace(in.Get("audience")), strings.Fields(in.Get("scopes"))
	default:
		one.Name = name
	}
	made, err := s.Egress.Bind(c.Request().Context(), one, in.Get("secret"))
	if err == nil {
		return s.done(c, flash{Text: "The core adds the credential to requests to " + made.Domain + "."}, views.PathCredentials)
	}
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.NotFound {
		return err
	}
	v := s.visit(c.Request())
	asked := v.credentialForm(in)
	shown := *f
	shown.Violations = slices.Clone(f.Violations)
	for i, broken := range shown.Violations { // the form has one field for what the API calls differently
		if slices.Contains([]string{"/username", "/client_id"}, broken.Path) {
			shown.Violations[i].Path = "/name"
		}
	}
	asked.Errors = corrections(&shown, pointers(asked.Fields)...)
	return answer(c, v, http.StatusUnprocessableEntity, credentialsFrame("Set a credential", ""), asked, views.CredentialFormPage, views.CredentialFormBody)
}

// askRemoveCredential handles GET /console/egress/credentials/:id/:host/remove.
func (s *Server) askRemoveCredential(c echo.Context) error {
	plugin, host := c.Param("id"), c.Param("host")
	return ask(c, s.visit(c.Request()), http.StatusOK, credentialsFrame(), views.Confirm{
		Title: "Remove the credential for " + host + "?", Text: "Requests of " + plugin + " go there without it from now on, and the secret is gone.", Back: views.PathCredentials,
		Action: views.Action{Label: "Remove", Icon: "trash-2", Danger: true, Primary: true, Href: views.CredentialPath(plugin, host, "remove")},
	})
}

// removeCredential handles POST /console/egress/credentials/:id/:host/remove.
func (s *Server) removeCredential(c echo.Context) error {
	if err := s.Egress.Unbind(c.Request().Context(), c.Param("id"), c.Param("host")); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The credential for " + c.Param("host") + " is removed."}, views.PathCredentials)
}
