package jq

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// The functions that bound a program. No program can call them: a name that begins
// so is refused.
const (
	fits    = "_vv_fits"
	exceeds = "_vv_exceeds"
	place   = "_vv_place"
	factor  = "_vv_factor"
	minuend = "_vv_minuend"
	digits  = "_vv_digits"
)

// available are the functions a program may call, each of a cost that grows no
// faster than what it is given, give or take a logarithm.
var available = strings.Fields(`
	abs add all any arrays ascii_downcase ascii_upcase booleans ceil del empty endswith error explode fabs first flatten floor
	format from_entries fromdate fromdateiso8601 gmtime group_by has implode in isempty isnan iterables join keys last length limit ltrim ltrimstr
	map map_values max max_by min min_by mktime not nulls numbers objects paths pick pow range recurse repeat reverse round rtrim
	rtrimstr scalars select skip sort sort_by split sqrt startswith strftime strings strptime to_entries toboolean todate todateiso8601 tojson
	tonumber tostring trim trimstr trunc type unique unique_by until utf8bytelength values walk while with_entries`)

// bounder rewrites a parsed program so that what it builds is measured, and notes
// the first thing it may not use.
type bounder struct {
	defined map[string]bool // functions and parameters of the program's own
	refused string
}

func (b *bounder) refuse(what string) {
	if b.refused == "" {
		b.refused = what
	}
}

// call is a query that calls a function of no arguments.
func call(name string) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name}}}
}

// then is one query after another.
func then(first, second *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: first, Op: gojq.OpPipe, Right: second}
}

// measured passes what fits. It is a condition, and no function of the value, so
// that paths lead through it.
func measured() *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIf, If: &gojq.If{
		Cond: call(fits), Then: &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}},
		Else: call(exceeds),
	}}}
}

func (b *bounder) query(q *gojq.Query) {
	if q == nil || b.refused != "" {
		return
	}
	if len(q.Imports) > 0 || q.Meta != nil {
		b.refuse("a module")
		return
	}
	for _, def := range q.FuncDefs {
		b.define(def.Name)
		for _, arg := range def.Args {
			b.define(strings.TrimPrefix(arg, "$"))
		}
	}
	for _, def := range q.FuncDefs {
		b.query(def.Body)
	}
	for _, p := range q.Patterns {
		b.pattern(p)
	}
	if q.Term != nil {
		b.term(q.Term)
		return
	}
	b.query(q.Left)
	b.query(q.Right)
	b.operator(q)
}

// define notes a name of the program's own. It takes none that means something here.
func (b *bounder) define(name string) {
	if strings.HasPrefix(name, "_") {
		b.refuse("the name " + name)
	}
	b.defined[name] = true
}

// operator bounds what two queries give together.
func (b *bounder) operator(q *gojq.Query) {
	switch q.Op {
	case gojq.OpMul:
		q.Left, q.Right = then(q.Left, call(factor)), then(q.Right, call(factor))
	case gojq.OpSub:
		q.Left, q.Right = then(q.Left, call(minuend)), then(q.Right, call(minuend))
	case gojq.OpAdd, gojq.OpDiv, gojq.OpMod, gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateAlt:
	case gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod:
		b.refuse("the operator " + q.Op.String())
		return
	default:
		return
	}
	inner := *q
	inner.FuncDefs = nil
	*q = gojq.Query{FuncDefs: q.FuncDefs, Left: &inner, Op: gojq.OpPipe, Right: measured()}
}

func (b *bounder) term(t *gojq.Term) {
	builds := false
	switch t.Type {
	case gojq.TermTypeIndex:
		b.index(t.Index)
	case gojq.TermTypeFunc:
		builds = b.function(t)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			if strings.HasPrefix(kv.Key, "$") {
				b.variable(kv.Key)
			}
			b.text(kv.KeyString)
			b.query(kv.KeyQuery)
			b.query(kv.Val)
		}
		builds = true
	case gojq.TermTypeArray:
		b.query(t.Array.Query)
		builds = true
	case gojq.TermTypeUnary:
		b.term(t.Unary.Term)
	case gojq.TermTypeFormat:
		b.text(t.Str)
		builds = true
	case gojq.TermTypeString:
		b.text(t.Str)
		builds = len(t.Str.Queries) > 0
	case gojq.TermTypeIf:
		b.query(t.If.Cond)
		b.query(t.If.Then)
		for _, e := range t.If.Elif {
			b.query(e.Cond)
			b.query(e.Then)
		}
		b.query(t.If.Else)
	case gojq.TermTypeTry:
		b.query(t.Try.Body)
		b.query(t.Try.Catch)
	case gojq.TermTypeReduce:
		b.loop(t.Reduce.Patterns, t.Reduce.Query, t.Reduce.Start, t.Reduce.Update)
	case gojq.TermTypeForeach:
		b.loop(t.Foreach.Patterns, t.Foreach.Query, t.Foreach.Start, t.Foreach.Update, t.Foreach.Extract)
	case gojq.TermTypeLabel:
		b.query(t.Label.Body)
	case gojq.TermTypeQuery:
		b.query(t.Query)
	}
	for _, s := range t.SuffixList {
		b.index(s.Index)
	}
	if builds {
		inner := *t
		inner.SuffixList = nil
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: then(&gojq.Query{Term: &inner}, measured()), SuffixList: t.SuffixList}
	}
}

func (b *bounder) loop(patterns []*gojq.Pattern, queries ...*gojq.Query) {
	for _, p := range patterns {
		b.pattern(p)
	}
	for _, q := range queries {
		b.query(q)
	}
}

// index bounds the place an index names.
func (b *bounder) index(i *gojq.Index) {
	if i == nil {
		return
	}
	b.text(i.Str)
	for _, at := range []**gojq.Query{&i.Start, &i.End} {
		if *at != nil {
			b.query(*at)
			*at = then(*at, call(place))
		}
	}
}

func (b *bounder) text(s *gojq.String) {
	if s == nil {
		return
	}
	for _, q := range s.Queries {
		b.query(q)
	}
}

func (b *bounder) pattern(p *gojq.Pattern) {
	if p == nil {
		return
	}
	for _, item := range p.Array {
		b.pattern(item)
	}
	for _, member := range p.Object {
		b.text(member.KeyString)
		b.query(member.KeyQuery)
		b.pattern(member.Val)
	}
}

func (b *bounder) variable(name string) {
	if name == "$ENV" {
		b.refuse(name)
	}
}

// function reports whether what is called may build something.
func (b *bounder) function(t *gojq.Term) bool {
	name := t.Func.Name
	if strings.HasPrefix(name, "$") {
		b.variable(name)
		return false
	}
	for _, arg := range t.Func.Args {
		b.query(arg)
	}
	if !b.defined[name] && !slices.Contains(available, name) || name == "split" && len(t.Func.Args) > 1 {
		b.refuse(name)
	}
	if name == "tonumber" && !b.defined[name] {
		inner := *t
		inner.SuffixList = nil
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: then(call(digits), &gojq.Query{Term: &inner}), SuffixList: t.SuffixList}
	}
	return true
}
