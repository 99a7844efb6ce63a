package manifest

import (
	"maps"
	"slices"
)

// Order returns plugins so that each comes after all it depends on; ids that
// are free to stand anywhere are sorted. needs maps a plugin to the ids it
// depends on, which may be no keys themselves. When plugins depend on each
// other in a circle, order is nil and cycle names them, the first again at the
// end.
func Order(needs map[string][]string) (order, cycle []string) {
	s := sorter{needs: needs, state: make(map[string]mark, len(needs))}
	for _, id := range slices.Sorted(maps.Keys(needs)) {
		if s.visit(id); s.cycle != nil {
			return nil, s.cycle
		}
	}
	return s.order, nil
}

// mark is how far the visit of a plugin has come.
type mark uint8

const (
	open mark = iota + 1
	done
)

// sorter walks the graph depth first, without recursion: chains come from outside.
type sorter struct {
	needs map[string][]string
	state map[string]mark
	order []string
	cycle []string
}

// visit appends root and all it needs, or sets cycle.
func (s *sorter) visit(root string) {
	type frame struct {
		id   string
		rest []string
	}
	if s.state[root] == done {
		return
	}
	s.state[root] = open
	path := []frame{{root, slices.Sorted(slices.Values(s.needs[root]))}}
	for len(path) > 0 {
		top := &path[len(path)-1]
		if len(top.rest) == 0 {
			s.state[top.id] = done
			s.order = append(s.order, top.id)
			path = path[:len(path)-1]
			continue
		}
		id := top.rest[0]
		top.rest = top.rest[1:]
		switch s.state[id] {
		case done:
		case open:
			from := slices.IndexFunc(path, func(f frame) bool { return f.id == id })
			for _, f := range path[from:] {
				s.cycle = append(s.cycle, f.id)
			}
			s.cycle = append(s.cycle, id)
			return
		default:
			s.state[id] = open
			path = append(path, frame{id, slices.Sorted(slices.Values(s.needs[id]))})
		}
	}
}
