package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
)

// bind reads a JSON body into v. No body leaves v as it is; unknown members are
// ignored, so that newer clients may talk to an older core.
func bind(c echo.Context, v any) error {
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fault.New(fault.Invalid, "body.type", "The member %q of the body should be a %s.", bad.Field, bad.Type.Kind())
		}
		return fault.New(fault.Invalid, "body.malformed", "The body is not JSON; check it near the place the parser stopped.").Because(err)
	}
	return nil
}

// noStore answers JSON that carries a secret, which no cache may keep.
func noStore(c echo.Context, status int, v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(status, v)
}

// pageSize reads ?limit, between 1 and most.
func pageSize(c echo.Context, usual, most int) (int, error) {
	raw := c.QueryParam("limit")
	if raw == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 || n > most {
		return 0, fault.New(fault.Invalid, "query.limit", "limit is a number from 1 to %d.", most)
	}
	return n, nil
}
