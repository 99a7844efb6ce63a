package handlers

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// ownID returns the id of whoever acts, or as whom they look.
func ownID(ctx context.Context) (uuid.UUID, error) {
	who := actor.From(ctx)
	if who.Viewing() {
		who = *who.OnBehalf
	}
	id, err := uuid.Parse(who.ID)
	if err != nil {
		return uuid.Nil, fault.New(fault.Denied, "identity.people_only", "Only people have an account.")
	}
	return id, nil
}

// accountPage handles GET /console/account.
func (s *Server) accountPage(c echo.Context) error {
	v := s.visit(c.Request())
	props, err := v.account(c.Request().Context())
	if err != nil {
		return err
	}
	return answerAccount(c, v, http.StatusOK, props)
}

func answerAccount(c echo.Context, v *visit, status int, props views.Account) error {
	return answer(c, v, status, at(views.PathAccount, "Account", ""), props, views.AccountPage, views.AccountBody)
}

// account is the page of whoever looks.
func (v *visit) account(ctx context.Context) (views.Account, error) {
	id, err := ownID(ctx)
	if err != nil {
		return views.Account{}, err
	}
	u, err := v.Identity.User(ctx, id)
	if err != nil {
		return views.Account{}, err
	}
	props := views.Account{
		Person: views.Person{Name: u.Name, Email: u.Email}, Source: sourceOf(u) + " account", Profile: profileFields(u.Name, u.Email),
		NewKey: &views.Action{Label: "New key", Icon: "plus", Ask: true, Href: views.PathKeys + "/new", Why: v.whyNoKeys(ctx)},
	}
	if u.Source == local {
		props.Password = &views.PasswordForm{Rules: passwordRules, Fields: passwordFields()}
	}
	if props.Roles, err = v.roleLabels(ctx, u.Roles); err != nil {
		return views.Account{}, err
	}
	if props.Traits, err = v.traitsOf(ctx, id); err != nil {
		return views.Account{}, err
	}
	if props.Identities, err = v.identitiesOf(ctx, id, views.PathIdentities); err != nil {
		return views.Account{}, err
	}
	if props.Link, err = v.linkChoices(ctx); err != nil {
		return views.Account{}, err
	}
	if props.Sessions, err = v.sessionsOf(ctx, id, views.PathSessions); err != nil {
		return views.Account{}, err
	}
	has, err := v.Identity.Factors(ctx, id)
	if err != nil {
		return views.Account{}, err
	}
	props.Factors = v.factorsOf(has)
	if len(props.Sessions) > 1 {
		props.Others = &views.Action{Label: "End all others", Danger: true, Href: views.PathSessions + "/revoke-others"}
	}
	props.Keys, err = v.keysOf(ctx, id, func(k identity.APIKey) views.Action {
		return views.Action{Label: "Revoke", Object: k.Name, Danger: true, Ask: true, Href: views.KeyPath(k.ID.String(), "revoke")}
	})
	return props, err
}

// profileFields are what people may know and change of themselves.
func profileFields(name, email string) []views.Field {
	nameField, emailField, _ := accountFields(name, email)
	emailField.Locked = "It is what you sign in with and stays as it is."
	return []views.Field{*nameField, *emailField}
}

// saveProfile handles POST /console/account/profile.
func (s *Server) saveProfile(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	id, err := ownID(ctx)
	if err != nil {
		return err
	}
	if _, err = s.Identity.SetName(ctx, id, in.Get("name")); err == nil {
		return s.done(c, flash{Text: "Your profile is saved."}, views.PathAccount)
	}
	f := fault.Of(err)
	if !isForm(f) {
		return err
	}
	v := s.visit(c.Request())
	props, err := v.account(ctx)
	if err != nil {
		return err
	}
	props.Profile[0].Value = in.Get("name")
	props.Errors = corrections(f, &props.Profile[0])
	return answerAccount(c, v, http.StatusUnprocessableEntity, props)
}

// preferencesLife is how long a browser keeps the preferences, in seconds: a year.
const preferencesLife = 365 * 24 * 60 * 60

// savePreferences handles POST /console/account/preferences, for browsers without
// scripts; the console's script writes the same cookie by itself.
func (s *Server) savePreferences(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	prefs := s.visit(c.Request()).reader.Prefs.With(in)
	c.SetCookie(&http.Cookie{ // the script reads and writes it, so it is not HttpOnly
		Name: views.PrefsCookie, Value: prefs.Cookie(), Path: "/", MaxAge: preferencesLife, SameSite: http.SameSiteLaxMode, Secure: s.Secure,
	})
	told := flash{Text: "Saved for this browser."}
	if zone := in.Get("zone"); zone != "" && zone != "UTC" && prefs.Zone != zone {
		told = flash{Tone: views.Warn, Text: "There is no time zone of that name; times are shown in UTC."}
	}
	return s.done(c, told, back(c, views.PathAccount))
}
