package handlers

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/settings"
)

// showFactors handles GET /auth/factors.
func (s *Server) showFactors(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := ownID(ctx)
	if err != nil {
		return err
	}
	f, err := s.Identity.Factors(ctx, id)
	if err != nil {
		return err
	}
	type passkey struct {
		ID       string     `json:"id"`
		Name     string     `json:"name"`
		Added    time.Time  `json:"created_at"`
		LastUsed *time.Time `json:"last_used_at"`
	}
	keys := make([]passkey, len(f.Passkeys))
	for i, k := range f.Passkeys {
		keys[i] = passkey{k.ID, k.Name, k.Added.UTC(), k.LastUsed}
	}
	return noStore(c, http.StatusOK, map[string]any{
		"required": f.Required, "due": f.Due, "totp": map[string]any{"since": f.TOTP}, "passkeys": keys, "recovery_codes": map[string]any{"left": f.RecoveryCodes},
	})
}

// issuer is what authenticator apps show an account under.
func (s *Server) issuer() string { return cmp.Or(s.Settings.String(settings.Organisation), "Vivified") }

// beginTOTP handles POST /auth/factors/totp.
func (s *Server) beginTOTP(c echo.Context) error {
	ctx := c.Request().Context()
	if err := s.Identity.BeginTOTP(ctx); err != nil {
		return err
	}
	begun, err := s.Identity.PendingTOTP(ctx, s.issuer())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, map[string]any{"secret": begun.Secret, "uri": begun.URI})
}

// confirmTOTP handles POST /auth/factors/totp/confirm.
func (s *Server) confirmTOTP(c echo.Context) error {
	var in struct {
		OTP string `json:"otp"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	codes, err := s.Identity.ConfirmTOTP(c.Request().Context(), in.OTP)
	return answerCodes(c, http.StatusOK, codes, err)
}

// removeTOTP handles DELETE /auth/factors/totp.
func (s *Server) removeTOTP(c echo.Context) error {
	if err := s.Identity.RemoveTOTP(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// challengePasskey handles POST /auth/factors/passkeys/challenge.
func (s *Server) challengePasskey(c echo.Context) error {
	options, err := s.Identity.RegistrationChallenge(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"public_key": json.RawMessage(options)})
}

// addPasskey handles POST /auth/factors/passkeys.
func (s *Server) addPasskey(c echo.Context) error {
	var in struct {
		Name       string          `json:"name"`
		Credential json.RawMessage `json:"credential"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	codes, err := s.Identity.RegisterPasskey(c.Request().Context(), in.Name, in.Credential)
	return answerCodes(c, http.StatusCreated, codes, err)
}

// renamePasskey handles PATCH /auth/factors/passkeys/:id.
func (s *Server) renamePasskey(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := s.Identity.RenamePasskey(c.Request().Context(), c.Param("id"), in.Name); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "renamed"})
}

// removePasskey handles DELETE /auth/factors/passkeys/:id.
func (s *Server) removePasskey(c echo.Context) error {
	if err := s.Identity.RemovePasskey(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// renewRecoveryCodes handles POST /auth/factors/recovery-codes.
func (s *Server) renewRecoveryCodes(c echo.Context) error {
	codes, err := s.Identity.RenewRecoveryCodes(c.Request().Context())
	return answerCodes(c, http.StatusCreated, codes, err)
}

// resetFactors handles DELETE /admin/users/:id/factors.
func (s *Server) resetFactors(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.ResetFactors(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// answerCodes answers with the recovery codes that came of something, if any did.
func answerCodes(c echo.Context, status int, codes []string, err error) error {
	if err != nil {
		return err
	}
	if codes == nil {
		codes = []string{}
	}
	return noStore(c, status, map[string]any{"recovery_codes": codes})
}
