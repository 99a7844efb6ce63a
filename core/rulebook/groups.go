package rulebook

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// groups counts flips by what they have in common: a FlipGroup without its
// count, time and decision.
type groups map[Against]map[FlipGroup]*FlipGroup

// add counts one flip. Decisions come the newest first, so the first one of a
// group is its latest.
func (gs groups) add(against Against, g FlipGroup) {
	like := g
	like.LastAt, like.Decision = time.Time{}, uuid.Nil
	of := gs[against]
	if of == nil {
		of = map[FlipGroup]*FlipGroup{}
		gs[against] = of
	}
	if of[like] == nil && len(of) >= maxGroups {
		like = FlipGroup{Kind: g.Kind}
		g.Was, g.Now, g.Action, g.Caller, g.Target = "", "", "", "", ""
	}
	if of[like] == nil {
		of[like] = &g
	}
	of[like].Count++
}

// sorted writes the groups as they are kept, the most frequent first.
func (gs groups) sorted() json.RawMessage {
	out := map[Against][]FlipGroup{}
	for against, of := range gs {
		for _, g := range of {
			out[against] = append(out[against], *g)
		}
		slices.SortFunc(out[against], func(a, b FlipGroup) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), b.LastAt.Compare(a.LastAt), cmp.Compare(a.Caller+a.Target+a.Now, b.Caller+b.Target+b.Now))
		})
	}
	raw, _ := json.Marshal(out) // of names, numbers and times
	return raw
}
