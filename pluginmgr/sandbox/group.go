//go:build linux

package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/pluginmgr"
)

// group is the control group of an instance: the folder of each controller,
// which is the same for all in version 2 (cgroups(7)).
type group struct{ memory, cpu, cpuacct, pids controller }

// controller is one controller's folder; empty where the kernel has it not.
type controller struct {
	dir     string
	unified bool // version 2
}

// groupOf finds the control group that a process is in.
func groupOf(pid int) (group, error) {
	mounts, err := groupMounts()
	if err != nil {
		return group{}, err
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return group{}, fmt.Errorf("find the control group: %w", err)
	}
	found := map[string]controller{}
	for line := range strings.Lines(string(raw)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[2] == "/" { // the root group limits nothing
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			if at, ok := mounts[name]; ok {
				found[name] = controller{dir: filepath.Join(at, parts[2]), unified: name == ""}
			}
		}
	}
	of := func(name string) controller {
		if c, ok := found[name]; ok {
			return c
		}
		return found[""]
	}
	return group{memory: of("memory"), cpu: of("cpu"), cpuacct: of("cpuacct"), pids: of("pids")}, nil
}

// groupMounts returns where controllers are mounted; the unified hierarchy as "".
func groupMounts() (map[string]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find the control groups: %w", err)
	}
	defer f.Close()
	mounts := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 || place[3] != "/" {
			continue
		}
		switch kind[0] {
		case "cgroup2":
			mounts[""] = place[4]
		case "cgroup":
			for name := range strings.SplitSeq(kind[2], ",") {
				mounts[name] = place[4]
			}
		}
	}
	return mounts, nil
}

// number reads a file of one number; max is the largest there is.
func (c controller) number(name string) (int64, error) {
	raw, err := c.read(name)
	if err != nil {
		return 0, err
	}
	return parse(strings.TrimSpace(string(raw)))
}

func (c controller) read(name string) ([]byte, error) {
	if c.dir == "" {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(filepath.Join(c.dir, name))
}

func parse(text string) (int64, error) {
	if text == "max" {
		return math.MaxInt64, nil
	}
	return strconv.ParseInt(text, 10, 64)
}

// field reads one number of a file of names and numbers; 0 when it is not there.
func (c controller) field(file, name string) int64 {
	raw, err := c.read(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(raw) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		if n, err := strconv.ParseInt(value, 10, 64); ok && key == name && err == nil {
			return n
		}
	}
	return 0
}

// either is the name of a file in version 1 or version 2.
func (c controller) either(one, two string) string {
	if c.unified {
		return two
	}
	return one
}

// lacking names the limits that are not in force.
func (g group) lacking(l pluginmgr.Limits) []string {
	var names []string
	memory, err := g.memory.number(g.memory.either("memory.limit_in_bytes", "memory.max"))
	if err != nil || memory > l.Memory {
		names = append(names, "memory")
	} else if swap, err := g.memory.number(g.memory.either("memory.memsw.limit_in_bytes", "memory.swap.max")); err == nil {
		// In version 1 it bounds memory and swap together.
		if most := map[bool]int64{false: l.Memory, true: 0}[g.memory.unified]; swap > most {
			names = append(names, "swap")
		}
	}
	if cores, err := g.cores(); err != nil || cores > l.CPU*1.01 {
		names = append(names, "cpu")
	}
	if pids, err := g.pids.number("pids.max"); err != nil || pids > int64(l.PIDs) {
		names = append(names, "pids")
	}
	return names
}

// cores is how many cores the group may use.
func (g group) cores() (float64, error) {
	if g.cpu.unified {
		raw, err := g.cpu.read("cpu.max")
		if err != nil {
			return 0, err
		}
		quota, period, _ := strings.Cut(strings.TrimSpace(string(raw)), " ")
		q, err1 := parse(quota)
		p, err2 := parse(period)
		if err := errors.Join(err1, err2); err != nil || p <= 0 {
			return 0, errors.Join(err, errors.New("no period"))
		}
		return float64(q) / float64(p), nil
	}
	quota, err1 := g.cpu.number("cpu.cfs_quota_us")
	period, err2 := g.cpu.number("cpu.cfs_period_us")
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if quota <= 0 || period <= 0 {
		return math.Inf(1), nil
	}
	return float64(quota) / float64(period), nil
}

// swaps reports whether the kernel accounts for swap, so that it can be limited.
func swaps() bool {
	mounts, err := groupMounts()
	if err != nil {
		return false
	}
	at, ok := mounts["memory"]
	if !ok {
		_, ok = mounts[""]
		return ok
	}
	_, err = os.Stat(filepath.Join(at, "memory.memsw.limit_in_bytes"))
	return err == nil
}

// killed is how many of its processes the kernel ended for want of memory.
func (g group) killed() int {
	return int(g.memory.field(g.memory.either("memory.oom_control", "memory.events"), "oom_kill"))
}

// stats reads what the group uses.
func (g group) stats() (pluginmgr.Stats, error) {
	s := pluginmgr.Stats{At: time.Now(), OOM: g.killed(), Held: int(g.cpu.field("cpu.stat", "nr_throttled"))}
	var errs [3]error
	s.Memory, errs[0] = g.memory.number(g.memory.either("memory.usage_in_bytes", "memory.current"))
	s.Peak, _ = g.memory.number(g.memory.either("memory.max_usage_in_bytes", "memory.peak"))
	if g.cpuacct.unified {
		s.CPU = time.Duration(g.cpuacct.field("cpu.stat", "usage_usec")) * time.Microsecond
	} else {
		var ns int64
		ns, errs[1] = g.cpuacct.number("cpuacct.usage")
		s.CPU = time.Duration(ns)
	}
	pids, err := g.pids.number("pids.current")
	s.PIDs, errs[2] = int(pids), err
	if err := errors.Join(errs[:]...); err != nil {
		return pluginmgr.Stats{}, fmt.Errorf("read the control group: %w", err)
	}
	return s, nil
}
