package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// The limits of a document of admin rules. They bound what reading one costs,
// and how deep the parser and the compiler go.
const (
	MaxText    = 256 << 10 // bytes of a document
	MaxRules   = 1_000     // rules of a document
	maxTokens  = 4_000     // of one rule
	maxNesting = 32        // brackets, and ifs, within each other
)

// statement is one rule's part of a document: its tokens, up to its semicolon.
type statement struct {
	tokens []token
	text   string
	rule   string // the @id, once it is known
}

// split returns the statements of a document, and what is wrong with their size.
func split(text string) (all []statement, found []Finding) {
	rest := tokens(text)
	for len(rest) > 0 {
		n, depth, deepest, ifs := 0, 0, 0, 0
		for n < len(rest) {
			n++
			switch rest[n-1].text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			case "if":
				ifs++
			}
			deepest = max(deepest, depth)
			if rest[n-1].text == ";" {
				break
			}
		}
		end := rest[n-1].at.offset + len(rest[n-1].text)
		s := statement{tokens: rest[:n], text: text[rest[0].at.offset:end]}
		rest = rest[n:]
		switch {
		case n > maxTokens:
			found = append(found, s.finding(s.tokens[0].at, fmt.Sprintf("This rule is longer than %d words and signs.", maxTokens), "Split it into several rules."))
			continue
		case deepest > maxNesting || ifs > maxNesting:
			found = append(found, s.finding(s.tokens[0].at, fmt.Sprintf("This rule is nested more than %d deep.", maxNesting), "Split it into several rules."))
			continue
		}
		if all = append(all, s); len(all) > MaxRules {
			return nil, []Finding{s.finding(s.tokens[0].at, fmt.Sprintf("A document holds at most %d rules.", MaxRules), "Join rules that say the same of several things.")}
		}
	}
	return all, found
}

// finding is an error at a place of the statement.
func (s *statement) finding(at place, message, fix string) Finding {
	return Finding{Line: at.line, Column: at.column, Severity: Error, Rule: s.rule, Message: message, Fix: fix}
}

// find returns the place of the first token that reads so, as a word or as a string.
func (s *statement) find(mark string) (at place, ok bool) {
	literal := strconv.Quote(mark)
	for _, t := range s.tokens {
		if mark != "" && (t.text == mark || t.text == literal) {
			return t.at, true
		}
	}
	return s.tokens[0].at, false
}

// at is find for what is surely there, or the place of the rule.
func (s *statement) at(mark string) place {
	at, _ := s.find(mark)
	return at
}

// condition returns the place where the conditions begin, or the rule itself,
// after its annotations.
func (s *statement) condition() place {
	at := s.tokens[0].at
	for _, t := range s.tokens {
		switch t.text {
		case "permit", "forbid":
			at = t.at
		case "when", "unless":
			return t.at
		}
	}
	return at
}

// parse reads the one rule of the statement. Cedar's parser is not trusted to
// survive everything.
func (s *statement) parse() (rule *ast.Policy, f *Finding) {
	defer func() {
		if x := recover(); x != nil {
			wrong := s.finding(s.tokens[0].at, "This rule cannot be read.", "Write it in a simpler way.")
			rule, f = nil, &wrong
		}
	}()
	if err := s.terminated(); err != nil {
		return nil, err
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(s.text))
	if err != nil {
		wrong := s.syntax(err)
		return nil, &wrong
	}
	if len(list) != 1 { // Cedar sees other ends of rules than we do: none may get lost
		wrong := s.finding(s.tokens[0].at, "This is not one rule.", "End every rule with a semicolon.")
		return nil, &wrong
	}
	return (*ast.Policy)(list[0].AST()), nil
}

// terminated reports a statement without its semicolon.
func (s *statement) terminated() *Finding {
	last := s.tokens[len(s.tokens)-1]
	if last.text == ";" {
		return nil
	}
	wrong := s.finding(last.at, "This rule has no end.", "End every rule with a semicolon, and close every bracket and string.")
	return &wrong
}

// syntaxPlace is how Cedar's parser words where it stopped, and at what.
var syntaxPlace = regexp.MustCompile(`(?:<input>:)?(\d+):(\d+)(?: ("(?:[^"\\]|\\.)*"))?: (.*)$`)

// expected is how it words what it wanted instead.
var expected = regexp.MustCompile(`^exact got (.*) want (.*)$`)

// syntax words an error of Cedar's parser, which counts from the beginning of
// the statement.
func (s *statement) syntax(err error) Finding {
	at, what := s.tokens[0].at, strings.ReplaceAll(err.Error(), "\n", " ")
	if m := syntaxPlace.FindStringSubmatch(what); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		at, what = s.stopped(line, column, m[4]), m[4]
	}
	fix := "Compare it with the examples and the schema."
	if m := expected.FindStringSubmatch(what); m != nil {
		what = fmt.Sprintf("Here stands %s where %s belongs", quote(m[1]), quote(m[2]))
		fix = "A rule reads: @id(\"…\") @reason(\"…\") permit or forbid (principal, action, resource) when { … };"
	} else if unquoted, err := strconv.Unquote(what); err == nil {
		what = unquoted
	}
	return s.finding(at, "Cedar does not understand this: "+strings.TrimSuffix(what, ".")+".", fix)
}

func quote(s string) string {
	if s == "" {
		return "the end"
	}
	return "“" + s + "”"
}

// stopped translates a place within the statement to one of the document. The
// parser has passed the token it does not like when it complains of it.
func (s *statement) stopped(line, column int, why string) place {
	first := s.tokens[0].at
	before := first
	for _, t := range s.tokens {
		l, c := t.at.line-first.line+1, t.at.column
		if l == 1 {
			c -= first.column - 1
		}
		if l > line || l == line && c >= column {
			if expected.MatchString(why) || strings.HasPrefix(why, "unexpected") || strings.HasPrefix(why, "expected") {
				return before
			}
			return t.at
		}
		before = t.at
	}
	return before
}

// errors flattens joined errors.
func flatten(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
