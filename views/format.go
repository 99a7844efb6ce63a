package views

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// shorten keeps the first and last characters of an identifier and puts an
// ellipsis between: 01959f3c-7a10-7e4c-9d21-6f2a becomes 01959f3c…6f2a. What is
// not much longer than the result stays whole.
func shorten(id string) string {
	const head, tail = 8, 4
	if utf8.RuneCountInString(id) <= head+tail+4 {
		return id
	}
	r := []rune(id)
	return string(r[:head]) + "…" + string(r[len(r)-tail:])
}

// shortHash keeps the algorithm and the ends of a digest: sha256:51be…e0a4.
func shortHash(digest string) string {
	algorithm, value, ok := strings.Cut(digest, ":")
	if !ok {
		value, algorithm = algorithm, ""
	} else {
		algorithm += ":"
	}
	if len(value) <= 12 {
		return digest
	}
	return algorithm + value[:6] + "…" + value[len(value)-4:]
}

// number writes n with a comma at every third digit.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural returns "1 plugin" or "3 plugins".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(int64(n)) + " " + many
}

// rate writes a rate per minute: 186, 18.6, 0.4, 0.
func rate(perMinute float64) string {
	switch {
	case perMinute == 0 || math.IsNaN(perMinute):
		return "0"
	case perMinute >= 1000:
		return number(int64(math.Round(perMinute)))
	default:
		return short(perMinute)
	}
}

// percent writes a share of one: 0.021 becomes "2.1 %".
func percent(share float64) string {
	p := share * 100
	digits := 1
	if p > 0 && p < 1 {
		digits = 2
	}
	return strings.TrimSuffix(strconv.FormatFloat(p, 'f', digits, 64), ".0") + " %"
}

// took writes how long something lasted, for a figure: 6.2 ms, 212 ms, 1.9 s.
func took(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return "–"
	case ms < 100:
		return short(ms) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	default:
		return short(ms/1000) + " s"
	}
}

// age writes how long something has lasted, for a person: 4 s, 10 min,
// 2 h 14 min, 3 days.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 24*time.Hour:
		h, m := int(d.Hours()), int(d.Minutes())%60
		if m == 0 {
			return strconv.Itoa(h) + " h"
		}
		return strconv.Itoa(h) + " h " + strconv.Itoa(m) + " min"
	default:
		return plural(int(d.Hours()/24), "day", "days")
	}
}

// left writes the time until something ends, to the nearest unit it is shown in:
// what was given for 7 days a moment ago has 7 days left, not 6.
func left(d time.Duration) string {
	switch {
	case d <= 0:
		return "over"
	case d >= 24*time.Hour-30*time.Second:
		return age(d.Round(24 * time.Hour))
	case d >= time.Minute-time.Second/2:
		return age(d.Round(time.Minute))
	}
	return age(d)
}

// initials returns up to two capital letters of a name.
func initials(name string) string {
	var out []rune
	words := strings.FieldsFunc(name, func(c rune) bool { return c == ' ' || c == '.' || c == '@' || c == '-' || c == '_' })
	for _, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		if len(out) < 2 {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return "?"
	}
	return strings.ToUpper(string(out))
}

// lower writes a status's word inside a sentence.
func lower(word string) string {
	r, n := utf8.DecodeRuneInString(word)
	return strings.ToLower(string(r)) + word[n:]
}
