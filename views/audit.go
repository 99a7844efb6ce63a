package views

import (
	"net/url"
	"time"
)

// Audit is the page of every decision and change.
type Audit struct {
	List     AuditList
	Chain    Chain
	Verify   Action // posts to PathVerify
	Export   bool   // the reader may export
	Verified *Verification
}

// AuditList is a filtered part of the audit.
type AuditList struct {
	Filter Filter
	Rows   []AuditRow
	Open   *AuditRecord // the row whose detail is shown
	Pager  Pager
	None   Empty // shown when the filter is empty too

	// Tail is where new rows come from that fit the filter; "": none do here.
	Tail string
	Here string // address of this list, to look again without scripts
}

// AuditRow is one record in the list.
type AuditRow struct {
	Chain   string
	Seq     int64
	At      time.Time
	Actor   Party
	Action  string // operator.call
	Object  string // for people
	Outcome Status
	Rule    string // that denied it
	Classes []Class
	Toggle  string // the list's address with this row open, or closed again
}

// AuditRecord is one record in full.
type AuditRecord struct {
	AuditRow
	Reasons    []Step
	Facts      []KV     // what else is known: sizes, times, metadata
	Changes    []Change // before and after; secrets are hashes
	Decision   string   // id
	Trace      string
	Address    string
	Replica    string
	OnBehalf   string
	Prev, Hash string // hex
	Intact     Status // whether the hash was recomputed and matches
	JSON       string // the record as exported, for copying
}

// Chain is the state of the audit's chains.
type Chain struct {
	Proof
	Broken string // where and how, when broken
}

// Verification is the outcome of a run just asked for.
type Verification struct {
	Status  Status // intact or broken
	Records int64
	Took    time.Duration
	Chains  []ChainCheck
}

// ChainCheck is the outcome for one chain.
type ChainCheck struct {
	Chain   string
	Records int64
	Status  Status
	Bad     int64 // the first record that does not match
	Reason  string
	Href    string
}

// AuditFilter is what the audit can be filtered by.
type AuditFilter struct {
	Text, Actor, Plugin, Action, Object, Outcome, Rule, Class, Trace, Address string
	Range                                                                     Range
}

// ReadAuditFilter reads a filter from a query. Values are handed on as they are:
// the query they end in binds them.
func ReadAuditFilter(q url.Values) AuditFilter {
	return AuditFilter{
		Text: q.Get("q"), Actor: q.Get("actor"), Plugin: q.Get("plugin"), Action: q.Get("action"), Object: q.Get("object"),
		Outcome: q.Get("outcome"), Rule: q.Get("rule"), Class: q.Get("class"), Trace: q.Get("trace"), Address: q.Get("address"), Range: ReadRange(q),
	}
}

// Bar returns the filter as a bar at the address. Actors and plugins are choices
// when their options are known, otherwise any text.
func (f AuditFilter) Bar(path string, actors, plugins []Option) Filter {
	return Filter{
		Path: path, Search: f.Text, In: "actor, object, reason", Range: &f.Range,
		Fields: []FilterField{
			{Name: "actor", Label: "Actor", Value: f.Actor, Options: actors},
			{Name: "plugin", Label: "Plugin", Value: f.Plugin, Options: plugins},
			{Name: "action", Label: "Action", Value: f.Action},
			{Name: "object", Label: "Object", Value: f.Object},
			{Name: "outcome", Label: "Outcome", Value: f.Outcome, Options: outcomeOptions()},
			{Name: "rule", Label: "Rule", Value: f.Rule},
			{Name: "class", Label: "Class", Value: f.Class, Options: classOptions()},
			{Name: "trace", Label: "Trace", Value: f.Trace},
			{Name: "address", Label: "Address", Value: f.Address},
		},
	}
}

func outcomeOptions() []Option {
	var out []Option
	for _, s := range []Status{Allowed, Denied, Done, Failed, Unknown} {
		out = append(out, Option{Value: string(s), Label: s.Word()})
	}
	return out
}

func classOptions() []Option {
	var out []Option
	for _, c := range []Class{"phi", "pii", "confidential", "internal", "public"} {
		out = append(out, Option{Value: string(c), Label: c.word()})
	}
	return out
}
