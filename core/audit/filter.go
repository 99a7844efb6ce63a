package audit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
)

// Filter says which records to read. An empty field filters nothing; fields
// are joined by "and". There is no field for the tenant: it is always that of
// whoever reads.
type Filter struct {
	Since   time.Time // from this time on
	Until   time.Time // before this time
	Actor   string    // id, name or e-mail address of who acted or was acted for
	Plugin  string    // id of a plugin that acted, was acted upon, or was to receive an event
	Action  string    // exact, or a prefix followed by *, such as plugin.*
	Actions []string  // exact names, of which any will do; not together with Action
	Outcome Outcome
	Trace   string

	// The "ok" that ends an allowed action is not looked at by these five: its
	// decision has the same, and is found.
	Object  string // exact, or a prefix followed by *
	Class   string // a data class touched
	Rule    string // the deciding rule
	Address string
	Text    string // words of action, object, names and reasons, or their beginnings; needs Since

	Limit  int    // of a page; default 50, at most 500
	Cursor string // Page.Next of the page before
}

// Page is one page of records, newest first.
type Page struct {
	Records []Record
	Next    string // the cursor of the next page; "" on the last
}

const (
	defaultLimit = 50
	maxLimit     = 500
	maxFilter    = 256 // bytes of one field
	maxWords     = 8
	maxActions   = 32
)

var (
	actionPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+\*?$|^\*$`)
	outcomes      = map[Outcome]bool{Allow: true, Deny: true, OK: true, Failed: true, Unknown: true}
)

// Check returns an Invalid fault that lists every field that cannot be searched for.
func (f *Filter) Check() error {
	var bad []fault.Violation
	wrong := func(field, message string) {
		bad = append(bad, fault.Violation{Rule: "audit.filter", Path: "/" + field, Message: message})
	}
	for _, t := range [...]struct{ field, value string }{
		{"actor", f.Actor}, {"plugin", f.Plugin}, {"object", f.Object}, {"rule", f.Rule},
		{"trace", f.Trace}, {"address", f.Address}, {"q", f.Text},
	} {
		limit := maxFilter
		if t.field == "object" {
			limit = maxObject
		}
		if len(t.value) > limit || !utf8.ValidString(t.value) || strings.ContainsRune(t.value, 0) {
			wrong(t.field, fmt.Sprintf("It must be text of at most %d bytes.", limit))
		}
	}
	if f.Action != "" && (len(f.Action) > maxFilter || !actionPattern.MatchString(f.Action)) {
		wrong("action", "It is the name of an action, or the beginning of one and *.")
	}
	if len(f.Actions) > maxActions || len(f.Actions) > 0 && f.Action != "" || slices.ContainsFunc(f.Actions, func(a string) bool {
		return len(a) > maxFilter || !actionPattern.MatchString(a) || strings.HasSuffix(a, "*")
	}) {
		wrong("action", fmt.Sprintf("Give at most %d names of actions, and no beginning of one.", maxActions))
	}
	if f.Outcome != "" && !outcomes[f.Outcome] {
		wrong("outcome", "It is allow, deny, ok, failed or unknown.")
	}
	if _, ok := trait.ParseClass(f.Class); f.Class != "" && !ok {
		wrong("class", "It is public, internal, confidential, pii or phi.")
	}
	if f.Text != "" {
		switch n := len(textWords(f.Text)); {
		case n == 0 || n > maxWords:
			wrong("q", fmt.Sprintf("Give one to %d words.", maxWords))
		case f.Since.IsZero():
			wrong("since", "A search for words needs a time to begin at.")
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Until.Before(f.Since) {
		wrong("until", "It must not be before since.")
	}
	if _, err := parseCursor(f.Cursor); err != nil {
		wrong("cursor", "It is not one that this list gave out.")
	}
	if len(bad) == 0 {
		return nil
	}
	err := fault.New(fault.Invalid, "audit.filter", "The audit cannot be searched like that: %s: %s", bad[0].Path[1:], bad[0].Message)
	err.Violations = bad
	return err
}

func (f *Filter) limit() int {
	if f.Limit <= 0 {
		return defaultLimit
	}
	return min(f.Limit, maxLimit)
}
