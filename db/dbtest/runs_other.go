//go:build !linux

package dbtest

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// processIdentity returns the name of a process and its start time, which
// tells it from a later one with the same number. Both are empty for a process
// that is not there.
func processIdentity(pid int) (name, id string) {
	out, err := exec.Command("ps", "-o", "lstart=,comm=", "-p", strconv.Itoa(pid)).Output()
	fields := strings.Fields(string(out)) // Fri Nov 20 12:00:00 2026 go
	if err != nil || len(fields) < 6 {
		return "", ""
	}
	return filepath.Base(strings.Join(fields[5:], " ")), strings.Join(fields[:5], "_")
}
