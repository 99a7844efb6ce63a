package handlers

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// methodWords and factorWords say how a session was started.
var (
	methodWords = map[string]string{
		identity.MethodPassword: "Password", identity.MethodPasskey: "Passkey", identity.MethodOIDC: "Identity provider", identity.MethodBreakGlass: "Emergency access",
	}
	factorWords = map[string]string{
		identity.FactorTOTP: "code", identity.FactorPasskey: "passkey", identity.FactorRecovery: "recovery code", identity.FactorProvider: "the provider's second factor",
	}
)

// howSignedIn says how a session was started: Password and code.
func howSignedIn(one identity.Session) string {
	how := methodWords[one.Method]
	if word := factorWords[one.Factor]; word != "" && one.Method != identity.MethodPasskey {
		how += " and " + word
	}
	return how
}

// factorsOf is what the account page shows of second factors.
func (v *visit) factorsOf(has identity.Factors) views.Factors {
	f := views.Factors{Since: has.TOTP, Codes: has.RecoveryCodes, None: has.None()}
	if has.Required && has.None() && has.Due != nil {
		f.Due = has.Due
	}
	app := views.Action{Label: "Set up", Object: "authenticator app", Get: true, Href: views.PathTOTP, Primary: f.Due != nil}
	if has.TOTP != nil {
		app.Label, app.Primary = "Replace", false
		f.AppActions = append(f.AppActions, app, views.Action{Label: "Remove", Object: "authenticator app", Danger: true, Ask: true, Href: views.PathTOTP + "/remove"})
	} else {
		f.AppActions = append(f.AppActions, app)
	}
	for _, k := range has.Passkeys {
		f.Passkeys = append(f.Passkeys, views.PasskeyRow{
			Name: k.Name, Added: k.Added, LastUsed: k.LastUsed,
			Remove: views.Action{Label: "Remove", Object: k.Name, Danger: true, Ask: true, Href: views.PasskeyPath(k.ID, "remove")},
		})
	}
	f.Add = views.Action{Label: "Add a passkey", Icon: "plus", Get: true, Href: views.PathPasskeys + "/new"}
	if !f.None {
		f.Renew = &views.Action{Label: "New recovery codes", Ask: true, Href: views.PathRecovery}
	}
	return f
}

// toEnrol leads a person whose session lacks a second factor to set one up.
func toEnrol(c echo.Context) error {
	if isPart(c.Request()) {
		c.Response().Header().Set("HX-Redirect", views.PathFactors)
		return c.NoContent(http.StatusForbidden)
	}
	return c.Redirect(http.StatusSeeOther, views.PathFactors)
}

// enrolPage handles GET /console/account/factors.
func (s *Server) enrolPage(c echo.Context) error {
	ctx := c.Request().Context()
	if !actor.From(ctx).Credential.Limited {
		return c.Redirect(http.StatusSeeOther, views.PathAccount+"#factors")
	}
	id, err := ownID(ctx)
	if err != nil {
		return err
	}
	has, err := s.Identity.Factors(ctx, id)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	return draw(c, v, http.StatusOK, views.EnrolPage(views.Enrol{Name: v.who.Name, Has: !has.None(), App: has.TOTP != nil, Passkeys: s.passkeysWork(c.Request())}))
}

// totpPage handles GET /console/account/factors/totp: it begins with an
// authenticator app, which counts for nothing until it is confirmed.
func (s *Server) totpPage(c echo.Context) error { return s.totpForm(c, http.StatusOK, "") }

func (s *Server) totpForm(c echo.Context, status int, wrong string) error {
	ctx := c.Request().Context()
	begun, err := s.Identity.PendingTOTP(ctx, s.issuer())
	if fault.Is(err, fault.NotFound) {
		if err = s.Identity.BeginTOTP(ctx); err == nil {
			begun, err = s.Identity.PendingTOTP(ctx, s.issuer())
		}
	}
	if err != nil {
		return err
	}
	return answer(c, s.visit(c.Request()), status, at(views.PathAccount, "Account", views.PathAccount, "Authenticator app", ""),
		views.TOTP{Secret: grouped(begun.Secret), Error: wrong}, views.TOTPPage, views.TOTPBody)
}

// grouped writes a secret in groups of four letters, to be typed.
func grouped(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// totpCode handles GET /console/account/factors/totp/code.svg: the secret that is
// being set up, for its owner, as a QR code.
func (s *Server) totpCode(c echo.Context) error {
	begun, err := s.Identity.PendingTOTP(c.Request().Context(), s.issuer())
	if err != nil {
		return err
	}
	code, err := qr.Encode(begun.URI, qr.M, qr.Auto)
	if err != nil {
		return err
	}
	const quiet = 4 // modules around it; ISO/IEC 18004, section 6.3.8
	n := code.Bounds().Dx()
	var path strings.Builder
	for y := range n {
		for x := range n {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				path.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	side := strconv.Itoa(n + 2*quiet)
	return c.Blob(http.StatusOK, "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+side+` `+side+
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`+side+`v`+side+`H0z"/><path d="`+path.String()+`"/></svg>`))
}

// totpConfirm handles POST /console/account/factors/totp/confirm.
func (s *Server) totpConfirm(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	codes, err := s.Identity.ConfirmTOTP(c.Request().Context(), in.Get("code"))
	if f := fault.Of(err); err != nil && (f.Kind == fault.TooMany || isForm(f)) {
		setRetryAfter(c, f)
		return s.totpForm(c, statuses[f.Kind], f.Sentence)
	}
	return s.enrolled(c, "Your authenticator app is set up.", codes, err)
}

// enrolled shows the recovery codes that came with a first factor, or leads back
// to the account.
func (s *Server) enrolled(c echo.Context, text string, codes []string, err error) error {
	if err != nil {
		return err
	}
	if len(codes) == 0 {
		return s.done(c, flash{Text: text}, views.PathAccount+"#factors")
	}
	s.actFresh(c)
	return answer(c, s.visit(c.Request()), http.StatusOK, at(views.PathAccount, "Account", views.PathAccount, "Recovery codes", ""),
		views.RecoveryCodes{Text: text, Codes: codes}, views.RecoveryCodesPage, views.RecoveryCodesBody)
}

// actFresh has the rest of the request go on with the rights the session has now.
func (s *Server) actFresh(c echo.Context) {
	r := c.Request()
	if who, err := s.Identity.Recheck(r.Context(), actor.From(r.Context())); err == nil {
		c.SetRequest(r.WithContext(actor.With(r.Context(), who)))
	}
}

// askRemoveTOTP handles GET /console/account/factors/totp/remove.
func (s *Server) askRemoveTOTP(c echo.Context) error {
	return s.askFactor(c, views.Confirm{
		Title: "Remove the authenticator app?", Text: "Its codes are refused from then on. Every other session of yours ends.",
		Action: views.Action{Label: "Remove", Danger: true, Primary: true, Href: views.PathTOTP + "/remove"},
	})
}

func (s *Server) askFactor(c echo.Context, q views.Confirm) error {
	q.Back = back(c, views.PathAccount)
	return ask(c, s.visit(c.Request()), http.StatusOK, at(views.PathAccount, "Account", views.PathAccount), q)
}

// totpRemove handles POST /console/account/factors/totp/remove.
func (s *Server) totpRemove(c echo.Context) error {
	return s.removed(c, s.Identity.RemoveTOTP(c.Request().Context()), "The authenticator app is removed.")
}

// removed ends the removal of a factor; what keeps it is told on the account page.
func (s *Server) removed(c echo.Context, err error, text string) error {
	if fault.Is(err, fault.Conflict) {
		return s.done(c, flash{Tone: views.Danger, Text: fault.Of(err).Sentence}, views.PathAccount+"#factors")
	}
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: text}, views.PathAccount+"#factors")
}

// askRecovery handles GET /console/account/factors/recovery-codes.
func (s *Server) askRecovery(c echo.Context) error {
	return s.askFactor(c, views.Confirm{
		Title: "Make new recovery codes?", Text: "The ones you have are void from then on.",
		Action: views.Action{Label: "Make new ones", Primary: true, Href: views.PathRecovery},
	})
}

// recoveryRenew handles POST /console/account/factors/recovery-codes.
func (s *Server) recoveryRenew(c echo.Context) error {
	codes, err := s.Identity.RenewRecoveryCodes(c.Request().Context())
	return s.enrolled(c, "Your new recovery codes. All before are void.", codes, err)
}

// factorNote reminds somebody of the second factor that is required of them; nil:
// there is nothing to remind of.
func (v *visit) factorNote(ctx context.Context) *views.Banner {
	id, err := ownID(ctx)
	if err != nil || v.who.Credential.Kind != identity.CredentialSession {
		return nil
	}
	has, err := v.Identity.Factors(ctx, id)
	if err != nil || !has.Required || !has.None() || has.Due == nil {
		return nil // it is a courtesy
	}
	return &views.Banner{
		Tone: views.Info, Title: "A second factor is required of you.", Text: "From " + has.Due.In(v.zone()).Format("2 January, 15:04") + " on everything waits until it is set up.",
		Actions: []views.Action{{Label: "Set it up", Get: true, Href: views.PathAccount + "#factors"}},
	}
}
