package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc.
const tick = 10 * time.Millisecond

// cpu returns the time that this process and the database's have computed so far: on
// a machine that others use too it tells more than a clock does. The database's is 0
// where there is no /proc.
func (b *bench) cpu() (own, database time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err == nil {
		own = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	root, err := os.ReadFile(filepath.Join(b.dir, "postgres", "postmaster.pid"))
	if err != nil {
		return own, 0
	}
	postmaster, _, _ := strings.Cut(string(root), "\n")
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid := filepath.Base(filepath.Dir(file))
		// After the name in parentheses: state, parent, …; 11 and 12 are user and system
		// time, 13 and 14 those of children that have ended (proc(5)).
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 15 || pid != postmaster && fields[1] != postmaster {
			continue
		}
		for _, f := range fields[11:15] {
			n, _ := strconv.ParseInt(f, 10, 64)
			database += time.Duration(n) * tick
		}
	}
	return own, database
}

// stopwatch measures what something takes.
type stopwatch struct {
	bench         *bench
	at            time.Time
	own, database time.Duration
}

func (b *bench) watch() stopwatch {
	own, database := b.cpu()
	return stopwatch{b, time.Now(), own, database}
}

// lap is what something took.
type lap struct{ took, own, database time.Duration }

func (w stopwatch) stop() lap {
	took := time.Since(w.at)
	own, database := w.bench.cpu()
	return lap{took, own - w.own, database - w.database}
}

// each returns what one of n took.
func (l lap) each(n int64) lap {
	d := time.Duration(max(n, 1))
	return lap{l.took / d, l.own / d, l.database / d}
}
