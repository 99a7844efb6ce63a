package rulebook

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff is what changed between two texts of rules.
type Diff struct {
	From    string `json:"from"` // what is compared: "version 3", "draft"
	To      string `json:"to"`
	Added   int    `json:"added"`   // lines
	Removed int    `json:"removed"` // lines
	Unified string `json:"unified"` // in the unified format of diff(1); "" when nothing differs
}

// compare returns the difference of two texts.
func compare(from, before, to, after string) Diff {
	d := Diff{From: from, To: to, Unified: string(diff.Diff(from, ended(before), to, ended(after)))}
	// The format begins with the command and the two names.
	_, hunks, _ := strings.Cut(d.Unified, "\n+++ ")
	for line := range strings.Lines(hunks) {
		switch line[0] {
		case '+':
			d.Added++
		case '-':
			d.Removed++
		}
	}
	return d
}

// ended returns a text that ends with a line break, as the format wants it.
func ended(text string) []byte {
	b := []byte(text)
	if len(b) > 0 && !bytes.HasSuffix(b, []byte("\n")) {
		b = append(b, '\n')
	}
	return b
}

// versionName is how a diff calls a version; 0 is the time before the first.
func versionName(number int64) string {
	if number == 0 {
		return "no rules"
	}
	return fmt.Sprintf("version %d", number)
}
