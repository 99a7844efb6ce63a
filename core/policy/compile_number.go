package policy

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// arithmetic is a calculation with two numbers, which fails where it overflows.
func arithmetic(l, r expr, f func(a, b int64) (int64, bool)) expr {
	if l.kind != numberKind || r.kind != numberKind {
		return expr{}
	}
	return expr{kind: numberKind, num: calculation(l.num, r.num, f)}
}

func calculation(a, b func(*Request) (int64, bool), f func(a, b int64) (int64, bool)) func(*Request) (int64, bool) {
	return func(q *Request) (int64, bool) {
		x, ok := a(q)
		if !ok {
			return 0, false
		}
		y, ok := b(q)
		if !ok {
			return 0, false
		}
		return f(x, y)
	}
}

func add(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

func subtract(a, b int64) (int64, bool) {
	d := a - b
	return d, (d < a) == (b > 0)
}

func multiply(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	negative := (a < 0) != (b < 0)
	if hi != 0 || lo > math.MaxInt64 && !(negative && lo == 1<<63) {
		return 0, false
	}
	if negative {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// Times are counted in milliseconds, as Cedar does.
const (
	second = 1_000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// spans are the methods that count a duration in whole units.
var spans = map[types.Path]int64{"toMilliseconds": 1, "toSeconds": second, "toMinutes": minute, "toHours": hour, "toDays": day}

// call is a function or method of Cedar's extensions. Times have a use here;
// decimals and addresses do not, because no fact is one.
func (c *compiler) call(n ast.NodeTypeExtensionCall) expr {
	args := make([]expr, len(n.Args))
	for i, a := range n.Args {
		args[i] = c.compile(a)
		if args[i].kind == unusable {
			return expr{}
		}
	}
	switch n.Name {
	case "datetime":
		if v, err := types.ParseDatetime(written(args)); err == nil {
			return literalNumber(momentKind, v, v.Milliseconds())
		}
	case "duration":
		if v, err := types.ParseDuration(written(args)); err == nil {
			return literalNumber(spanKind, v, v.ToMilliseconds())
		}
	case "offset":
		return expr{kind: momentKind, num: calculation(args[0].num, args[1].num, add)}
	case "durationSince":
		return expr{kind: spanKind, num: calculation(args[0].num, args[1].num, subtract)}
	case "toDate":
		return expr{kind: momentKind, num: calculated(args[0].num, func(ms int64) int64 { return ms - ms%day })}
	case "toTime":
		return expr{kind: spanKind, num: calculated(args[0].num, func(ms int64) int64 { return ms % day })}
	}
	if unit, ok := spans[n.Name]; ok {
		return expr{kind: numberKind, num: calculated(args[0].num, func(ms int64) int64 { return ms / unit })}
	}
	return c.complain(string(n.Name), fmt.Sprintf("A rule cannot use %s: no fact is of that kind.", n.Name), "Compare the attributes that the schema lists.")
}

func calculated(a func(*Request) (int64, bool), f func(int64) int64) func(*Request) (int64, bool) {
	return func(q *Request) (int64, bool) {
		x, ok := a(q)
		return f(x), ok
	}
}

// written is the string a constructor is given.
func written(args []expr) string {
	if len(args) == 1 {
		if s, ok := args[0].literal.(types.String); ok {
			return string(s)
		}
	}
	return ""
}
