package manifest

import (
	"fmt"
	"math"
)

var resourceFields = []field{
	{name: "memory_limit", shape: aNumber, wrong: "resources.memory_limit.number"},
	{name: "cpu_limit", shape: aNumber, wrong: "resources.cpu_limit.number"},
	{name: "pids_limit", shape: aNumber},
	{name: "storage_quota", shape: aNumber},
}

// mebibyte is the unit of memory and storage in manifests, in bytes.
const mebibyte = 1 << 20

// limit is the range of one resource, both ends included, with the rule and
// the sentence for each side.
type limit struct {
	name                string
	least, most         float64
	tooLow, tooHigh     string // rules
	lowWords, highWords string
	whole               bool
}

var limits = [...]limit{
	{"memory_limit", 64, 8192, "resources.memory_limit.min", "resources.memory_limit.max",
		"Memory limit too low (minimum 64MB)", "Memory limit too high (maximum 8GB)", false},
	{"cpu_limit", 0.1, 8, "resources.cpu_limit.min", "resources.cpu_limit.max",
		"CPU limit too low (minimum 0.1 core)", "CPU limit too high (maximum 8 cores)", false},
	{"pids_limit", 1, 32768, "resources.pids_limit.range", "resources.pids_limit.range",
		"The limit of processes must be at least 1", "The limit of processes must be at most 32768", true},
	{"storage_quota", 1, 1 << 20, "resources.storage_quota.range", "resources.storage_quota.range",
		"The storage quota must be at least 1 MiB", "The storage quota must be at most 1048576 MiB", false},
}

// resources reads the limits. Numbers may be written in any way JSON allows.
func (c *checker) resources(v *value, at place) {
	if v == nil {
		return
	}
	got := c.object(v, at, resourceFields, "field.unknown")
	values := make(map[string]float64, len(limits))
	for _, l := range limits {
		v := got.ok(l.name)
		if v == nil {
			continue
		}
		f, _ := v.float()
		switch {
		case f < l.least:
			c.fail(l.tooLow, at.member(l.name), l.lowWords)
		case f > l.most:
			c.fail(l.tooHigh, at.member(l.name), l.highWords)
		case l.whole && f != math.Trunc(f):
			c.fail(l.tooLow, at.member(l.name), fmt.Sprintf("%s must be a whole number", l.name))
		default:
			values[l.name] = f
		}
	}
	c.m.Resources = Resources{
		Memory:  int64(values["memory_limit"] * mebibyte),
		CPU:     values["cpu_limit"],
		PIDs:    int(values["pids_limit"]),
		Storage: int64(values["storage_quota"] * mebibyte),
	}
}
