package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// tokenLives are how long a registration token may be made to last, in hours.
var tokenLives = []int{1, 24, 7 * 24, 30 * 24, 365 * 24}

// usualTokenLife is chosen unless somebody chooses otherwise, in hours.
const usualTokenLife = 24

// registrations say who may register a plugin, by the setting that says so.
var registrations = map[string]views.Banner{
	"token":    {Tone: views.Info, Title: "Plugins register by a token.", Text: "Without one they are refused."},
	"approval": {Tone: views.Info, Title: "Plugins register without a token, too.", Text: "Each waits until it is approved; with a token it comes back as the same plugin."},
	"open":     {Tone: views.Warn, Title: "Every plugin of this machine may register.", Text: "That is for development; tokens are needed elsewhere."},
}

// consoleTokens are the pages of what plugins register by.
func (s *Server) consoleTokens() []route {
	needs := []trait.ID{trait.PluginManager}
	const one = views.PathTokens + "/:id/revoke"
	return []route{
		{method: get, path: views.PathTokens, who: users, needs: needs, action: "registration.view", handler: s.tokensPage},
		{method: get, path: views.PathTokens + "/new", who: users, needs: needs, action: "registration.create", handler: s.askToken},
		{method: post, path: views.PathTokens, who: users, needs: needs, action: "registration.create", handler: s.makeToken, body: form, fresh: true},
		{method: get, path: one, who: users, needs: needs, action: "registration.revoke", handler: s.askRevokeToken},
		{method: post, path: one, who: users, needs: needs, action: "registration.revoke", handler: s.revokeToken, body: form},
	}
}

// registrationTabs are the pages of how plugins prove who they are.
func (v *visit) registrationTabs(current string) []views.Tab {
	return v.tabs(current, views.Tab{Label: "Registration tokens", Href: views.PathTokens}, views.Tab{Label: "Signing keys", Href: views.PathSigningKeys})
}

func tokensFrame(more ...string) frame {
	return at(views.PathTokens, append([]string{"Plugins", "", "Registration tokens", views.PathTokens}, more...)...)
}

// tokensPage handles GET /console/registration-tokens.
func (s *Server) tokensPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	before, err := keyCursor(c.QueryParam("after"))
	if err != nil {
		return err
	}
	page, err := s.Identity.RegistrationTokens(ctx, before, views.TokensPerPage)
	if err != nil {
		return err
	}
	props := views.Tokens{
		Tabs: v.registrationTabs(views.PathTokens), Note: registrations[s.Settings.String(settings.Registration)],
		New: views.Action{Label: "New token", Icon: "plus", Primary: true, Ask: true, Href: views.PathTokens + "/new"},
	}
	for _, t := range page.Tokens {
		props.Rows = append(props.Rows, v.tokenRow(ctx, t))
	}
	if before != uuid.Nil {
		props.Pager.Newer = views.PathTokens
	}
	if page.Next != uuid.Nil {
		props.Pager.Older = views.PathTokens + "?after=" + page.Next.String()
	}
	return answer(c, v, http.StatusOK, at(views.PathTokens, "Plugins", "", "Registration tokens", ""), props, views.TokensPage, views.TokensBody)
}

// tokenRow is a registration token as the page shows it.
func (v *visit) tokenRow(ctx context.Context, t identity.RegistrationToken) views.TokenRow {
	row := views.TokenRow{Label: t.Label, Plugin: t.Plugin, By: v.nameOf(ctx, t.CreatedBy), At: t.CreatedAt, Expires: t.ExpiresAt, UsedAt: when(t.UsedAt)}
	if by := orElse(t.UsedBy, t.Plugin); t.UsedAt != nil && by != "" {
		used := v.plugin(by)
		row.UsedBy = &used
	}
	switch {
	case t.RevokedAt != nil:
		row.State = views.TokenRevoked
	case !t.ExpiresAt.After(v.reader.Now):
		row.State = views.TokenOver
	default:
		if t.Plugin == "" && t.UsedAt != nil {
			row.State = views.TokenUsed
		}
		row.Actions = []views.Action{{Label: "Revoke", Object: tokenName(t), Danger: true, Ask: true, Href: views.TokenPath(t.ID.String(), "revoke")}}
	}
	return row
}

// tokenName is what a registration token is called.
func tokenName(t identity.RegistrationToken) string {
	return orElse(t.Label, t.Plugin, "the token made on "+day(t.CreatedAt))
}

// tokenFields ask for what a token is good for, and for how long.
func (v *visit) tokenFields(in url.Values) []views.Field {
	life := views.Field{Name: "hours", Label: "Expires", Type: views.Select, Required: true}
	for _, hours := range tokenLives {
		o := views.Option{Value: strconv.Itoa(hours), Label: "In " + count(hours/24, "day", "days")}
		if hours < 24 {
			o.Label = "In " + count(hours, "hour", "hours")
		}
		life.Options = append(life.Options, o)
	}
	choices(life.Options, in["hours"])
	return []views.Field{
		{Name: "label", Label: "Label", Value: in.Get("label"), MaxLength: 100, Autocomplete: "off", Help: "What it is for.", Focus: true},
		{Name: "plugin", Label: "Id of the plugin", Value: in.Get("plugin"), MaxLength: 128, Mono: true, Autocomplete: "off", Help: "With an id it is good for that plugin, as often as it registers; left empty, for one plugin of any id, once."},
		life,
	}
}

// askToken handles GET /console/registration-tokens/new.
func (s *Server) askToken(c echo.Context) error {
	v := s.visit(c.Request())
	return answerToken(c, v, http.StatusOK, views.TokenForm{Fields: v.tokenFields(url.Values{"hours": {strconv.Itoa(usualTokenLife)}})})
}

func answerToken(c echo.Context, v *visit, status int, f views.TokenForm) error {
	return dialog(c, v, status, tokensFrame("New token", ""), f, views.TokenFormPage, views.TokenDialog)
}

// makeToken handles POST /console/registration-tokens. The answer shows the token,
// this once: it leads nowhere else, so that the token stands in no address.
func (s *Server) makeToken(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	hours, err := strconv.Atoi(in.Get("hours"))
	if err != nil || !slices.Contains(tokenLives, hours) {
		hours = -1 // no time, which is refused
	}
	t, secret, err := s.Identity.CreateRegistrationToken(c.Request().Context(), strings.TrimSpace(in.Get("plugin")), strings.TrimSpace(in.Get("label")), time.Duration(hours)*time.Hour)
	if err == nil {
		return answerToken(c, v, http.StatusCreated, views.TokenForm{Token: secret, Plugin: t.Plugin, Expires: t.ExpiresAt})
	}
	f := fault.Of(err)
	if !isForm(f) {
		return err
	}
	asked := views.TokenForm{Fields: v.tokenFields(in)}
	asked.Errors = corrections(f, pointers(asked.Fields)...)
	return answerToken(c, v, http.StatusUnprocessableEntity, asked)
}

// tokenAt returns the registration token that the address names, unless it ended.
func (s *Server) tokenAt(c echo.Context) (identity.RegistrationToken, error) {
	id, err := idParam(c, "id")
	if err != nil {
		return identity.RegistrationToken{}, err
	}
	t, err := s.Identity.RegistrationToken(c.Request().Context(), id)
	if err == nil && t.RevokedAt != nil {
		err = fault.New(fault.NotFound, "registration_token.unknown", "This registration token was revoked already.")
	}
	return t, err
}

// askRevokeToken handles GET /console/registration-tokens/:id/revoke.
func (s *Server) askRevokeToken(c echo.Context) error {
	t, err := s.tokenAt(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	row := v.tokenRow(c.Request().Context(), t)
	used := views.KV{Label: "Used by", Value: "no plugin yet"}
	if row.UsedBy != nil {
		used.Value, used.Href = row.UsedBy.Name, row.UsedBy.Href
	}
	return ask(c, v, http.StatusOK, tokensFrame(), views.Confirm{
		Title: "Revoke " + tokenName(t) + "?", Text: "Nothing registers by it from then on. A plugin that did goes on with its own tokens; after it lost those it needs another registration token.",
		Reach: []views.KV{used}, Back: views.PathTokens,
		Action: views.Action{Label: "Revoke", Icon: "ban", Danger: true, Primary: true, Href: views.TokenPath(t.ID.String(), "revoke")},
	})
}

// revokeToken handles POST to the same.
func (s *Server) revokeToken(c echo.Context) error {
	t, err := s.tokenAt(c)
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeRegistrationToken(c.Request().Context(), t.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The registration token is revoked."}, views.PathTokens)
}
