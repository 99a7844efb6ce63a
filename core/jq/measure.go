package jq

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

const (
	// maxCost bounds any value a program builds: its bytes of text and its places.
	maxCost = 4 << 20
	// maxDigits bounds a number, in digits; maxBits what is multiplied.
	maxDigits = 64
	maxBits   = 4096
	// maxPlace bounds the index at which an array may be written, which grows up to it.
	maxPlace = 1 << 16
)

// tooLarge is the error of a value beyond the bounds.
type tooLarge struct{}

func (tooLarge) Error() string { return ErrSize.Error() }

// cost returns what is left of a budget after a value, less than zero when it does
// not suffice. It walks no further than that: a value may hold another many times.
func cost(v any, left int64) int64 {
	left--
	switch v := v.(type) {
	case string:
		left -= int64(len(v))
	case json.Number:
		left -= int64(len(v))
	case *big.Int:
		left -= int64(v.BitLen() / 3)
	case []any:
		for _, item := range v {
			if left < 0 {
				return left
			}
			left = cost(item, left)
		}
	case map[string]any:
		for key, member := range v {
			if left < 0 {
				return left
			}
			left = cost(member, left-int64(len(key)))
		}
	}
	return left
}

// plain reports whether every number of a document is one a double holds, written
// in at most 64 digits: others cost more to read than they are long.
func plain(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, err := strconv.ParseFloat(v.String(), 64)
		return err == nil && len(v) <= maxDigits
	case []any:
		for _, item := range v {
			if !plain(item) {
				return false
			}
		}
	case map[string]any:
		for _, member := range v {
			if !plain(member) {
				return false
			}
		}
	}
	return true
}

// asPlace passes what may be the key of a member or the index of an item.
func asPlace(v any, _ []any) any {
	switch n := v.(type) {
	case int:
		if n > maxPlace {
			return tooLarge{}
		}
	case float64:
		if n > maxPlace {
			return tooLarge{}
		}
	case json.Number:
		if f, err := n.Float64(); err != nil || f > maxPlace {
			return tooLarge{}
		}
	case *big.Int:
		return tooLarge{}
	}
	return v
}

// asFactor passes what may be multiplied: a text would be repeated.
func asFactor(v any, _ []any) any {
	switch n := v.(type) {
	case string:
		return tooLarge{}
	case *big.Int:
		if n.BitLen() > maxBits {
			return tooLarge{}
		}
	}
	return v
}

// asMinuend passes what may be subtracted: of arrays each item is compared with each.
func asMinuend(v any, _ []any) any {
	if _, ok := v.([]any); ok {
		return tooLarge{}
	}
	return v
}

// asDigits passes what may be read as a number.
func asDigits(v any, _ []any) any {
	if s, ok := v.(string); ok && len(strings.TrimSpace(s)) > maxDigits {
		return tooLarge{}
	}
	return v
}
