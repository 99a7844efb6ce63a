package fault

import "unicode/utf8"

// Clip returns text from outside as it can stand in a sentence or be kept: in at
// most that many bytes, cut between two characters, with “…” where it was cut.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	n := max(most-len(mark), 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}
