package audit

import (
	"strings"
	"unicode/utf8"
)

// nameBreaks are the characters at which the index of words cuts names;
// textBreaks those at which it cuts reasons too.
const (
	nameBreaks = "/.-_@: "
	textBreaks = nameBreaks + "\"{}[](),;\\"
)

// maxTerms bounds the words by which an object is looked up.
const maxTerms = 16

// cut returns what lies between the breaks.
func cut(text, breaks string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(breaks, r) })
}

// textWords returns the words of a text search.
func textWords(text string) []string { return cut(text, textBreaks) }

// words returns the operands of the text search query for f that the index has
// in lower case: the words of f.Text, of which those of three letters or more
// may be the beginning of a word of the record, and those of f.Object, which
// every record with that object has.
func (f *Filter) words() []string {
	var operands []string
	for _, word := range textWords(f.Text) {
		operand := quoteTerm(word)
		if utf8.RuneCountInString(word) >= 3 {
			operand += ":*"
		}
		operands = append(operands, operand)
	}
	object, open := strings.CutSuffix(f.Object, "*")
	names := cut(object, nameBreaks)
	for i, name := range names[:min(len(names), maxTerms)] {
		operand := quoteTerm(name)
		if open && i == len(names)-1 {
			operand += ":*" // the last one may go on
		}
		operands = append(operands, operand)
	}
	return operands
}

// terms returns the operands that the index has as they are.
func (f *Filter) terms() []string {
	var operands []string
	if f.Class != "" {
		operands = append(operands, quoteTerm(f.Class))
	}
	if f.Rule != "" {
		operands = append(operands, quoteTerm("rule="+f.Rule))
	}
	if f.Address != "" {
		operands = append(operands, quoteTerm("from="+f.Address))
	}
	return operands
}

// quoteTerm quotes an operand of a tsquery.
func quoteTerm(term string) string {
	return "'" + strings.NewReplacer("'", "''", "\\", "\\\\").Replace(term) + "'"
}
