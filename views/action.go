package views

import "strings"

// Action is something a person can do to the object of a page or a row.
//
// It is a form that posts to Href, unless Get is set: then it is a link, and with
// Ask one whose answer is a Confirm, drawn as a dialog or as a page of its own.
// An action that is not permitted now is shown with its Why and cannot be used.
type Action struct {
	Label   string // the verb and, outside a row, the object: "Disable Fax Bridge"
	Object  string // in a row: the object, for those who hear the page
	Icon    IconName
	Href    string
	Get     bool
	Ask     bool // a dialog follows; the label gets an ellipsis
	Primary bool // at most one on a page
	Danger  bool
	Fields  []Hidden // sent with the form
	Why     *Why     // set when it is not permitted now
}

// Hidden is a form value the person does not see.
type Hidden struct{ Name, Value string }

// Why says why something is not permitted now, and who could change that.
type Why struct {
	Text     string   // one sentence
	Trait    string   // the missing trait, if one would allow it
	Grantors []string // names of the people who may grant it
	Decision string   // id of the decision that said so
}

// classes returns the button's classes.
func (a Action) classes(small bool) string {
	c := "vv-btn"
	if small {
		c += " s"
	}
	if a.Danger {
		c += " danger"
	}
	if a.Primary {
		c += " primary"
	}
	return c
}

func (a Action) text() string {
	if a.Ask {
		return a.Label + "…"
	}
	return a.Label
}

// whyID is the id of the sentence that explains a disabled action.
func (a Action) whyID() string { return "why-" + slug(a.Href+a.Label) }

// whys returns the actions that explain themselves, for the place below a title.
func whys(actions []Action) []Action {
	var out []Action
	for _, a := range actions {
		if a.Why != nil {
			out = append(out, a)
		}
	}
	return out
}

// slug makes an id of any text.
func slug(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out = append(out, c)
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			if len(out) > 0 && out[len(out)-1] != '-' {
				out = append(out, '-')
			}
		}
	}
	return string(out)
}

// sentence returns the reason as plain text.
func (w Why) sentence() string {
	s := w.Text
	if w.Trait != "" {
		s += " Needs the trait " + w.Trait + "."
	}
	if len(w.Grantors) > 0 {
		s += " " + list(w.Grantors) + " may grant it."
	}
	return s
}

// list joins names as a sentence does: A, B and C. Beyond three it counts.
func list(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return strings.Join(names[:2], ", ") + " and " + number(int64(n-2)) + " others"
	}
}
