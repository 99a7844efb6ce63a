package main

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func query(t testing.TB, edit func(*dnsmessage.Message)) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("pages.hello.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	edit(&m)
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestReply(t *testing.T) {
	name := func(n string) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName(n) }
	}
	for _, row := range []struct {
		name    string
		edit    func(*dnsmessage.Message)
		code    dnsmessage.RCode
		answers int
	}{
		{"the name", func(*dnsmessage.Message) {}, dnsmessage.RCodeSuccess, 1},
		{"the name in mixed case", name("Pages.HELLO.test."), dnsmessage.RCodeSuccess, 1},
		{"its IPv6 address, which it has not", func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }, dnsmessage.RCodeSuccess, 0},
		{"a name below", name("x.pages.hello.test."), dnsmessage.RCodeNameError, 0},
		{"a name that ends alike", name("xpages.hello.test."), dnsmessage.RCodeNameError, 0},
		{"another name", name("example.com."), dnsmessage.RCodeNameError, 0},
		{"another class", func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, dnsmessage.RCodeRefused, 0},
		{"no question", func(m *dnsmessage.Message) { m.Questions = nil }, dnsmessage.RCodeFormatError, 0},
		{"two questions", func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, dnsmessage.RCodeFormatError, 0},
		{"an update", func(m *dnsmessage.Message) { m.OpCode = 5 }, dnsmessage.RCodeNotImplemented, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got dnsmessage.Message
			asked := query(t, row.edit)
			if err := got.Unpack(reply(asked, messageLimit)); err != nil {
				t.Fatal(err)
			}
			if got.ID != 7 || !got.Response || got.RCode != row.code || len(got.Answers) != row.answers {
				t.Errorf("answered %+v, want %v and %d answers", got.GoString(), row.code, row.answers)
			}
			if row.answers == 1 && got.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{127, 0, 0, 1} {
				t.Errorf("the address is %v", got.Answers[0].Body)
			}
		})
	}
	if reply(query(t, func(m *dnsmessage.Message) { m.Response = true }), messageLimit) != nil {
		t.Error("an answer was answered: two resolvers could talk for ever")
	}
	with := query(t, func(m *dnsmessage.Message) {
		m.Additionals = []dnsmessage.Resource{{Header: edns(), Body: &dnsmessage.OPTResource{}}}
	})
	var got dnsmessage.Message
	if err := got.Unpack(reply(with, messageLimit)); err != nil || len(got.Additionals) != 1 {
		t.Errorf("a query with EDNS was answered without: %v", err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add(query(f, func(*dnsmessage.Message) {}))
	f.Fuzz(func(t *testing.T, query []byte) {
		answer := reply(query, messageLimit)
		if answer == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(answer); err != nil || !m.Response || len(answer) > messageLimit {
			t.Errorf("%x was answered with %x: %v", query, answer, err)
		}
	})
}
