package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"
)

// hashSize is the length of every hash, in bytes.
const hashSize = sha256.Size

// BadCode says in which way a record is bad.
type BadCode string

// The ways.
const (
	BadEdited    BadCode = "edited"    // its columns do not have the hash it bears
	BadLink      BadCode = "link"      // it does not follow the record before it
	BadMissing   BadCode = "missing"   // it should be there
	BadInserted  BadCode = "inserted"  // it stands where another already is, or out of order
	BadReplaced  BadCode = "replaced"  // it is not the one whose hash was signed
	BadSignature BadCode = "signature" // a signature over it is wrong
	BadExport    BadCode = "export"    // the export is not as it was written
)

// Bad is the first bad record of a chain.
type Bad struct {
	Chain    string  `json:"chain"`
	Seq      int64   `json:"seq"`
	Line     int64   `json:"line,omitempty"` // of an export, from 1
	Code     BadCode `json:"code"`
	Sentence string  `json:"sentence"`
}

// ChainReport is what was verified of a chain.
type ChainReport struct {
	Chain string `json:"chain"`
	First int64  `json:"first"` // 0: no record
	Last  int64  `json:"last"`
	Rows  int64  `json:"rows"`
	Hash  []byte `json:"hash"`             // of the last record
	Mark  *Mark  `json:"purged,omitempty"` // where the chain begins, when its beginning was purged
	Bad   *Bad   `json:"bad,omitempty"`
}

// HeadsReport is what was verified with signed heads.
type HeadsReport struct {
	Heads      int `json:"heads"`       // read
	Compared   int `json:"compared"`    // found in the records
	Signed     int `json:"signed"`      // with a signature that is right
	UnknownKey int `json:"unknown_key"` // signed by a key that was not given
	Unreadable int `json:"unreadable"`  // lines that are no head
}

// Report is the answer of a verification.
type Report struct {
	OK     bool          `json:"ok"`
	Rows   int64         `json:"rows"` // verified, the bad one not counted
	Chains []ChainReport `json:"chains"`
	Heads  HeadsReport   `json:"heads"`
	Signed bool          `json:"signed"`        // an export: its manifest bears a right signature
	Bad    *Bad          `json:"bad,omitempty"` // the first one
}

// checker follows one chain, record by record.
type checker struct {
	ChainReport
	at     time.Time
	prev   []byte // prev_hash of the first record
	heads  []seen // not yet compared
	found  int    // compared
	gap    *Bad   // the first gap, where gaps may be
	sparse bool   // gaps may be: the records were selected
	edge   *edge  // the first record, which is held against the one before it by join
	inside bool   // what is checked begins inside the chain
	digest digester
}

// edge is what the first record of a stretch says of the one before it.
type edge struct {
	seq  int64
	prev []byte
	at   time.Time
}

func newChecker(chain string, heads []seen) *checker {
	return &checker{ChainReport: ChainReport{Chain: chain, Hash: make([]byte, hashSize)}, heads: heads}
}

// bad notes the first bad record.
func (c *checker) bad(seq int64, code BadCode, format string, args ...any) *Bad {
	if c.Bad == nil {
		c.Bad = &Bad{Chain: c.Chain, Seq: seq, Code: code, Sentence: fmt.Sprintf(format, args...)}
	}
	return c.Bad
}

// next takes the record that follows, which may change afterwards, and returns what
// is wrong with it.
func (c *checker) next(r *Record) *Bad {
	begun := c.Rows > 0
	loose := c.inside && c.edge == nil // nothing is known of the record before
	adjacent := r.Seq == c.Last+1      // the first of all follows 32 zero bytes at 0
	if loose {
		c.edge = &edge{seq: r.Seq, prev: bytes.Clone(r.PrevHash), at: r.At}
		adjacent = false
	}
	switch {
	case c.Mark != nil && r.Seq <= c.Mark.Last:
		return c.bad(r.Seq, BadInserted, "Record %d of %s was purged, and is there again.", r.Seq, c.Chain)
	case loose:
	case r.Seq <= c.Last || r.Seq < 1:
		return c.bad(r.Seq, BadInserted, "Record %d of %s stands after record %d: it was put there, twice or out of order.", r.Seq, c.Chain, c.Last)
	case !adjacent && !c.sparse:
		return c.missing(r.Seq)
	case !adjacent && begun && c.gap == nil:
		c.gap = &Bad{Chain: c.Chain, Seq: c.Last + 1, Code: BadMissing,
			Sentence: fmt.Sprintf("Records %d to %d of %s are missing.", c.Last+1, r.Seq-1, c.Chain)}
	}
	digest, err := c.digest.sum(r)
	switch {
	case err != nil:
		return c.strange(r.Seq, err)
	case !bytes.Equal(digest[:], r.Hash):
		return c.bad(r.Seq, BadEdited, "Record %d of %s was changed: its content does not have the hash it bears.", r.Seq, c.Chain)
	case adjacent && !bytes.Equal(r.PrevHash, c.Hash):
		return c.unlinked(r.Seq)
	case r.At.Before(c.at):
		return c.older(r.Seq)
	}
	if bad := c.compare(r); bad != nil {
		return bad
	}
	if !begun {
		c.First, c.prev = r.Seq, bytes.Clone(r.PrevHash)
	}
	c.Last, c.at = r.Seq, r.At
	c.Hash = append(c.Hash[:0], r.Hash...)
	c.Rows++
	return nil
}

// strange notes a record whose columns hold what none has.
func (c *checker) strange(seq int64, err error) *Bad {
	return c.bad(seq, BadEdited, "Record %d of %s holds what no record can hold: %s.", seq, c.Chain, err)
}

// missing notes that the record at seq follows the last too early.
func (c *checker) missing(seq int64) *Bad {
	return c.bad(c.Last+1, BadMissing, "Records %d to %d of %s are missing.", c.Last+1, seq-1, c.Chain)
}

func (c *checker) unlinked(seq int64) *Bad {
	return c.bad(seq, BadLink, "Record %d of %s does not follow record %d: one of the two was replaced.", seq, c.Chain, c.Last)
}

func (c *checker) older(seq int64) *Bad {
	return c.bad(seq, BadLink, "Record %d of %s is older than the record before it.", seq, c.Chain)
}

// compare holds r against the heads that were signed at its place.
func (c *checker) compare(r *Record) *Bad {
	for len(c.heads) > 0 && c.heads[0].seq <= r.Seq {
		h := c.heads[0]
		c.heads = c.heads[1:]
		if h.seq < r.Seq {
			continue // a record that was not selected
		}
		if !bytes.Equal(h.hash[:], r.Hash) {
			return c.bad(r.Seq, BadReplaced, "Record %d of %s is not the one signed at %s: it, or one before it, was replaced and the chain computed anew.",
				r.Seq, c.Chain, h.at.UTC().Format(time.RFC3339))
		}
		c.found++
	}
	return nil
}

// end compares what is left of the heads: there must be no record that was
// signed and is not there.
func (c *checker) end() *Bad {
	if c.Mark != nil && c.Rows == 0 {
		return c.bad(c.Last+1, BadMissing, "Record %d of %s is missing: a purge never takes the last one.", c.Last+1, c.Chain)
	}
	if c.Bad != nil || len(c.heads) == 0 {
		return c.Bad
	}
	h := c.heads[len(c.heads)-1]
	return c.bad(c.Last+1, BadMissing, "Records %d to %d of %s are missing: the last was signed at %s. The database was set back, or they were deleted.",
		c.Last+1, h.seq, c.Chain, h.at.UTC().Format(time.RFC3339))
}
