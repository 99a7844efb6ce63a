package settings

import (
	"fmt"

	"github.com/vivified/vivified/core/fault"
)

// problems collects everything wrong with what was given, so that it is
// corrected in one go. No problem quotes a value: it may be a secret in the
// wrong place.
type problems []fault.Violation

// add notes one. path names the variable, setting or member, as a JSON Pointer.
func (p *problems) add(rule, path, format string, args ...any) {
	*p = append(*p, fault.Violation{Rule: rule, Path: path, Message: fmt.Sprintf(format, args...)})
}

// err returns a fault of the kind with all problems, whose sentence is the
// first of them, or nil.
func (p problems) err(kind fault.Kind, code string) error {
	if len(p) == 0 {
		return nil
	}
	f := fault.New(kind, code, "%s", p[0].Message)
	if n := len(p) - 1; n == 1 {
		f.Sentence += " There is one more problem."
	} else if n > 1 {
		f.Sentence += fmt.Sprintf(" There are %d more problems.", n)
	}
	f.Violations = p
	return f
}
