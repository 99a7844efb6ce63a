package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/db"
)

// Mark is where a chain begins since its beginning was purged: after record Last.
// It is signed without its members kid and sig, as JCS after the line "vivified
// audit purge v1". What was purged is in archives, each of which holds the mark
// before it, so that they and the database are still one chain.
type Mark struct {
	Archive string    `json:"archive"` // name of the archive of what was purged last
	At      time.Time `json:"at"`      // of the purge
	Chain   string    `json:"chain"`
	Count   int64     `json:"count"` // records that were purged last
	Hash    []byte    `json:"hash"`  // of the last of them, which the first record kept follows
	Key     string    `json:"kid"`
	Last    int64     `json:"last"`   // its number
	SHA256  []byte    `json:"sha256"` // of the archive
	Sig     []byte    `json:"sig"`
}

// markContext keeps the signature of a mark from passing as one of anything else.
const markContext = "vivified audit purge v1\n"

// message returns what is signed.
func (m *Mark) message() ([]byte, error) {
	raw, err := json.Marshal(struct {
		Archive string `json:"archive"`
		At      string `json:"at"`
		Chain   string `json:"chain"`
		Count   int64  `json:"count"`
		Hash    []byte `json:"hash"`
		Last    int64  `json:"last"`
		SHA256  []byte `json:"sha256"`
	}{m.Archive, m.At.UTC().Format(timeLayout), m.Chain, m.Count, m.Hash, m.Last, m.SHA256})
	if err != nil {
		return nil, err
	}
	return appendCanonical([]byte(markContext), raw)
}

// Sign signs m, whose time becomes one of whole microseconds in UTC.
func (m *Mark) Sign(by Signer) error {
	m.At = m.At.UTC().Truncate(time.Microsecond)
	message, err := m.message()
	if err == nil {
		m.Key, m.Sig, err = by.Sign(message)
	}
	if err != nil {
		return fmt.Errorf("sign the mark of %s: %w", m.Chain, err)
	}
	return nil
}

// check returns what is wrong with m: anybody who can write to the database can write
// one, but not sign it. A key that is not known vouches for nothing.
func (c *checker) check(m *Mark, keys Keys) *Bad {
	message, err := m.message()
	if err != nil || m.Last < 1 || len(m.Hash) != hashSize {
		return c.bad(1, BadMissing, "The beginning of %s is missing, and the mark of its purge is none.", c.Chain)
	}
	if keys == nil {
		return nil
	}
	if key, ok := keys(m.Key); !ok || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, m.Sig) {
		return c.bad(m.Last, BadSignature, "Records 1 to %d of %s are missing: the mark that says they were purged is not signed by a key of the core.", m.Last, c.Chain)
	}
	return nil
}

// begin lets the chain begin after m.
func (c *checker) begin(m *Mark, keys Keys) *Bad {
	if bad := c.check(m, keys); bad != nil {
		return bad
	}
	for len(c.heads) > 0 && c.heads[0].seq <= m.Last {
		h := c.heads[0]
		c.heads = c.heads[1:]
		if h.seq < m.Last {
			continue
		}
		if !bytes.Equal(h.hash[:], m.Hash) {
			return c.bad(m.Last, BadReplaced, "Record %d of %s, the last that was purged, is not the one signed at %s.", m.Last, c.Chain, h.at.UTC().Format(time.RFC3339))
		}
		c.found++
	}
	c.Mark, c.Last, c.Hash = m, m.Last, bytes.Clone(m.Hash)
	return nil
}

// begun holds a chain that was read from an export against the mark it begins after.
func (c *checker) begun(m *Mark, keys Keys) *Bad {
	if c.Bad != nil {
		return nil // known already
	}
	c.Mark = m
	if bad := c.check(m, keys); bad != nil {
		return bad
	}
	next := m.Last + 1
	switch {
	case c.Rows == 0:
		return c.bad(next, BadMissing, "Record %d of %s is missing: the chain begins with it since the purge.", next, c.Chain)
	case c.First <= m.Last:
		return c.bad(c.First, BadInserted, "Record %d of %s was purged, and is there again.", c.First, c.Chain)
	case c.First > next:
		return c.bad(next, BadMissing, "Records %d to %d of %s are missing: the chain begins with record %d since the purge.", next, c.First-1, c.Chain, next)
	case !bytes.Equal(c.prev, m.Hash):
		return c.bad(next, BadLink, "Record %d of %s does not follow the last record that was purged.", next, c.Chain)
	}
	return nil
}

// markOf reads a mark as it is kept.
func markOf(row db.AuditMark) Mark {
	return Mark{Archive: row.Archive, At: row.At.UTC(), Chain: row.Chain, Count: row.Count, Hash: row.Hash, Key: row.Kid, Last: row.Last, SHA256: row.Sha256, Sig: row.Sig}
}

// marks returns where each purged chain begins. A database of an older core, which
// purged nothing, has no such table; verifying it makes none.
func marks(ctx context.Context, tx pgx.Tx) (map[string]Mark, error) {
	found := map[string]Mark{}
	var there bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('public.audit_marks') IS NOT NULL").Scan(&there); err != nil || !there {
		return found, err
	}
	rows, err := db.New(tx).MarkList(ctx)
	for _, row := range rows {
		found[row.Chain] = markOf(row)
	}
	return found, err
}

// Marks returns where each chain begins whose beginning was purged.
func (s *Store) Marks(ctx context.Context) (found map[string]Mark, err error) {
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		found, err = marks(ctx, tx)
		return err
	})
	return found, err
}

// beginnings returns the marks of the chains in an export of everything a tenant has.
// A chain that goes on with another tenant's record begins nowhere in it.
func beginnings(ctx context.Context, tx pgx.Tx, tenant string, l *lines) ([]Mark, error) {
	all, err := marks(ctx, tx)
	if err != nil {
		return nil, err
	}
	var here []Mark
	for _, c := range l.chains {
		m, ok := all[c.Chain]
		if !ok {
			continue
		}
		var others bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM audit_log WHERE chain = $1 AND seq = $2 AND tenant_id <> $3)", c.Chain, m.Last+1, tenant).Scan(&others); err != nil {
			return nil, err
		}
		if !others {
			here = append(here, m)
		}
	}
	return here, nil
}
