package views

// Banner is a state that changes what the page means; at most one on a page.
type Banner struct {
	Tone    Tone
	Title   string
	Text    string
	Actions []Action
}

// icon returns the icon of a tone.
func (t Tone) icon() IconName {
	switch t {
	case OK:
		return "circle-check"
	case Warn:
		return "triangle-alert"
	case Danger:
		return "octagon-x"
	default:
		return "info"
	}
}

// Toast tells what just happened. With Undo it offers for ten seconds to take it back.
type Toast struct {
	Tone Tone // OK unless said otherwise
	Text string
	Undo *Action
}

func (t Toast) tone() Tone {
	if t.Tone == "" {
		return OK
	}
	return t.Tone
}

// Empty is what stands in the place of rows that are not there. Its kind is one of
// none yet, filtered out and not permitted.
type Empty struct {
	Kind   EmptyKind
	Title  string
	Text   string
	Action *Action // create, clear, or ask
}

// EmptyKind says why there is nothing.
type EmptyKind string

// The three kinds.
const (
	NoneYet      EmptyKind = "none"
	FilteredOut  EmptyKind = "filtered"
	NotPermitted EmptyKind = "denied"
)

func (k EmptyKind) icon() IconName {
	switch k {
	case FilteredOut:
		return "filter-x"
	case NotPermitted:
		return "lock"
	default:
		return "inbox"
	}
}

// Confirm asks before something that cannot be undone, or whose reach should be
// seen first. The same props make the dialog and the page for those without
// scripts. A refused attempt is answered with 422 and the dialog again.
type Confirm struct {
	Title  string  // "Quarantine Fax Bridge?"
	Text   string  // what happens, and what does not
	Reach  []KV    // the blast radius, worst first
	Fields []Field // asked along with it, such as a reason
	Typed  string  // what must be typed to confirm, sent as "typed"; empty: nothing
	Action Action  // its Href is posted to; Danger colours it
	Back   string  // where Cancel leads
	Error  string  // why the last attempt was refused
}

// ErrorList is the summary above a form that was refused.
type ErrorList struct {
	Title  string // "2 settings need a correction; nothing was saved"
	Errors []FieldError
}

// FieldError is one correction to make; Field is the id of its input, if it has one.
type FieldError struct{ Field, Text string }
