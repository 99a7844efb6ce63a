package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

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
	if !utf8.Valid(body) || !json.Valid(body) {
		return fault.New(fault.Invalid, "body.malformed", "The body is not JSON in UTF-8.")
	}
	if holdsNUL(body) {
		return fault.New(fault.Invalid, "body.malformed", "The body holds the character U+0000, which nothing here can keep.")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return wrongType(err, body, v)
	}
	return nil
}

// holdsNUL reports whether a string of a valid JSON text holds U+0000, which
// PostgreSQL's text cannot.
func holdsNUL(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(body[i+1:], []byte("u0000")) {
			return true
		}
		i++ // what is escaped begins no escape
	}
	return false
}

// wrongType says which member of a body is not of the type it must have.
func wrongType(err error, body []byte, v any) error {
	bad, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if ok && bad.Field != "" {
		return fault.New(fault.Invalid, "body.type", "The member %q of the body should be %s.", bad.Field, typeName(bad.Type)).Because(err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return fault.New(fault.Invalid, "body.type", "The body should be a JSON object.").Because(err)
	}
	// A type that reads itself, such as a time, does not know the name of its member.
	for _, name := range slices.Sorted(maps.Keys(members)) {
		one, _ := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if json.Unmarshal(one, reflect.New(reflect.TypeOf(v).Elem()).Interface()) != nil {
			return fault.New(fault.Invalid, "body.type", "The member %q of the body is not of the form it should have; a time is written like 2026-03-17T14:00:00Z.", name).Because(err)
		}
	}
	return fault.New(fault.Invalid, "body.type", "A member of the body is not of the form it should have.").Because(err)
}

// typeNames are the types of Go as JSON calls them.
var typeNames = map[reflect.Kind]string{
	reflect.String: "a string", reflect.Bool: "true or false", reflect.Slice: "an array", reflect.Array: "an array", reflect.Map: "an object", reflect.Struct: "an object",
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if name, ok := typeNames[t.Kind()]; ok {
		return name
	}
	if t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 {
		return "a whole number that is not too large"
	}
	return "a number"
}

// noStore answers JSON that no cache may keep, as no answer may that does not say so.
func noStore(c echo.Context, status int, v any) error { return c.JSON(status, v) }

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

// numberCursor reads ?cursor of a list whose places are numbers.
func numberCursor(c echo.Context) (int64, error) {
	raw := c.QueryParam("cursor")
	if raw == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "query.cursor", "The cursor is the one of the page before.")
	}
	return n, nil
}
