package settings

import (
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// didYouMean returns " Did you mean x?" for the nearest candidate, or "" when
// none is near enough to be meant.
func didYouMean(name string, candidates []string) string {
	best, least := "", 1+max(2, len(name)/3)
	name = strings.ToLower(clip(name))
	for _, c := range candidates {
		if strings.HasSuffix(name, "_"+strings.ToLower(c)) { // a prefix too many, as in VIVIFIED_DATABASE_URL
			return " Did you mean " + c + "?"
		}
		if d := distance(name, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return " Did you mean " + best + "?"
}

// distance is the number of bytes to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// clip bounds what is quoted back to whoever sent it.
func clip(s string) string { return fault.Clip(s, 64) }
