package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Type is the shape of a setting's value. It decides how the value is written
// in the environment, and how in the file, the API and the database.
type Type uint8

// The types.
const (
	TypeString   Type = iota // text without control characters
	TypeInt                  // a whole number
	TypeBool                 // true or false
	TypeDuration             // a number with a unit: 500ms, 30s, 15m, 12h, 30d, 1d12h
	TypeEnum                 // one of the declared choices
	TypeJSON                 // a JSON document; in the environment its text
	TypeStrings              // a list; in the environment separated by commas or spaces, or a JSON array
)

var typeNames = [...]string{"string", "int", "bool", "duration", "enum", "json", "strings"}

// String returns the type's name in the API.
func (t Type) String() string { return typeNames[t] }

// MarshalText returns the type's name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// The most a value may hold.
const (
	maxText     = 4096     // bytes of a string
	maxItems    = 1000     // of a list
	maxDocument = 64 << 10 // bytes of a JSON document
	day         = 24 * time.Hour
)

// A value of a setting is, by type: string, int64, bool, time.Duration, string,
// json.RawMessage (compact), []string.

// parseText reads a value as the environment writes it. must says what the
// value has to be, in words that follow the key's name, or is "".
func (d *Definition) parseText(text string) (v any, must string) {
	switch d.Type {
	case TypeInt:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, "must be a whole number"
		}
		return d.judge(n)
	case TypeBool:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "1", "yes", "on":
			return d.judge(true)
		case "false", "0", "no", "off":
			return d.judge(false)
		}
		return nil, "must be true or false"
	case TypeDuration:
		n, ok := parseDuration(strings.TrimSpace(text))
		if !ok {
			return nil, "must be a time with its unit, such as 500ms, 30s, 15m, 12h or 30d"
		}
		return d.judge(n)
	case TypeJSON:
		return d.parseDocument([]byte(text))
	case TypeStrings:
		if strings.HasPrefix(strings.TrimSpace(text), "[") {
			return d.parseJSON([]byte(text))
		}
		return d.judge(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }))
	}
	return d.judge(text)
}

// parseJSON reads a value as file, API and database write it. A JSON string is
// read like the environment's text, whatever the type: forms and early clients
// send nothing but strings.
func (d *Definition) parseJSON(raw []byte) (v any, must string) {
	doc, err := decodeJSON(raw)
	if err != nil {
		return nil, "must be JSON"
	}
	if text, ok := doc.(string); ok {
		return d.parseText(text)
	}
	if d.Type == TypeJSON {
		return d.parseDocument(raw)
	}
	switch doc := doc.(type) {
	case json.Number:
		if d.Type == TypeInt {
			return d.parseText(doc.String())
		}
	case bool:
		if d.Type == TypeBool {
			return d.judge(doc)
		}
	case []any:
		if d.Type != TypeStrings {
			break
		}
		list := make([]string, 0, len(doc))
		for _, item := range doc {
			text, ok := item.(string)
			if n, isNumber := item.(json.Number); isNumber {
				text, ok = n.String(), true // a list of ports reads naturally without quotes
			}
			if !ok {
				return nil, "must be a list of strings"
			}
			list = append(list, text)
		}
		return d.judge(list)
	}
	return nil, d.shape()
}

// shapes says what each type wants.
var shapes = [...]string{
	TypeString: "must be a string", TypeInt: "must be a whole number", TypeBool: "must be true or false",
	TypeDuration: "must be a string with a time and its unit, such as \"30s\"",
	TypeJSON:     "must be JSON", TypeStrings: "must be a list of strings",
}

func (d *Definition) shape() string {
	if d.Type == TypeEnum {
		return d.oneOf()
	}
	return shapes[d.Type]
}

// parseDocument reads the text of a JSON document.
func (d *Definition) parseDocument(raw []byte) (any, string) {
	var compact bytes.Buffer
	if _, err := decodeJSON(raw); err != nil || json.Compact(&compact, raw) != nil {
		return nil, "must be JSON"
	}
	return d.judge(json.RawMessage(compact.Bytes()))
}

// judge applies bounds and the declared check to a value of the right Go type.
func (d *Definition) judge(v any) (any, string) {
	must := ""
	switch v := v.(type) {
	case string:
		must = d.judgeString(v)
	case []string:
		must = judgeList(v)
	case int64:
		must = d.judgeNumber(v, func(n int64) string { return strconv.FormatInt(n, 10) }, math.MaxInt64)
	case time.Duration:
		must = d.judgeNumber(int64(v), func(n int64) string { return formatDuration(time.Duration(n)) }, int64(36500*day))
	case json.RawMessage:
		if len(v) > maxDocument {
			must = fmt.Sprintf("must be at most %d bytes of JSON", maxDocument)
		}
	}
	if must == "" && d.check != nil {
		must = d.check(v)
	}
	if must != "" {
		return nil, must
	}
	return v, ""
}

func (d *Definition) judgeString(v string) string {
	switch {
	case len(v) > maxText:
		return fmt.Sprintf("must be at most %d bytes long", maxText)
	case !printable(v):
		return "must be text without control characters"
	case d.Type == TypeEnum && !slices.Contains(d.Choices, v):
		return d.oneOf()
	}
	return ""
}

func judgeList(v []string) string {
	if len(v) > maxItems {
		return fmt.Sprintf("must have at most %d items", maxItems)
	}
	for _, item := range v {
		if len(item) > maxText || item == "" || !printable(item) {
			return fmt.Sprintf("must be a list of texts of 1 to %d bytes without control characters", maxText)
		}
	}
	return ""
}

func (d *Definition) judgeNumber(n int64, show func(int64) string, most int64) string {
	if d.Max != 0 {
		most = d.Max
	}
	if n < d.Min || n > most {
		return "must be from " + show(d.Min) + " to " + show(most)
	}
	return ""
}

func (d *Definition) oneOf() string {
	last := len(d.Choices) - 1
	return "must be " + strings.Join(d.Choices[:last], ", ") + " or " + d.Choices[last]
}

// printable reports whether s is valid UTF-8 without control characters, line
// and paragraph separators included: a value is shown and logged on one line.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// marshal returns a value in the form of the API and the database.
func marshal(v any) json.RawMessage {
	switch t := v.(type) {
	case json.RawMessage:
		return t
	case time.Duration:
		v = formatDuration(t)
	case []string:
		if t == nil {
			v = []string{}
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // text, numbers, truth values and lists of text marshal
	}
	return raw
}

// parseDuration reads a Go duration that may begin with whole days.
func parseDuration(s string) (time.Duration, bool) {
	var total time.Duration
	if days, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16) // at most 179 years: no overflow
		if err != nil {
			return 0, false
		}
		if total = time.Duration(n) * day; rest == "" {
			return total, true
		}
		s = rest
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > math.MaxInt64-total {
		return 0, false
	}
	return total + d, true
}

// formatDuration writes d the way people do: 30d, 12h, 1h30m, 15m, 30s.
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// FromText returns what a person typed for the key as the JSON that
// [Settings.Set] takes. Text that its type does not read stays text, for Set to
// refuse.
func (d Definition) FromText(text string) json.RawMessage {
	if d.Type == TypeBool && (text == "on" || text == "off") { // a switch of a form
		return marshal(text == "on")
	}
	if d.Type == TypeString || d.Type == TypeEnum || d.Type == TypeDuration {
		return encodeJSON(text)
	}
	if v, must := d.parseText(text); must == "" {
		return marshal(v)
	}
	return encodeJSON(text)
}
