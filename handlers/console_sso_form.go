package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/views"
)

// emptyRules is how many rules can be added at a time.
const emptyRules = 3

// giveValue is what a rule gives as a value of the form.
func giveValue(k sso.Kind, name string) string { return string(k) + ":" + name }

// giveOptions are the roles and groups that whoever looks may have given.
func (v *visit) giveOptions(ctx context.Context) ([]views.Option, error) {
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return nil, err
	}
	var all []views.Option
	for _, r := range v.roleField(roles, nil).Options {
		all = append(all, views.Option{Value: giveValue(sso.Role, r.Value), Label: "Role " + r.Label})
	}
	groups, err := v.Identity.Groups(ctx, identity.GroupFilter{Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, g := range groups.Groups {
		if len(v.beyond(g.Traits)) == 0 {
			all = append(all, views.Option{Value: giveValue(sso.Group, g.ID.String()), Label: "Group " + g.Name})
		}
	}
	return all, nil
}

// giveNames returns every role and group by what a rule calls it.
func (v *visit) giveNames(ctx context.Context) (map[string]string, error) {
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, r := range roles {
		names[giveValue(sso.Role, r.Name)] = "Role " + orElse(r.Label, r.Name)
	}
	groups, err := v.Identity.Groups(ctx, identity.GroupFilter{Limit: 200})
	for _, g := range groups.Groups {
		names[giveValue(sso.Group, g.ID.String())] = "Group " + g.Name
	}
	return names, err
}

// providerForm is the form of a provider, filled in with a draft.
func (v *visit) providerForm(ctx context.Context, d sso.Draft, isNew bool, secretSet bool) (views.ProviderForm, error) {
	gives, err := v.giveOptions(ctx)
	if err != nil {
		return views.ProviderForm{}, err
	}
	f := views.ProviderForm{New: isNew, Title: "Add a provider", Href: views.PathSSO + "/new", Back: views.PathSSO, Gives: gives}
	id := views.Field{Name: "id", Label: "Id", Value: d.ID, Required: true, Mono: true, Short: true, MaxLength: 32, Placeholder: "okta", Help: "Stands in the redirect URI and never changes.", Focus: isNew}
	secret := views.Field{Name: "client_secret", Label: "Client secret", Type: views.Password, Autocomplete: "off", Help: "Sealed, and never shown again. Empty: a public client."}
	if !isNew {
		f.Title, f.Href, f.Back = "Edit "+d.Name, views.SSOPath(d.ID, "edit"), views.SSOPath(d.ID)
		id.Locked, id.Help, id.Focus = "It stands in addresses registered at the provider.", "", false
		if d.Version != nil {
			f.Version = strconv.FormatInt(*d.Version, 10)
		}
		if secretSet {
			secret.Help = "Set. Empty keeps it; another issuer clears it."
		}
	}
	icon := views.Field{Name: "icon", Label: "Icon", Type: views.Select, Value: d.Icon}
	for _, name := range views.ProviderIcons {
		icon.Options = append(icon.Options, views.Option{Value: string(name), Label: strings.ReplaceAll(string(name), "-", " ")})
	}
	f.Basics = []views.Field{
		id, {Name: "name", Label: "Name", Value: d.Name, Required: true, MaxLength: 60, Placeholder: "Okta", Help: "On the button of the sign-in page."}, icon,
		{Name: "issuer", Label: "Issuer", Value: d.Issuer, Required: true, Mono: true, MaxLength: 500, Placeholder: "https://login.example.com", Help: "Letter by letter as the provider writes it."},
		{Name: "client_id", Label: "Client id", Value: d.ClientID, Required: true, Mono: true, MaxLength: 255, Autocomplete: "off"}, secret,
		{Name: "enabled", Label: "Switched on", Type: views.Switch, Checked: d.Enabled},
	}
	f.Reading = []views.Field{
		{Name: "scopes", Label: "Scopes", Value: strings.Join(d.Scopes, " "), Mono: true, Placeholder: "openid email profile groups"},
		{Name: "claim_email", Label: "Claim of the address", Value: d.Claims.Email, Mono: true, Placeholder: "email", MaxLength: 200},
		{Name: "claim_name", Label: "Claim of the name", Value: d.Claims.Name, Mono: true, Placeholder: "name", MaxLength: 200},
		{Name: "factor_amr", Label: "Second factor by amr", Value: strings.Join(d.Options.FactorAMR, " "), Mono: true, Placeholder: "mfa otp hwk", Help: "Values of amr of which each says that a second factor was shown. Empty: none does."},
		{Name: "factor_acr", Label: "Second factor by acr", Value: strings.Join(d.Options.FactorACR, " "), Mono: true, Placeholder: "http://schemas.openid.net/pape/policies/2007/06/multi-factor", Help: "Likewise of acr. They are asked for at every sign-in."},
		{Name: "userinfo", Label: "Ask the userinfo endpoint", Type: views.Switch, Checked: d.Options.UserInfo, Help: "For providers that leave claims out of the ID token."},
	}
	f.Letting = []views.Field{
		{Name: "create", Label: "Add new people", Type: views.Switch, Checked: d.Options.Create, Help: "At their first sign-in. Off: only people who are linked may sign in."},
		{Name: "domains", Label: "E-mail domains", Value: strings.Join(d.Domains, " "), Placeholder: "example.com", Help: "Only people with such an address. Empty: any."},
		{Name: "trust_email", Label: "Trust its addresses", Type: views.Switch, Checked: d.Options.TrustEmail, Help: "For a provider that gives out all addresses itself and does not say that they are verified, such as Entra ID."},
		{Name: "trust_prompt", Label: "Trust that it asks", Type: views.Switch, Checked: d.Options.TrustPrompt, Help: "Before dangerous actions people sign in there again, and it must say when they did (auth_time). Only for a provider that surely asks each time and does not say so."},
		{Name: "sign_out", Label: "Sign out there too", Type: views.Switch, Checked: d.Options.SignOut},
	}
	for _, r := range d.Rules {
		f.Rules = append(f.Rules, views.RuleLine{Claim: r.Claim, Match: string(r.Match), Value: r.Value, Gives: giveValue(r.Kind, r.Give)})
	}
	for range emptyRules {
		f.Rules = append(f.Rules, views.RuleLine{})
	}
	return f, nil
}

// draftOf reads the form of a provider.
func draftOf(in url.Values) sso.Draft {
	d := sso.Draft{
		ID: strings.TrimSpace(in.Get("id")), Name: in.Get("name"), Icon: in.Get("icon"), Issuer: in.Get("issuer"), ClientID: in.Get("client_id"), Scopes: strings.Fields(in.Get("scopes")),
		Claims: sso.Claims{Email: in.Get("claim_email"), Name: in.Get("claim_name")}, Enabled: in.Get("enabled") != "",
		Domains: strings.FieldsFunc(in.Get("domains"), func(c rune) bool { return c == ' ' || c == ',' || c == ';' || c == '\n' || c == '\r' || c == '\t' }),
		Options: sso.Options{Create: in.Get("create") != "", TrustEmail: in.Get("trust_email") != "", UserInfo: in.Get("userinfo") != "", SignOut: in.Get("sign_out") != "", TrustPrompt: in.Get("trust_prompt") != "",
			FactorAMR: strings.Fields(in.Get("factor_amr")), FactorACR: strings.Fields(in.Get("factor_acr"))},
	}
	if secret := in.Get("client_secret"); secret != "" {
		d.Secret = &secret
	}
	if v, err := strconv.ParseInt(in.Get("version"), 10, 64); err == nil {
		d.Version = &v
	}
	nth := func(name string, i int) string {
		if i < len(in[name]) {
			return strings.TrimSpace(in[name][i])
		}
		return ""
	}
	for i := range in["claim"] {
		kind, give, _ := strings.Cut(nth("gives", i), ":")
		r := sso.Rule{Claim: nth("claim", i), Match: sso.Match(nth("match", i)), Value: nth("value", i), Kind: sso.Kind(kind), Give: give}
		if r.Match == sso.Present {
			r.Value = ""
		}
		if r.Claim != "" || r.Value != "" || r.Give != "" {
			d.Rules = append(d.Rules, r)
		}
	}
	return d
}

// newProvider handles GET /console/sso/new.
func (s *Server) newProvider(c echo.Context) error {
	v := s.visit(c.Request())
	d := sso.Draft{Enabled: true, Scopes: []string{"openid", "email", "profile", "groups"}, Claims: sso.Claims{Email: "email", Name: "name"}, Options: sso.Options{Create: true, SignOut: true}}
	f, err := v.providerForm(c.Request().Context(), d, true, false)
	if err != nil {
		return err
	}
	return answerProviderForm(c, v, http.StatusOK, f)
}

// editProvider handles GET /console/sso/:provider/edit.
func (s *Server) editProvider(c echo.Context) error {
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	f, err := v.providerForm(c.Request().Context(), p.Draft(), false, p.SecretAt != nil)
	if err != nil {
		return err
	}
	return answerProviderForm(c, v, http.StatusOK, f)
}

func answerProviderForm(c echo.Context, v *visit, status int, f views.ProviderForm) error {
	return answer(c, v, status, at(views.PathSSO, "People", "", "Single sign-on", views.PathSSO, f.Title, ""), f, views.ProviderFormPage, views.ProviderFormBody)
}

// saveProvider handles POST /console/sso/new and /console/sso/:provider/edit.
func (s *Server) saveProvider(c echo.Context) error {
	ctx, id := c.Request().Context(), c.Param("provider")
	in, err := formOf(c)
	if err != nil {
		return err
	}
	d := draftOf(in)
	var p sso.Provider
	if id == "" {
		p, err = s.SSO.Create(ctx, d)
	} else {
		d.ID = id
		p, err = s.SSO.Update(ctx, id, d)
	}
	if err == nil {
		return s.done(c, flash{Text: p.Name + " is saved. Test the sign-in before others use it."}, views.SSOPath(p.ID))
	}
	refused := fault.Of(err)
	if !isForm(refused) && !isRefusal(refused) {
		return err
	}
	v := s.visit(c.Request())
	f, err := v.providerForm(ctx, d, id == "", false)
	if err != nil {
		return err
	}
	f.Errors = providerCorrections(refused, &f)
	return answerProviderForm(c, v, http.StatusUnprocessableEntity, f)
}

// providerCorrections writes what was refused beside where it was typed.
func providerCorrections(refused *fault.Fault, f *views.ProviderForm) views.ErrorList {
	if refused.Code == "sso.id" && len(refused.Violations) == 0 {
		refused.Violations = []fault.Violation{{Path: "/id", Message: refused.Sentence}}
	}
	for i, broken := range refused.Violations {
		part := strings.Split(strings.TrimPrefix(broken.Path, "/"), "/")
		if n, err := strconv.Atoi(part[len(part)-1]); err == nil && part[0] == "rules" && n < len(f.Rules) || len(part) == 3 {
			if n, err = strconv.Atoi(part[1]); err == nil && n < len(f.Rules) {
				f.Rules[n].Error = broken.Message
				refused.Violations[i].Message = "Rule " + strconv.Itoa(n+1) + ": " + broken.Message
				refused.Violations[i].Path = ""
			}
		}
	}
	var fields []*views.Field
	for _, part := range [][]views.Field{f.Basics, f.Reading, f.Letting} {
		for i := range part {
			fields = append(fields, &part[i])
		}
	}
	return corrections(refused, fields...)
}
