package audit

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// number appends a number as ECMAScript writes it (RFC 8785, section 3.2.2.3),
// or as a string when it is not exactly what a double stands for.
func (s *scanner) number(dst []byte) ([]byte, error) {
	start := s.at
	if s.src[s.at] == '-' {
		s.at++
	}
	lead := s.at
	whole := s.digits()
	if whole == 0 || whole > 1 && s.src[lead] == '0' {
		return dst, errSyntax
	}
	simple := whole <= 15
	if s.at < len(s.src) && s.src[s.at] == '.' {
		s.at++
		simple = false
		if s.digits() == 0 {
			return dst, errSyntax
		}
	}
	if s.at < len(s.src) && s.src[s.at]|0x20 == 'e' {
		s.at++
		simple = false
		if s.at < len(s.src) && (s.src[s.at] == '+' || s.src[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return dst, errSyntax
		}
	}
	literal := string(s.src[start:s.at])
	if simple {
		if literal == "-0" {
			literal = "0"
		}
		return append(dst, literal...), nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return appendString(dst, literal), nil
	}
	n := len(dst)
	dst = appendDouble(dst, f)
	if !sameDecimal(literal, string(dst[n:])) {
		return appendString(dst[:n], literal), nil
	}
	return dst, nil
}

func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.src) && '0' <= s.src[s.at] && s.src[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// appendDouble appends f like ECMAScript's Number::toString.
func appendDouble(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes e-07 and e+21, ECMAScript e-7 and e+21.
	if e := bytes.LastIndexByte(dst[n:], 'e') + n; dst[e+2] == '0' {
		dst = append(dst[:e+2], dst[e+3:]...)
	}
	return dst
}

// sameDecimal reports whether two number literals stand for the same decimal.
func sameDecimal(a, b string) bool {
	if a == b {
		return true
	}
	da, ea := decimal(a)
	db, eb := decimal(b)
	return da == db && (ea == eb || da == "" || da == "-")
}

// decimal takes a literal apart: sign and digits without zeros at either end,
// and the power of ten of the last digit. Zero has no digits and no sign.
func decimal(literal string) (digits string, exponent int) {
	mantissa, exp := literal, ""
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exp = literal[:i], literal[i+1:]
	}
	exponent, err := strconv.Atoi(exp)
	if exp != "" && err != nil {
		return literal, math.MaxInt // beyond any double: equal to nothing but itself
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent -= len(fraction)
	all := strings.TrimLeft(whole+fraction, "0")
	digits = strings.TrimRight(all, "0")
	exponent += len(all) - len(digits)
	if digits == "" {
		return "", 0
	}
	return sign + digits, exponent
}
