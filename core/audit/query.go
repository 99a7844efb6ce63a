package audit

import (
	"fmt"
	"slices"
	"strings"
)

// query builds the SELECT of every read that filters. It begins with the
// tenant; nothing can take that condition away.
type query struct {
	args  []any
	where []string
	any   [][]string // groups of which one condition must hold; within a group they exclude each other
}

func newQuery(tenant string) *query {
	q := &query{}
	q.and("tenant_id = ?", tenant)
	return q
}

// tenant returns whose rows q reads.
func (q *query) tenant() string { return q.args[0].(string) }

// bind writes args in the place of the question marks of condition.
func (q *query) bind(condition string, args ...any) string {
	for _, a := range args {
		q.args = append(q.args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(q.args)), 1)
	}
	return condition
}

// and adds a condition.
func (q *query) and(condition string, args ...any) {
	q.where = append(q.where, q.bind(condition, args...))
}

// filter adds what f asks for. actors are the ids that f.Actor stands for.
func (q *query) filter(f *Filter, actors []string) {
	if !f.Since.IsZero() {
		q.and("at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		q.and("at < ?", f.Until)
	}
	if f.Actor != "" {
		q.any = append(q.any, q.actor(actors))
	}
	if f.Plugin != "" {
		q.any = append(q.any, q.plugin(f.Plugin))
	}
	q.name("action", f.Action)
	if len(f.Actions) > 0 {
		q.any = append(q.any, q.actions(f.Actions))
	}
	if f.Outcome != "" {
		q.and("outcome = ?", string(f.Outcome))
	}
	if f.Class != "" {
		q.and("? = ANY (classes)", f.Class)
	}
	q.name("object", f.Object)
	if f.Rule != "" {
		q.and("rule = ?", f.Rule)
	}
	if f.Trace != "" {
		q.and("trace = ? AND trace <> ''", f.Trace)
	}
	if f.Address != "" {
		q.and("address = ?", f.Address)
	}
	if f.Object != "" || f.Class != "" || f.Rule != "" || f.Address != "" || f.Text != "" {
		q.and("(outcome <> 'ok' OR call IS NULL OR chain = 'change')") // what the index of words holds
	}
}

// name adds the condition of a name, or of its beginning followed by *.
func (q *query) name(column, name string) {
	prefix, open := strings.CutSuffix(name, "*")
	switch {
	case name == "" || open && prefix == "":
	case open:
		// In the collation "C" these are the names that begin with prefix.
		q.and(column+" >= ? AND "+column+" < ?", prefix, prefix+"\U0010FFFF")
	default:
		q.and(column+" = ?", name)
	}
}

// actions returns the ways of being one of names.
func (q *query) actions(names []string) []string {
	var ways []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		ways = append(ways, q.bind("action = ?", name))
	}
	return ways
}

// actor returns the ways in which one of ids acted or was acted for. Of a
// plugin that acts, plugin_id is the id too.
func (q *query) actor(ids []string) []string {
	if len(ids) == 1 {
		id := ids[0]
		return []string{
			q.bind("actor_id = ? AND actor_kind <> 'plugin'", id),
			q.bind("plugin_id = ? AND plugin_id <> '' AND actor_id = ? AND actor_kind = 'plugin'", id, id),
			q.bind("on_behalf_id = ? AND on_behalf_id <> '' AND actor_id <> ?", id, id),
		}
	}
	return []string{
		q.bind("actor_id = ANY (?) AND actor_kind <> 'plugin'", ids),
		q.bind("plugin_id = ANY (?) AND plugin_id <> '' AND actor_id = ANY (?) AND actor_kind = 'plugin'", ids, ids),
		q.bind("on_behalf_id = ANY (?) AND on_behalf_id <> '' AND actor_id <> ALL (?)", ids, ids),
	}
}

// plugin returns the ways in which a plugin took part.
func (q *query) plugin(id string) []string {
	return []string{
		q.bind("plugin_id = ? AND plugin_id <> ''", id),
		q.bind("object_plugin = ? AND object_plugin <> '' AND object_plugin <> plugin_id", id),
		q.bind("receivers @> ARRAY[?] AND receivers IS NOT NULL AND object_plugin <> ? AND plugin_id <> ?", id, id, id),
	}
}

// indexedWords is the expression of the index audit_log_words, letter by letter.
const indexedWords = `array_to_tsvector(array_remove(string_to_array(
    replace(replace(replace(replace(replace(replace(lower((action || '/' || object || '/' || plugin_id || '/' || actor_name || '/' || on_behalf_name ||
    CASE WHEN outcome = 'deny' OR chain = 'change' THEN '/' || rule || '/' || translate(left(COALESCE(detail -> 'reasons', detail)::text,
    CASE WHEN octet_length(detail::text) = char_length(detail::text) THEN 2000 ELSE 500 END), '"{}[](),;\', '//////////') ELSE '' END) COLLATE "default"),
    '.', '/'), '-', '/'), '_', '/'), '@', '/'), ':', '/'), ' ', '/'), '/') || ARRAY['rule=' || rule, 'from=' || address] || classes, ''))`

// indexed adds the condition that leads to the index of words, when f has
// anything that it serves, and reports whether.
func (q *query) indexed(f *Filter) bool {
	var parts []string
	if words := f.words(); len(words) > 0 {
		parts = append(parts, q.bind("lower(?)::tsquery", strings.Join(words, " & "))) // lower() as in the index
	}
	if terms := f.terms(); len(terms) > 0 {
		parts = append(parts, q.bind("?::tsquery", strings.Join(terms, " & ")))
	}
	if len(parts) == 0 {
		return false
	}
	q.where = append(q.where, indexedWords+" @@ ("+strings.Join(parts, " && ")+")")
	return true
}

// after adds that rows follow the cursor in the list newest first.
func (q *query) after(c *cursor) {
	if c != nil {
		q.and("(at, id) < (?, ?)", c.at, c.id)
	}
}

// within returns a copy of q for the rows of a window.
func (q *query) within(w window) *query {
	c := &query{args: slices.Clip(q.args), where: slices.Clip(q.where), any: q.any}
	if !w.from.IsZero() {
		c.and("at >= ?", w.from)
	}
	if !w.to.IsZero() {
		c.and("at < ?", w.to)
	}
	return c
}

const newestFirst = "at DESC, id DESC"

// page returns the SELECT of the newest limit rows. Each way of meeting the
// alternatives is a scan of its own, along an index that has them in order; the
// database merges them. One condition with "or" would be a scan of all.
func (q *query) page(limit int) string {
	var branches []string
	for _, combination := range combine(q.any) {
		where := append(append([]string{}, q.where...), combination...)
		branches = append(branches, fmt.Sprintf("SELECT %s FROM audit_log WHERE %s ORDER BY %s LIMIT %d",
			columns, strings.Join(where, " AND "), newestFirst, limit))
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return fmt.Sprintf("(%s) ORDER BY %s LIMIT %d", strings.Join(branches, ") UNION ALL ("), newestFirst, limit)
}

// combine returns every choice of one condition from each group.
func combine(groups [][]string) [][]string {
	all := [][]string{nil}
	for _, group := range groups {
		var next [][]string
		for _, some := range all {
			for _, condition := range group {
				next = append(next, append(append([]string{}, some...), condition))
			}
		}
		all = next
	}
	return all
}

// condition returns all conditions as one.
func (q *query) condition() string {
	where := append([]string{}, q.where...)
	for _, group := range q.any {
		where = append(where, "("+strings.Join(group, " OR ")+")")
	}
	return strings.Join(where, " AND ")
}

// found returns the SELECT of the newest limit of up to most rows, which are collected
// before they are put in order, and of how many they were, as a last column. Told of an
// order, the planner would walk the rows by time and compute the words of each, which
// takes half a minute for a rare one.
func (q *query) found(most, limit int) string {
	return fmt.Sprintf("WITH found AS MATERIALIZED (SELECT %s FROM audit_log WHERE %s LIMIT %d) SELECT %s, (SELECT count(*) FROM found) FROM found ORDER BY %s LIMIT %d",
		columns, q.condition(), most, columns, newestFirst, limit)
}

// walk returns the SELECT of the newest limit rows that are among the newest so many of
// all. It ends there, however few they are. The first condition is the tenant's; those on
// the time are repeated, as it is where the walk begins.
func (q *query) walk(among, limit int) string {
	begin := []string{q.where[0]}
	for _, c := range q.where[1:] {
		if strings.HasPrefix(c, "at ") || strings.HasPrefix(c, "(at, id)") {
			begin = append(begin, c)
		}
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT * FROM audit_log WHERE %s ORDER BY %s LIMIT %d) newest WHERE %s ORDER BY %s LIMIT %d",
		columns, strings.Join(begin, " AND "), newestFirst, among, q.condition(), newestFirst, limit)
}
