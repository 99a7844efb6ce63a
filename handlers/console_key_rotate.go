package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// keyOverlaps are for how many hours the old key may go on beside the new one; the
// longest is the most that keys may.
var keyOverlaps = []int{0, 1, 24, 72, 168}

// usualOverlap is chosen unless somebody chooses otherwise, in hours.
const usualOverlap = 24

// askRotateKey handles GET /console/account/keys/:key/rotate.
func (s *Server) askRotateKey(c echo.Context) error {
	k, err := s.ownKey(c)
	if err != nil {
		return err
	}
	return s.confirmRotate(c, http.StatusOK, k, strconv.Itoa(usualOverlap), "")
}

// confirmRotate asks for how long the old key goes on.
func (s *Server) confirmRotate(c echo.Context, status int, k identity.APIKey, chosen, refused string) error {
	from := back(c, views.PathAPIKeys)
	overlap := views.Field{Name: "overlap", Label: "The old key", Type: views.Select, Required: true, Help: "Time to hand the new key to whatever uses the old one."}
	for _, hours := range keyOverlaps {
		o := views.Option{Value: strconv.Itoa(hours), Label: "ends at once"}
		switch {
		case hours >= 48:
			o.Label = "goes on for " + count(hours/24, "day", "days")
		case hours > 0:
			o.Label = "goes on for " + count(hours, "hour", "hours")
		}
		overlap.Options = append(overlap.Options, o)
	}
	choices(overlap.Options, []string{chosen})
	q := views.Confirm{
		Title: "Rotate " + k.Name + "?", Text: "A new key of the same name, scope and life is made and shown once.", Back: from, Error: refused,
		Reach: keyFacts(k), Fields: []views.Field{overlap},
		Action: views.Action{
			Label: "Rotate", Icon: "rotate-ccw", Primary: true, Href: views.KeyPath(k.ID.String(), "rotate"), Fields: []views.Hidden{{Name: "back", Value: from}},
		},
	}
	return dialog(c, s.visit(c.Request()), status, keyFrame(from, "Rotate"), q, views.ConfirmPage, views.ConfirmDialog)
}

// rotateOwnKey handles POST /console/account/keys/:key/rotate. The answer shows the
// new key, this once.
func (s *Server) rotateOwnKey(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	k, err := s.ownKey(c)
	if err != nil {
		return err
	}
	hours, err := strconv.Atoi(in.Get("overlap"))
	if err != nil || !slices.Contains(keyOverlaps, hours) {
		return s.confirmRotate(c, http.StatusUnprocessableEntity, k, strconv.Itoa(usualOverlap), "Choose for how long the old key goes on.")
	}
	v, overlap := s.visit(c.Request()), time.Duration(hours)*time.Hour
	_, secret, err := s.Identity.RotateAPIKey(c.Request().Context(), k.ID, overlap)
	if err != nil {
		if f := fault.Of(err); isForm(f) {
			return s.confirmRotate(c, http.StatusUnprocessableEntity, k, in.Get("overlap"), f.Sentence)
		}
		return err
	}
	until := v.reader.Now.Add(overlap)
	if k.ExpiresAt.Before(until) {
		until = k.ExpiresAt
	}
	return answerKey(c, v, http.StatusCreated, views.KeyForm{Key: secret, OldUntil: until})
}
