package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

const (
	mostCount  = 100_000
	mostWindow = 24 * time.Hour
	leastTime  = 10 * time.Second
	mostFor    = 7 * 24 * time.Hour
	mostDetail = 4
)

// check returns an Unprocessable fault with everything that is wrong with a rule.
func (s *Spec) check(name string) error {
	var bad []fault.Violation
	wrong := func(ok bool, field, message string) {
		if !ok {
			bad = append(bad, fault.Violation{Path: "/" + field, Message: message})
		}
	}
	bad = append(bad, text("name", "The name", name, 1, 100)...)
	bad = append(bad, text("text", "The text", s.Text, 0, mostNote)...)
	wrong(!strings.ContainsFunc(name, unicode.IsControl), "name", "The name is one line.")
	wrong(slices.Contains(Severities(), s.Severity), "severity", "It is critical, warning or info.")
	for _, c := range s.Channels {
		wrong(slices.Contains(Channels(), c), "channels", "Channels are webhook and email.")
	}
	wrong(len(s.Channels) <= len(Channels()), "channels", "Each channel once.")
	if s.OnHealth() {
		wrong(slices.Contains(States(), s.State), "state", "There is no such state.")
		wrong(s.For >= 0 && time.Duration(s.For) <= mostFor, "for", "It must go on for at most seven days.")
		wrong(s.Match.empty() && s.Count == 0 && s.Window == 0 && s.By == "" && s.Clear == nil, "state", "A rule watches a state or records, not both.")
	} else {
		wrong(s.For == 0, "for", "Only a state goes on for a time.")
		wrong(!s.Match.empty(), "match", "Say which records: the action, the outcome, or who acted.")
		wrong(s.Count >= 1 && s.Count <= mostCount, "count", fmt.Sprintf("It counts from 1 to %d.", mostCount))
		wrong(time.Duration(s.Window) >= leastTime && time.Duration(s.Window) <= mostWindow && time.Duration(s.Window)%time.Second == 0, "window", "It is from ten seconds to a day, in whole seconds.")
		wrong(slices.Contains(Bys(), s.By), "by", "Alerts are told apart by actor, plugin, object, address, rule or action.")
		bad = append(bad, s.Match.check("match")...)
		if s.Clear != nil {
			wrong(!s.Clear.empty(), "clear", "Say which record ends it.")
			bad = append(bad, s.Clear.check("clear")...)
		}
	}
	return refused("alert.rule", bad)
}

func (m *Match) empty() bool {
	return m.Action == "" && m.Outcome == "" && m.ActorKind == "" && m.Actor == "" && m.Plugin == "" && m.Object == "" && m.Class == "" && m.Rule == "" && m.Address == "" && len(m.Detail) == 0
}

// check says what is wrong with m, as for a search.
func (m *Match) check(field string) []fault.Violation {
	var bad []fault.Violation
	f := m.filter()
	if err := f.Check(); err != nil {
		for _, v := range fault.Of(err).Violations {
			bad = append(bad, fault.Violation{Path: "/" + field + v.Path, Message: v.Message})
		}
	}
	if !slices.Contains([]actor.Kind{"", actor.User, actor.Plugin, actor.System, actor.Anonymous}, actor.Kind(m.ActorKind)) {
		bad = append(bad, fault.Violation{Path: "/" + field + "/actor_kind", Message: "It is user, plugin, system or anonymous."})
	}
	if strings.HasPrefix(m.Action, own) {
		bad = append(bad, fault.Violation{Path: "/" + field + "/action", Message: "Alerts do not watch themselves."})
	}
	if len(m.Detail) > mostDetail {
		bad = append(bad, fault.Violation{Path: "/" + field + "/detail", Message: fmt.Sprintf("At most %d members.", mostDetail)})
	}
	for name, value := range m.Detail {
		bad = append(bad, text(field+"/detail", "A member", name, 1, 100)...)
		bad = append(bad, text(field+"/detail", "A value", value, 0, 256)...)
	}
	return bad
}

// text says what is wrong with a text of so many characters.
func text(field, label, value string, least, most int) []fault.Violation {
	n := utf8.RuneCountInString(value)
	if n >= least && n <= most && utf8.ValidString(value) && !strings.ContainsRune(value, 0) {
		return nil
	}
	return []fault.Violation{{Path: "/" + field, Message: fmt.Sprintf("%s has %d to %d characters.", label, least, most)}}
}

func refused(code string, bad []fault.Violation) error {
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.Unprocessable, code, "%s", bad[0].Message)
	for i := range bad {
		bad[i].Rule = code
	}
	f.Violations = bad
	return f
}
