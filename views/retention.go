package views

import (
	"fmt"
	"time"
)

// Retention is how long the audit is kept, and what became of what is not kept.
type Retention struct {
	Keep     []KeepLine
	Due      time.Time // when the next purge is
	Records  int64     // it would take
	Chains   []ChainDue
	Last     *PurgeDone // nil: there was none
	Holds    []HoldRow
	Archives []ArchiveRow // the newest first
	Hold     Action
	Purge    Action
}

// KeepLine is for how long records of one kind are kept.
type KeepLine struct {
	What    string
	Days    int
	Least   int    // days the law demands; 0: none
	Setting string // its name
}

// ChainDue is what the next purge would do to one chain.
type ChainDue struct {
	Name    string
	Records int64
	Stays   int64 // the first record that stays
	StaysAt time.Time
	Hold    string // that keeps it; "": its time has not come
}

// PurgeDone is what a purge did.
type PurgeDone struct {
	At       time.Time
	By       string // "": its time had come
	Records  int64
	Archives int64
	Error    string
}

// did says what a purge did, and for whom.
func (p *PurgeDone) did() string {
	by := ""
	if p.By != "" {
		by = " by " + p.By
	}
	return by + ": " + plural(int(p.Records), "record", "records") + " into " + plural(int(p.Archives), "archive", "archives") + "."
}

// HoldRow is a hold, in force unless LiftedAt says otherwise.
type HoldRow struct {
	ID         string
	Name       string
	Reason     string
	Keeps      string
	By         string
	At         time.Time
	LiftedBy   string
	LiftedAt   time.Time
	LiftReason string
	Actions    []Action
}

// ArchiveRow is a file that keeps what was purged.
type ArchiveRow struct {
	Name     string
	Place    string
	Chain    string
	First    int64
	Last     int64
	Begins   time.Time
	Ends     time.Time
	Bytes    int64
	Verified time.Time
	Purged   bool
	Actions  []Action
}

// days writes days, and the years they are where they are some.
func days(n int) string {
	if n < 365 {
		return number(int64(n)) + " days"
	}
	return fmt.Sprintf("%s days (%.3g years)", number(int64(n)), float64(n)/365)
}

// fileSize writes a number of bytes as people do.
func fileSize(n int64) string {
	const units = "KMGT"
	if n < 1000 {
		return number(n) + " B"
	}
	value, unit := float64(n)/1000, 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.3g %cB", value, units[unit])
}

// archivePlace is where an archive is, as people call it.
func archivePlace(kind string) string {
	if kind == "s3" {
		return "bucket"
	}
	return "folder"
}
