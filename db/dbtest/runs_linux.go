package dbtest

import (
	"fmt"
	"os"
	"strings"
)

// processIdentity returns the name of a process and its start time in clock
// ticks since boot, which tells it from a later one with the same number.
// Both are empty for a process that is not there or only waits to be reaped.
func processIdentity(pid int) (name, id string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	// pid (comm) state …, start time as field 22 (proc(5)).
	open, closing := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || closing < open {
		return "", ""
	}
	fields := strings.Fields(string(text[closing+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", ""
	}
	return string(text[open+1 : closing]), fields[19]
}
