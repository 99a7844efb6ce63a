package views

// Field is one input of a form, with its label and what to know about it.
type Field struct {
	Name         string // of the form value; also the input's id
	ID           string // when Name is not unique on the page
	Label        string
	Type         FieldType
	Value        string
	Options      []Option // of a select, or of checkboxes
	Checked      bool     // of a switch
	Placeholder  string   // an example, never the label
	Help         string
	Error        string
	Required     bool
	Autocomplete string // the HTML autofill token
	Mono         bool
	Short        bool
	Origin       Origin // which layer set it; empty: not a setting
	Locked       string // why it cannot be changed here
	Min, Max     string
	MaxLength    int
	Wanted       bool // it has to have a value, and an empty input keeps the one it has
	Focus        bool // the first field of a page for it alone
	Named        bool // of Checks: the heading above says the label already
}

// FieldType is how a field is asked.
type FieldType string

// The types.
const (
	Text     FieldType = "text"
	Email    FieldType = "email"
	Password FieldType = "password"
	Number   FieldType = "number"
	DateTime FieldType = "datetime-local"
	Area     FieldType = "textarea"
	Select   FieldType = "select"
	Switch   FieldType = "switch"
	Checks   FieldType = "checks" // several options of one name
)

// Option is one choice of a Select or Checks field.
type Option struct {
	Value    string
	Label    string
	Note     string // what choosing it means
	Selected bool
}

// Origin is the layer that set a setting.
type Origin string

// The layers, weakest first.
const (
	FromDefault     Origin = "default"
	FromFile        Origin = "file"
	FromEnvironment Origin = "environment"
	FromDatabase    Origin = "database"
)

type originLook struct {
	icon IconName
	word string
}

var origins = map[Origin]originLook{
	FromDefault:     {"circle-dashed", "Default"},
	FromFile:        {"file-text", "File"},
	FromEnvironment: {"terminal", "Environment"},
	FromDatabase:    {"database", "Database"},
}

func (f Field) id() string {
	if f.ID != "" {
		return f.ID
	}
	return "f-" + slug(f.Name)
}

// rows is how many lines of a longer text are seen: code needs more of them.
func (f Field) rows() string {
	if f.Mono {
		return "8"
	}
	return "4"
}

func (f Field) kind() string {
	if f.Type == "" {
		return string(Text)
	}
	return string(f.Type)
}

// describedBy lists the ids of the sentences that belong to the input.
func (f Field) describedBy() string {
	ids := ""
	for _, part := range []struct{ text, suffix string }{{f.Error, "-e"}, {f.Help, "-h"}, {f.Locked, "-l"}} {
		if part.text == "" {
			continue
		}
		if ids != "" {
			ids += " "
		}
		ids += f.id() + part.suffix
	}
	return ids
}

// optional reports whether to say that a field may stay empty. A choice always
// has a value, and a setting has its default.
func (f Field) optional() bool {
	return !f.Required && !f.Wanted && f.Type != Select && f.Type != Switch && f.Type != Checks && f.Locked == "" && f.Origin == ""
}

func (f Field) inputClass() string {
	c := "vv-input"
	if f.Mono {
		c += " mono"
	}
	if f.Short {
		c += " short"
	}
	return c
}

// Errors collects the errors of fields for the summary.
func Errors(title string, fields ...Field) ErrorList {
	l := ErrorList{Title: title}
	for _, f := range fields {
		if f.Error != "" {
			l.Errors = append(l.Errors, FieldError{Field: f.id(), Text: f.Label + ": " + f.Error})
		}
	}
	return l
}
