package identity

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/vivified/vivified/core/fault"
)

// The length of a password: at least 12 characters, at most 256 bytes.
const (
	minPassword = 12  // characters
	maxPassword = 256 // bytes
)

// prepare brings a password into the one form in which it is hashed and compared,
// whatever keyboard typed it: the OpaqueString profile of RFC 8265. It reports
// false for what can be no password: too long, not UTF-8, control characters.
func prepare(password string) (string, bool) {
	if len(password) > maxPassword || !utf8.ValidString(password) {
		return "", false
	}
	p, err := precis.OpaqueString.String(password)
	return p, err == nil
}

// checkPassword returns nil or an Unprocessable fault that lists every rule a new
// password breaks. of are texts that belong to the account: address and name.
func checkPassword(password string, of ...string) error {
	var bad []fault.Violation
	refuse := func(rule, message, fix string) {
		bad = append(bad, fault.Violation{Rule: rule, Path: "/password", Message: message, Fix: fix})
	}
	prepared, ok := prepare(password)
	switch {
	case len(password) > maxPassword:
		refuse("password.long", "The password is longer than 256 bytes.", "Use a shorter one.")
	case !ok && password != "":
		refuse("password.characters", "The password has characters that cannot be typed everywhere.", "Leave out control characters.")
	case utf8.RuneCountInString(prepared) < minPassword:
		refuse("password.short", "The password has fewer than 12 characters.", "Use at least 12; a few words in a row do well.")
	case common(prepared):
		refuse("password.common", "The password is among those that attackers try first.", "Use one that nobody else uses.")
	case ownWords(prepared, of):
		refuse("password.own", "The password is little more than your name or address.", "Use words that have nothing to do with you.")
	}
	if bad == nil {
		return nil
	}
	f := fault.New(fault.Unprocessable, bad[0].Rule, "%s", bad[0].Message)
	f.Violations = bad
	return f
}

// ownWords reports whether a password consists of the account's own words, or of
// the product's, and fewer than eight characters more.
func ownWords(password string, of []string) bool {
	rest := strings.ToLower(password)
	words := []string{"vivified"}
	for _, text := range of {
		text = strings.ToLower(text)
		words = append(words, text)
		words = append(words, strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" @.-_+", c) })...)
	}
	found := false
	for _, w := range words {
		if utf8.RuneCountInString(w) >= 3 && strings.Contains(rest, w) {
			found, rest = true, strings.ReplaceAll(rest, w, "")
		}
	}
	return found && utf8.RuneCountInString(rest) < 8
}

// common reports whether a password is one of the commonest, however it is
// cased, or follows so simple a pattern that it might as well be.
func common(password string) bool {
	p := strings.ToLower(password)
	if _, ok := commonest[p]; ok {
		return true
	}
	trimmed := strings.TrimRight(p, "0123456789!?.*#@$ ")
	if _, ok := commonest[trimmed]; ok {
		return true
	}
	return repeats(p) || runs(p)
}

// repeats reports whether s is one piece of at most four characters over and over.
func repeats(s string) bool {
	r := []rune(s)
	for n := 1; n <= 4; n++ {
		same := true
		for i := n; i < len(r) && same; i++ {
			same = r[i] == r[i-n]
		}
		if same {
			return true
		}
	}
	return false
}

// runs reports whether nearly all of s walks up or down the alphabet, the digits
// or a row of the keyboard.
func runs(s string) bool {
	steps, n := 0, 0
	var last rune
	for i, c := range s {
		if i > 0 {
			n++
			if c == last+1 || c == last-1 || neighbours(last, c) {
				steps++
			}
		}
		last = c
	}
	return n > 0 && steps*10 >= n*8
}

// neighbours reports whether b follows a in a row of a keyboard, either way round.
func neighbours(a, b rune) bool {
	for _, row := range [...]string{"1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "azertyuiop"} {
		i := strings.IndexRune(row, a)
		j := strings.IndexRune(row, b)
		if i >= 0 && j >= 0 && (i-j == 1 || j-i == 1) {
			return true
		}
	}
	return false
}
