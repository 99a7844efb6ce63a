package identity

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/vivified/vivified/core/fault"
)

// Limits of what is kept of a person.
const (
	maxEmail  = 254 // bytes; RFC 5321 section 4.5.3.1.3 less the brackets
	maxName   = 100 // characters
	maxReason = 500 // bytes
)

// cleanEmail returns an address in the form in which it is stored, or an
// Unprocessable fault. Only ASCII is taken: two addresses that look alike must be
// the same.
func cleanEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmail || strings.ContainsFunc(email, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", violation("email.format", "/email", "This is not an e-mail address.", "Write it as name@example.com, in ASCII.")
	}
	return email, nil
}

// cleanName returns a name as it is stored, NFC and without outer or doubled
// spaces, or an Unprocessable fault.
func cleanName(name string) (string, error) {
	if !utf8.ValidString(name) || len(name) > 8*maxName {
		return "", violation("name.format", "/name", "The name cannot be read.", "Write it in at most 100 characters.")
	}
	name = strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	switch {
	case name == "":
		return "", violation("name.missing", "/name", "The name is missing.", "Write how this person is to be shown.")
	case utf8.RuneCountInString(name) > maxName:
		return "", violation("name.format", "/name", "The name is longer than 100 characters.", "Shorten it.")
	case strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsGraphic(c) }):
		return "", violation("name.format", "/name", "The name has characters that cannot be seen.", "Leave out control and direction marks.")
	}
	return name, nil
}

// checkEnd returns an Unprocessable fault for an end that is past.
func checkEnd(end *time.Time, now time.Time) error {
	if end != nil && !end.After(now) {
		return violation("expires.past", "/expires_at", "The end lies in the past.", "Name a later time, or none.")
	}
	return nil
}

// violation is an Unprocessable fault of a single broken rule.
func violation(rule, path, message, fix string) *fault.Fault {
	f := fault.New(fault.Unprocessable, rule, "%s", message)
	f.Violations = []fault.Violation{{Rule: rule, Path: path, Message: message, Fix: fix}}
	return f
}
