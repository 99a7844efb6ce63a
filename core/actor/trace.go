package actor

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// TraceOf returns the trace id of the one valid traceparent (W3C Trace Context,
// section 3.2) among lines, or a random one.
func TraceOf(lines []string) string {
	if len(lines) == 1 {
		// Version, trace, span, flags; only versions after 00 may go on.
		p := strings.SplitN(lines[0], "-", 5)
		if (len(p) == 4 || len(p) == 5 && p[0] != "00") && isHex(p[0], 2) && p[0] != "ff" && isID(p[1], 32) && isID(p[2], 16) && isHex(p[3], 2) {
			return p[1]
		}
	}
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// isID reports whether s is n lower-case hex digits that are not all zero.
func isID(s string, n int) bool { return isHex(s, n) && strings.Trim(s, "0") != "" }

func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }
