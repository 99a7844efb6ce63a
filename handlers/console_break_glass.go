package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// breakGlassAttention tells every administrator of uses of the accounts for
// emergencies, until one of them acknowledges.
func (v *visit) breakGlassAttention(ctx context.Context) ([]views.Attention, error) {
	if !v.has(trait.Admin) {
		return nil, nil
	}
	uses, err := v.Identity.BreakGlassAlerts(ctx)
	if err != nil {
		return nil, err
	}
	var items []views.Attention
	for _, use := range uses {
		a := views.Attention{
			Tone: views.Danger, Title: "The glass was broken: " + use.Name,
			Text: use.At.In(v.zone()).Format("2 January, 15:04") + " from " + use.Address + ". Reason: " + use.Reason,
		}
		if use.Open {
			a.Text += " The session is open."
		}
		if use.User.String() != v.who.ID {
			a.Actions = []views.Action{{Label: "Acknowledge", Object: use.Name, Href: views.BreakGlassPath(use.Session.String(), "acknowledge")}}
		}
		items = append(items, a)
	}
	return items, nil
}

// acknowledgeUse handles POST /console/break-glass/:session/acknowledge.
func (s *Server) acknowledgeUse(c echo.Context) error {
	id, err := idParam(c, "session")
	if err != nil {
		return err
	}
	if err := s.Identity.AcknowledgeBreakGlass(c.Request().Context(), id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "Acknowledged. The record keeps who did so."}, views.PathOverview)
}

// askBreakGlass handles GET /console/break-glass/new.
func (s *Server) askBreakGlass(c echo.Context) error {
	return s.breakGlassForm(c, http.StatusOK, views.NewBreakGlass{Account: emergencyField(""), Traits: s.visit(c.Request()).dataTraits(nil)})
}

func emergencyField(account string) views.Field {
	return views.Field{Name: "account", ID: "f-account", Label: "Account", Type: views.Email, Value: account, Required: true, MaxLength: 254, Autocomplete: "off", Help: "An address of your own domain; nothing is sent to it.", Focus: true}
}

// dataTraits are those an account for emergencies may hold beside admin.
func (v *visit) dataTraits(chosen []string) views.Field {
	f := views.Field{Name: "traits", Label: "Data it may see", Type: views.Checks, Help: "None, unless an emergency would need it."}
	for _, t := range v.snap.Traits().All() {
		if t.Category == trait.CategoryData && t.Assignable.Has(trait.ToUser) {
			f.Options = append(f.Options, views.Option{Value: t.Name, Label: t.Name, Note: t.Label})
		}
	}
	choices(f.Options, chosen)
	return f
}

func (s *Server) breakGlassForm(c echo.Context, status int, p views.NewBreakGlass) error {
	return dialog(c, s.visit(c.Request()), status, at(views.PathUsers, "People", views.PathUsers, "Emergency account", ""), p, views.NewBreakGlassPage, views.NewBreakGlassDialog)
}

// makeEmergency handles POST /console/break-glass: the answer shows the password,
// this once.
func (s *Server) makeEmergency(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	made, err := s.Identity.MakeBreakGlass(c.Request().Context(), identity.NewBreakGlass{Account: in.Get("account"), Traits: in["traits"]})
	if err != nil {
		return s.breakGlassRefused(c, err)
	}
	return s.breakGlassForm(c, http.StatusCreated, views.NewBreakGlass{Made: made.User.Email, Password: made.Password, Expires: made.Expires})
}

// breakGlassRefused draws the form again with what was wrong with it.
func (s *Server) breakGlassRefused(c echo.Context, err error) error {
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	in := c.Request().PostForm
	p := views.NewBreakGlass{Account: emergencyField(in.Get("account")), Traits: s.visit(c.Request()).dataTraits(in["traits"])}
	p.Errors = corrections(f, &p.Account, &p.Traits)
	return s.breakGlassForm(c, http.StatusUnprocessableEntity, p)
}
