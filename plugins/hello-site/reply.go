package main

import (
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl is how long an answer may be kept, in seconds: short, because the port
// and the life of this resolver are short.
const ttl = 5

// authority is the start of authority of every answer without records.
var authority = dnsmessage.SOAResource{
	NS: dnsmessage.MustNewName(host + "."), MBox: dnsmessage.MustNewName("hostmaster." + host + "."),
	Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: ttl,
}

// reply answers one DNS query: host is at 127.0.0.1, no other name exists. It
// returns nil for what is no query at all, which gets no answer.
func reply(query []byte, limit int) []byte {
	var in dnsmessage.Parser
	head, err := in.Start(query)
	if err != nil || head.Response {
		return nil
	}
	questions, err := in.AllQuestions()
	out := dnsmessage.Message{Header: dnsmessage.Header{ID: head.ID, Response: true, OpCode: head.OpCode, Authoritative: true, RecursionDesired: head.RecursionDesired}}
	switch {
	case head.OpCode != 0:
		out.RCode = dnsmessage.RCodeNotImplemented
	case err != nil || len(questions) != 1:
		out.RCode = dnsmessage.RCodeFormatError
	default:
		out.Questions = questions // with the letters' case as asked
		answer(&out, questions[0])
	}
	if asksEDNS(&in) {
		out.Additionals = []dnsmessage.Resource{{Header: edns(), Body: &dnsmessage.OPTResource{}}}
	}
	packed, err := out.Pack()
	if err != nil || len(packed) > limit {
		return nil
	}
	return packed
}

// answer fills in what is known of one name.
func answer(out *dnsmessage.Message, q dnsmessage.Question) {
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: ttl}
	name := strings.ToLower(q.Name.String())
	switch {
	case q.Class != dnsmessage.ClassINET:
		out.RCode = dnsmessage.RCodeRefused
		return
	case name != host+".":
		out.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		out.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		return
	}
	header.Name, header.Type = authority.NS, dnsmessage.TypeSOA
	out.Authorities = []dnsmessage.Resource{{Header: header, Body: &authority}}
}

// asksEDNS reports whether the query carries an OPT record (RFC 6891).
func asksEDNS(in *dnsmessage.Parser) bool {
	if in.SkipAllQuestions() != nil || in.SkipAllAnswers() != nil || in.SkipAllAuthorities() != nil {
		return false
	}
	for {
		h, err := in.AdditionalHeader()
		if err != nil {
			return false
		}
		if h.Type == dnsmessage.TypeOPT {
			return true
		}
		if in.SkipAdditional() != nil {
			return false
		}
	}
}

// edns is the header of our own OPT record.
func edns() dnsmessage.ResourceHeader {
	var h dnsmessage.ResourceHeader
	// It fails only for a name longer than the root's.
	_ = h.SetEDNS0(messageLimit, dnsmessage.RCodeSuccess, false)
	return h
}
