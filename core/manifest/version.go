package manifest

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// semVer is the grammar of SemVer 2.0 (semver.org, "Is there a suggested
// regular expression").
var semVer = regexp.MustCompile(`^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)` +
	`(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

// maxVersion is how long a version or a range may be, in bytes.
const maxVersion = 255

// ValidVersion reports whether v is a SemVer 2.0 version.
func ValidVersion(v string) bool { return len(v) <= maxVersion && semVer.MatchString(v) }

// CompareVersions returns -1, 0 or +1 by the precedence of two valid versions;
// build metadata does not count.
func CompareVersions(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// Range is a set of versions, as dependencies ask for them: comparators such
// as ^1.2, ~1.4.0, >=1.0.0 <2.0.0, 1.x or *, joined by spaces (and) or || (or).
// The zero Range holds every version.
type Range struct {
	source string
	any    [][]bound // one list of bounds must hold as a whole
}

// bound compares with one version.
type bound struct {
	op      string // < <= > >= =
	version string
}

// comparator is one operator and a version that may be partial.
var comparator = regexp.MustCompile(`^(\^|~|>=|<=|>|<|=)? *([0-9]+|[xX*])(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// operatorGap is the space between an operator and its version.
var operatorGap = regexp.MustCompile(`(\^|~|>=|<=|>|<|=) +`)

// ParseRange reads a range; it reports false for what is none.
func ParseRange(source string) (Range, bool) {
	r := Range{source: source}
	if len(source) > maxVersion {
		return Range{}, false
	}
	for alternative := range strings.SplitSeq(source, "||") {
		fields := strings.Fields(operatorGap.ReplaceAllString(alternative, "$1"))
		if len(fields) == 0 {
			return Range{}, false
		}
		bounds := []bound{}
		for _, f := range fields {
			b, ok := parseComparator(f)
			if !ok {
				return Range{}, false
			}
			bounds = append(bounds, b...)
		}
		r.any = append(r.any, bounds)
	}
	return r, true
}

// parseComparator returns the bounds one comparator means.
func parseComparator(s string) ([]bound, bool) {
	m := comparator.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	op, pre := m[1], m[5]
	var parts []uint64
	for _, p := range m[2:5] {
		if p == "" || p == "x" || p == "X" || p == "*" {
			break
		}
		n, err := strconv.ParseUint(p, 10, 53)
		if err != nil || len(p) > 1 && p[0] == '0' {
			return nil, false
		}
		parts = append(parts, n)
	}
	for _, p := range m[2+len(parts) : 5] { // nothing may follow a wildcard
		if p != "" && p != "x" && p != "X" && p != "*" {
			return nil, false
		}
	}
	low := core(parts) + pre
	if pre != "" && (len(parts) < 3 || !ValidVersion(low)) {
		return nil, false
	}
	switch {
	case len(parts) == 0:
		if op == "<" || op == ">" {
			return []bound{{"<", "0.0.0-0"}}, true
		}
		return nil, true
	case op == "^":
		return []bound{{">=", low}, {"<", next(parts, caret(parts))}}, true
	case op == "~":
		return []bound{{">=", low}, {"<", next(parts, min(len(parts), 2)-1)}}, true
	case len(parts) == 3:
		return []bound{{cmp.Or(op, "="), low}}, true
	}
	end := next(parts, len(parts)-1)
	switch op {
	case ">=", "<":
		return []bound{{op, low}}, true
	case ">":
		return []bound{{">=", end}}, true
	case "<=":
		return []bound{{"<", end}}, true
	}
	return []bound{{">=", low}, {"<", end}}, true
}

// caret returns the part that ^ lets not change: the first that is not zero.
func caret(parts []uint64) int {
	for i, n := range parts {
		if n != 0 {
			return i
		}
	}
	return len(parts) - 1
}

// core returns the version of the parts, the missing ones zero.
func core(parts []uint64) string {
	full := [3]string{"0", "0", "0"}
	for i, n := range parts {
		full[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(full[:], ".")
}

// next returns the least version above all that share the parts up to i.
func next(parts []uint64, i int) string {
	up := append([]uint64(nil), parts[:i+1]...)
	up[i]++
	return core(up)
}

// Contains reports whether the version, which must be valid, is in r. A
// prerelease is in only where a bound names one of the same version, so that
// nobody is given a beta unasked.
func (r Range) Contains(version string) bool {
	if r.any == nil {
		return ValidVersion(version)
	}
	for _, bounds := range r.any {
		if ValidVersion(version) && holds(bounds, version) {
			return true
		}
	}
	return false
}

func holds(bounds []bound, version string) bool {
	pre := semver.Prerelease("v" + version)
	release, _, _ := strings.Cut(version, "-")
	asked := pre == ""
	for _, b := range bounds {
		c := CompareVersions(version, b.version)
		if !(c == 0 && strings.Contains(b.op, "=") || c < 0 && b.op[0] == '<' || c > 0 && b.op[0] == '>') {
			return false
		}
		if named, _, ok := strings.Cut(b.version, "-"); ok && named == release {
			asked = true
		}
	}
	return asked
}

// String returns the range as written; empty: any version.
func (r Range) String() string { return r.source }

// Equal reports whether two ranges are written alike.
func (r Range) Equal(s Range) bool { return r.source == s.source }
