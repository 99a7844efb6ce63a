package handlers

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// A dangerous action that was asked for in the console without a fresh proof is
// answered with a question. Its form goes to the same address, with the proof and
// with what was typed before: sealed, so that nobody can alter it and no secret
// stands in the page. When the proof is good, the action is done as it was asked.

// Names of the fields of that question.
const (
	proofForm     = "step-up.form" // what was typed before, sealed
	proofPassword = "step-up.password"
	proofCode     = "step-up.code"
)

// fresh returns nil when the action may go on: whoever acts proved themselves a
// moment ago, or does so with this very request. Otherwise it has answered, or
// returns what to answer; asked says which.
func (s *Server) fresh(c echo.Context) (asked bool, err error) {
	r, who := c.Request(), actor.From(c.Request().Context())
	refusal := s.Identity.Fresh(who)
	if !isConsole(r) {
		return false, refusal
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if refusal == nil || !wantsPage(r) {
			return false, refusal
		}
		return true, s.askProof(c, "", "")
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return false, refusal
	}
	in, err := formOf(c)
	if err != nil {
		return false, err
	}
	sealed := in.Get(proofForm)
	if sealed == "" {
		if refusal == nil {
			return false, nil
		}
		return true, s.askProof(c, in.Encode(), "")
	}
	typed, err := s.openForm(c, sealed)
	if err != nil {
		return false, err
	}
	if refusal != nil {
		if err := s.takeProof(c, in); err != nil {
			if f := fault.Of(err); f.Kind == fault.Denied || f.Kind == fault.TooMany || f.Kind == fault.Gone {
				return true, s.askProof(c, typed, f.Sentence)
			}
			return false, err
		}
		who.Credential.Proved = time.Now()
		r = r.WithContext(actor.With(r.Context(), who))
	}
	r.Body = io.NopCloser(strings.NewReader(typed))
	r.ContentLength = int64(len(typed))
	r.Form, r.PostForm = nil, nil
	c.SetRequest(r)
	return false, nil
}

// takeProof takes the proof that a form shows.
func (s *Server) takeProof(c echo.Context, in url.Values) error {
	_, err := s.Identity.StepUp(c.Request().Context(), identity.Evidence{
		Password: in.Get(proofPassword), Code: in.Get(proofCode), Passkey: []byte(in.Get("credential")),
	})
	return err
}

// askProof asks whoever acts to prove that it is them; typed is the form they sent.
func (s *Server) askProof(c echo.Context, typed, wrong string) error {
	r, v := c.Request(), s.visit(c.Request())
	ctx := r.Context()
	id, err := ownID(ctx)
	if err != nil {
		return err
	}
	u, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	has, err := s.Identity.Factors(ctx, id)
	if err != nil {
		return err
	}
	p := views.StepUp{Action: r.URL.RequestURI(), Target: "#main", Error: wrong, Password: u.PasswordSet != nil, App: has.TOTP != nil, Back: back(c, views.PathOverview)}
	if r.Method == http.MethodGet {
		p.Action, p.Next = views.PathStepUp, r.URL.RequestURI()
	} else if p.Form, err = s.sealForm(c, typed); err != nil {
		return err
	}
	if forDialog(r) {
		p.Target = "#vv-ask"
	}
	if s.passkeysWork(r) {
		options, err := s.Identity.StepUpChallenge(ctx)
		if err != nil {
			return err
		}
		p.Passkey = string(options)
	}
	if !p.Password && !p.App && p.Passkey == "" {
		linked, err := s.Identity.Linked(ctx, id)
		if err != nil {
			return err
		}
		ways, err := s.SSO.Buttons(ctx)
		if err != nil {
			return err
		}
		for _, w := range ways {
			if !slices.ContainsFunc(linked, func(l identity.Linked) bool { return l.Provider == w.ID }) {
				continue
			}
			p.Again = append(p.Again, views.Action{Label: "Sign in again with " + w.Name, Get: true, Href: views.OIDCPath(w.ID, "start") + "?" + url.Values{"again": {"1"}, "next": {p.Back}}.Encode()})
		}
	}
	if isPart(r) {
		if r.Method == http.MethodGet {
			c.Response().Header().Set("HX-Redirect", r.URL.RequestURI())
			return c.NoContent(http.StatusNoContent)
		}
		c.Response().Header().Set("HX-Retarget", "#vv-ask")
		c.Response().Header().Set("HX-Reswap", "innerHTML")
	}
	return dialog(c, v, http.StatusForbidden, at("", "Home", "", "Confirm that it is you", ""), p, views.StepUpPage, views.StepUpDialog)
}

// downloads are pages that are none: after the proof people come back to where
// they asked for them, since a download would leave them at the question.
var downloads = []struct{ path, page, told string }{
	{views.PathExport, views.PathAudit, "Confirmed. Export again within the next minutes."},
	{views.PathEvidencePack, views.PathEvidence, "Confirmed. Build the pack again within the next minutes."},
	{views.PathRetention + "/archives/", views.PathRetention, "Confirmed. Download the archive again within the next minutes."},
}

// stepUpAndGo handles POST /console/step-up: the proof before a page.
func (s *Server) stepUpAndGo(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	next := safeNext(in.Get("next"))
	if err := s.takeProof(c, in); err != nil && !fault.Is(err, fault.Denied) {
		return err
	} else if err != nil {
		// The page asks again.
		s.keepFlash(c, flash{Tone: views.Danger, Text: fault.Of(err).Sentence})
	} else {
		path, query, _ := strings.Cut(next, "?")
		for _, d := range downloads {
			if path == d.path || strings.HasSuffix(d.path, "/") && strings.HasPrefix(path, d.path) {
				s.keepFlash(c, flash{Text: d.told})
				next = d.page + "?" + query
			}
		}
	}
	return c.Redirect(http.StatusSeeOther, next)
}

// sealForm seals what was typed for this session and address.
func (s *Server) sealForm(c echo.Context, typed string) (string, error) {
	plain, err := json.Marshal(typed)
	if err != nil {
		return "", err
	}
	sealed, err := s.Identity.Sealer.Seal(plain, formBinding(c))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

func (s *Server) openForm(c echo.Context, sealed string) (typed string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		text, err = s.Identity.Sealer.Open(text, formBinding(c))
	}
	if err == nil {
		err = json.Unmarshal(text, &typed)
	}
	if err != nil {
		return "", fault.New(fault.Invalid, "request.malformed", "This question is not one that was asked here; open the page again.").Because(err)
	}
	return typed, nil
}

// formBinding ties a sealed form to its session and address.
func formBinding(c echo.Context) []byte {
	r := c.Request()
	return []byte("handlers/step-up/" + actor.From(r.Context()).Credential.ID + " " + r.Method + " " + r.URL.RequestURI())
}
