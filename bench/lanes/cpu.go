package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// spent is the processor time that a program and what it started have used. On a
// machine that others use too it says more than requests a second do.
type spent struct {
	itself, database time.Duration
}

// minus returns what was used since before.
func (s spent) minus(before spent) spent {
	return spent{s.itself - before.itself, s.database - before.database}
}

// tick is a hundredth of a second: USER_HZ is 100 on every Linux there is (proc(5)).
const tick = 10 * time.Millisecond

// used reads the processor time of a process and its descendants, those named
// postgres apart. Where there is no /proc it is zero.
func used(pid int) spent {
	type process struct {
		parent int
		name   string
		took   time.Duration
	}
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it ended
		}
		open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
		fields := bytes.Fields(text[max(0, end+1):])
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || open < 0 || len(fields) < 15 {
			continue
		}
		n := func(i int) int64 { v, _ := strconv.ParseInt(string(fields[i]), 10, 64); return v }
		// utime and stime, and those of children that ended and were waited for.
		all[id] = process{int(n(1)), string(text[open+1 : end]), time.Duration(n(11)+n(12)+n(13)+n(14)) * tick}
	}
	var s spent
	for id, p := range all {
		for at, depth := id, 0; at > 1 && depth < 16; at, depth = all[at].parent, depth+1 {
			if at != pid {
				continue
			}
			if p.name == "postgres" {
				s.database += p.took
			} else {
				s.itself += p.took
			}
			break
		}
	}
	return s
}
