package policy

import (
	"strings"
	"unicode/utf8"
)

// token is one word, literal or sign of a document, with its place. Cedar's own
// parser keeps no places below a rule; findings need them.
type token struct {
	text string // as written
	at   place
}

// place is a position in a document.
type place struct {
	offset       int // bytes, from 0
	line, column int // from 1; columns count characters
}

// lexer splits a document into tokens. It refuses nothing: what is no Cedar is
// Cedar's parser to refuse.
type lexer struct {
	text string
	at   place
}

// tokens returns the tokens of a text, comments and spaces left out.
func tokens(text string) []token {
	l := lexer{text: text, at: place{0, 1, 1}}
	var all []token
	for {
		l.skip()
		if l.at.offset >= len(l.text) {
			return all
		}
		start := l.at
		l.advance(l.length())
		all = append(all, token{l.text[start.offset:l.at.offset], start})
	}
}

// skip passes spaces and comments.
func (l *lexer) skip() {
	for {
		rest := l.text[l.at.offset:]
		n := len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
		switch {
		case n > 0:
		case strings.HasPrefix(rest, "//"):
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			if end := strings.Index(rest[2:], "*/"); end >= 0 {
				n = end + 4
			} else {
				n = len(rest)
			}
		default:
			return
		}
		l.advance(n)
	}
}

// advance moves on by n bytes.
func (l *lexer) advance(n int) {
	for _, c := range l.text[l.at.offset : l.at.offset+n] {
		l.at.column++
		if c == '\n' {
			l.at.line, l.at.column = l.at.line+1, 1
		}
	}
	l.at.offset += n
}

// length returns how many bytes the token takes that begins here.
func (l *lexer) length() int {
	rest := l.text[l.at.offset:]
	switch c := rest[0]; {
	case c == '"':
		return quoted(rest)
	case wordy(c):
		n := 1
		for n < len(rest) && wordy(rest[n]) {
			n++
		}
		return n
	}
	if len(rest) > 1 {
		switch rest[:2] {
		case "::", "==", "!=", "<=", ">=", "&&", "||":
			return 2
		}
	}
	_, n := utf8.DecodeRuneInString(rest)
	return n
}

// quoted returns the length of the string literal that s begins with, to its
// closing quote, the end of its line, or the end of s.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}

func wordy(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
