package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// coreEntry is the line of a Procfile that the others stand around.
const coreEntry = "core"

// entry is one line of a Procfile.
type entry struct {
	name    string
	command string // one command, for a shell
}

var entryForm = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)

// readProcfile reads the lines `name: command`; blank ones and comments are
// passed over. There must be one named core, and no name twice.
func readProcfile(text string) ([]entry, error) {
	var entries []entry
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		match := entryForm.FindStringSubmatch(line)
		if match == nil {
			return nil, fmt.Errorf("line %d is not of the form `name: command`", i+1)
		}
		if slices.ContainsFunc(entries, func(e entry) bool { return e.name == match[1] }) {
			return nil, fmt.Errorf("line %d names %s a second time", i+1, match[1])
		}
		entries = append(entries, entry{match[1], match[2]})
	}
	if !slices.ContainsFunc(entries, func(e entry) bool { return e.name == coreEntry }) {
		return nil, errors.New("no line is named core")
	}
	return entries, nil
}
