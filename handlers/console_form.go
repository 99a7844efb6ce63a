package handlers

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// passwordRules are what a new password must be, as sentences.
var passwordRules = []string{"At least 12 characters; a few words in a row do well", "Not among those that attackers try first", "Not your own name or address"}

// formOf reads a form that was posted.
func formOf(c echo.Context) (url.Values, error) {
	if err := c.Request().ParseForm(); err != nil {
		return nil, err
	}
	return c.Request().PostForm, nil
}

// corrections writes into each field what f says of it, and returns the summary.
// A violation names its field by the last part of its pointer; what belongs to
// none of the fields stands in the summary alone.
func corrections(f *fault.Fault, fields ...*views.Field) views.ErrorList {
	var rest []views.FieldError
	violations := f.Violations
	if len(violations) == 0 {
		violations = []fault.Violation{{Message: f.Sentence}}
	}
	for _, broken := range violations {
		name := broken.Path[strings.LastIndexByte(broken.Path, '/')+1:]
		text := strings.TrimSpace(broken.Message + " " + broken.Fix)
		if field := named(fields, name); field != nil {
			field.Error = text
			continue
		}
		rest = append(rest, views.FieldError{Text: text})
	}
	all := make([]views.Field, len(fields))
	for i, field := range fields {
		all[i] = *field
	}
	list := views.Errors("", all...)
	list.Errors = append(list.Errors, rest...)
	list.Title = corrected(len(list.Errors))
	return list
}

// named returns the field of a name: that of the form, or that of the API.
func named(fields []*views.Field, name string) *views.Field {
	for _, field := range fields {
		if name != "" && (field.Name == name || field.Name == "expires" && name == "expires_at") {
			return field
		}
	}
	return nil
}

// corrected is the title above what a form needs.
func corrected(n int) string {
	if n == 1 {
		return "1 value needs a correction; nothing was saved"
	}
	return strconv.Itoa(n) + " values need a correction; nothing was saved"
}

// isForm reports whether the error is about what was typed, so that the form
// comes back with it instead of an error page.
func isForm(f *fault.Fault) bool {
	return f.Kind == fault.Unprocessable || f.Kind == fault.Invalid
}

// choices marks the options that are chosen.
func choices(options []views.Option, chosen []string) []views.Option {
	is := map[string]bool{}
	for _, c := range chosen {
		is[c] = true
	}
	for i := range options {
		options[i].Selected = is[options[i].Value]
	}
	return options
}
