package views

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// LaneMap is who talks to whom through the core.
type LaneMap struct {
	Minutes int  // of traffic
	Lane    Lane // that the table is about; "": all
	Totals  []LaneTotal
	Edges   []MapEdge // the most denied first, then the busiest
	More    int       // edges that are not listed
	Picked  *PickedEdge
	Live    string // where the parts come from that update themselves
	Ranges  []MapChoice
	Lanes   []MapChoice
}

// MapChoice is an address that shows the map otherwise.
type MapChoice struct {
	Label, Href string
	Current     bool
}

// LaneTotal sums up a lane.
type LaneTotal struct {
	Lane      Lane
	PerMinute float64
	P95       time.Duration
}

// MapNode is one end of an edge: a plugin, people, a type of event or an outside host.
type MapNode struct {
	ID      string
	Name    string
	Trouble string // why it is off the lanes; "": it is not
	Outside bool   // a host
}

// MapEdge is one line of traffic.
type MapEdge struct {
	Lane      Lane
	From, To  MapNode
	Ends      bool // at the core: a publication, which goes on as deliveries
	PerMinute float64
	P95       time.Duration
	Denied    int
	Failed    int
	Href      string // picks it
	Picked    bool
}

// PickedEdge is more about one edge.
type PickedEdge struct {
	Edge    MapEdge
	Series  []float64
	Denied  []int // minutes of the series with denials
	Since   time.Time
	Rules   []RuleCount
	Actions []Action // where to go on
}

// RuleCount is how often a rule denied, and its last decision.
type RuleCount struct {
	Rule string
	N    int
	Href string
}

// label says an edge in words, for those who hear the map.
func (e MapEdge) label() string {
	s := fmt.Sprintf("%s lane, %s to %s, %s per minute", e.Lane.look().word, e.From.Name, e.To.Name, rate(e.PerMinute))
	if e.Denied > 0 {
		s += ", " + number(int64(e.Denied)) + " denied"
	}
	return s
}

// The map's measures, in units of its view box.
const (
	mapNodes  = 10 // on each side; the rest is in the table
	mapStep   = 60
	mapTop    = 52
	mapBox    = 44
	mapLeft   = 180
	mapRight  = 820
	mapGate   = 430
	mapGateTo = 570
)

// mapDrawing is a LaneMap with a place for everything.
type mapDrawing struct {
	height      int
	left, right []placedNode
	gates       []placedGate
	edges       []drawnEdge
	hidden      int // edges whose ends have no place
}

type placedNode struct {
	MapNode
	y    int
	note string
}

type placedGate struct {
	LaneTotal
	y int // of its middle
}

type drawnEdge struct {
	MapEdge
	path       string
	width      string
	cutX, cutY int // of the badge that counts denials
}

// draw places nodes, gates and edges: the busiest nodes, each side from the top.
func (m LaneMap) draw() mapDrawing {
	var d mapDrawing
	left, right := map[string]float64{}, map[string]float64{}
	nodes := map[string]MapNode{}
	for _, e := range m.Edges {
		// What is denied shows even where little passes.
		weight := e.PerMinute + float64(e.Denied)
		left[e.From.ID] += weight
		nodes[e.From.ID] = e.From
		if !e.Ends {
			right[e.To.ID] += weight
			nodes[e.To.ID] = e.To
		}
	}
	at := func(weights map[string]float64) ([]placedNode, map[string]int) {
		ids := make([]string, 0, len(weights))
		for id := range weights {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b string) int {
			return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
		})
		// Which have a place depends on traffic, their order does not: the map keeps still.
		ids = ids[:min(len(ids), mapNodes)]
		slices.SortFunc(ids, func(a, b string) int {
			x, y := nodes[a], nodes[b]
			if x.Outside != y.Outside {
				if x.Outside {
					return 1
				}
				return -1
			}
			return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(a, b))
		})
		placed, y := make([]placedNode, len(ids)), map[string]int{}
		for i, id := range ids {
			placed[i] = placedNode{MapNode: nodes[id], y: mapTop + i*mapStep}
			y[id] = placed[i].y + mapBox/2
		}
		return placed, y
	}
	var leftY, rightY map[string]int
	d.left, leftY = at(left)
	d.right, rightY = at(right)
	rows := max(len(d.left), len(d.right), 5)
	d.height = mapTop + rows*mapStep
	gateY := map[Lane]int{}
	for i, t := range m.Totals {
		y := mapTop + (d.height-mapTop)*(2*i+1)/(2*len(m.Totals)) - mapStep/4
		gateY[t.Lane] = y
		d.gates = append(d.gates, placedGate{t, y})
	}
	through := map[string]float64{}
	for _, e := range m.Edges {
		from, okFrom := leftY[e.From.ID]
		to, okTo := rightY[e.To.ID]
		gate, okLane := gateY[e.Lane]
		if !okFrom || !okLane || !okTo && !e.Ends {
			d.hidden++
			continue
		}
		through["<"+e.From.ID] += e.PerMinute
		edge := drawnEdge{MapEdge: e, width: edgeWidth(e.PerMinute)}
		edge.path = fmt.Sprintf("M%d %dC300 %d 320 %d %d %d", mapLeft, from, from, gate, mapGate, gate)
		edge.cutX, edge.cutY = 309, (from+gate)/2
		if !e.Ends {
			through[">"+e.To.ID] += e.PerMinute
			edge.path += fmt.Sprintf("H%dC680 %d 700 %d %d %d", mapGateTo, gate, to, mapRight, to)
			edge.cutX, edge.cutY = 691, (gate+to)/2
		}
		d.edges = append(d.edges, edge)
	}
	for side, nodes := range map[string][]placedNode{"<": d.left, ">": d.right} {
		for i, n := range nodes {
			if nodes[i].note = rate(through[side+n.ID]) + " /min"; n.Trouble != "" {
				nodes[i].note = n.Trouble
			}
		}
	}
	return d
}

// edgeWidth grows with the logarithm of the rate, so that one busy edge does not
// make all others a hair.
func edgeWidth(perMinute float64) string {
	return strconv.FormatFloat(min(1.4+0.6*math.Log10(1+perMinute), 3.4), 'f', 1, 64)
}

// mapName is a name as long as a node is wide.
func mapName(name string) string {
	const most = 22
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}

func (d mapDrawing) viewBox() string { return fmt.Sprintf("0 0 1000 %d", d.height) }

func (n placedNode) class() string {
	if n.Trouble != "" {
		return "node bad"
	}
	return "node"
}

func (n placedNode) radius() string {
	if n.Outside {
		return "22"
	}
	return "6"
}

func (e drawnEdge) class() string {
	if e.Picked {
		return "edge pick"
	}
	return "edge"
}

// cross is the path of the little cross in the badge of denials.
func (e drawnEdge) cross() string { return fmt.Sprintf("M%d %dl7 7m0-7l-7 7", e.cutX-17, e.cutY-3) }
