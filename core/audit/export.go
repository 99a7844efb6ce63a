package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// Format is the form of an export.
type Format string

// The formats.
const (
	// JSONL is one record a line, as Record.MarshalJSON writes it, and a last
	// line {"manifest": …}: what VerifyExport reads.
	JSONL Format = "jsonl"

	// CSV is for people and spreadsheets; it cannot be verified.
	CSV Format = "csv"
)

// Manifest is the last line of an export. It is signed without its members kid
// and sig, as JCS after the line "vivified audit export v1".
type Manifest struct {
	At     time.Time       `json:"at"`
	By     string          `json:"by"` // who exported: kind:id
	Chains []ManifestChain `json:"chains"`
	Count  int64           `json:"count"`
	Filter string          `json:"filter"`           // what was asked for, for people
	Key    string          `json:"kid"`              // "" when unsigned
	Purged []Mark          `json:"purged,omitempty"` // where chains begin whose beginning was purged
	SHA256 []byte          `json:"sha256"`           // of every byte before the manifest
	Sig    []byte          `json:"sig"`
	Tenant string          `json:"tenant"`
}

// ManifestChain is what an export holds of one chain. Where Count is Last-First+1
// nothing lies between that is not there.
type ManifestChain struct {
	Chain string `json:"chain"`
	Count int64  `json:"count"`
	First int64  `json:"first"`
	Last  int64  `json:"last"`
}

// manifestContext keeps the signature of a manifest from passing as one of anything else.
const manifestContext = "vivified audit export v1\n"

// message returns what is signed.
func (m Manifest) message() ([]byte, error) {
	raw, err := json.Marshal(struct {
		At     string          `json:"at"`
		By     string          `json:"by"`
		Chains []ManifestChain `json:"chains"`
		Count  int64           `json:"count"`
		Filter string          `json:"filter"`
		Purged []Mark          `json:"purged,omitempty"`
		SHA256 []byte          `json:"sha256"`
		Tenant string          `json:"tenant"`
	}{m.At.UTC().Format(timeLayout), m.By, m.Chains, m.Count, m.Filter, m.Purged, m.SHA256, m.Tenant})
	if err != nil {
		return nil, err
	}
	return appendCanonical([]byte(manifestContext), raw)
}

// Export writes every record that f describes to w, oldest first, from one
// snapshot and in constant memory. f.Limit and f.Cursor are not used. sign signs
// the manifest of a JSONL export; nil leaves it unsigned.
//
// The reader of w must keep up: one that takes nothing for half a minute loses
// the export. An error after the first byte leaves an export without manifest,
// which does not verify.
func (s *Store) Export(ctx context.Context, f Filter, format Format, sign Signer, w io.Writer) error {
	f.Limit, f.Cursor = 0, ""
	if err := f.Check(); err != nil {
		return err
	}
	var out exporter
	buf := bufio.NewWriterSize(w, 64<<10)
	switch format {
	case JSONL:
		out = newLines(buf)
	case CSV:
		out = newSheet(buf)
	default:
		return fault.New(fault.Invalid, "audit.format", "An export is csv or jsonl.")
	}
	q, err := s.query(ctx, &f)
	if err != nil {
		return err
	}
	sql := fmt.Sprintf("SELECT %s FROM audit_log WHERE %s ORDER BY at, chain, seq", columns, q.condition())
	if q.indexed(&f) {
		sql = fmt.Sprintf("WITH found AS MATERIALIZED (SELECT %s FROM audit_log WHERE %s) SELECT %s FROM found ORDER BY at, chain, seq",
			columns, q.condition(), columns)
	}
	m := newManifest(ctx, &f)
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		if err := stream(ctx, tx, out.record, sql, q.args...); err != nil {
			return err
		}
		if l, ok := out.(*lines); ok && m.Filter == "" {
			m.Purged, err = beginnings(ctx, tx, m.Tenant, l)
		}
		return err
	})
	if err == nil {
		err = out.end(m, sign)
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return fmt.Errorf("export the audit: %w", err)
	}
	return nil
}

// ExportNewest is Export as JSONL of at most the newest so many records, still
// oldest first, and returns how many they were. Where they are as many as asked
// for, there may have been more.
func (s *Store) ExportNewest(ctx context.Context, f Filter, most int, sign Signer, w io.Writer) (int64, error) {
	f.Limit, f.Cursor = 0, ""
	if err := f.Check(); err != nil {
		return 0, err
	}
	q, err := s.query(ctx, &f)
	if err != nil {
		return 0, err
	}
	q.indexed(&f)
	m := newManifest(ctx, &f)
	m.Filter += "&newest=" + strconv.Itoa(most)
	buf := bufio.NewWriterSize(w, 64<<10)
	out := newLines(buf)
	sql := fmt.Sprintf("SELECT %s FROM (%s) AS newest ORDER BY at, chain, seq", columns, q.page(most))
	err = s.snapshot(ctx, func(tx pgx.Tx) error { return stream(ctx, tx, out.record, sql, q.args...) })
	if err == nil {
		err = out.end(m, sign)
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("export the audit: %w", err)
	}
	return out.count, nil
}

// snapshot runs f on one state of the database.
func (s *Store) snapshot(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, snapshotOptions, f)
}

// exporter writes records in one format.
type exporter interface {
	record(*Record) error
	end(Manifest, Signer) error
}

// newManifest says who asked for what; the rest is counted.
func newManifest(ctx context.Context, f *Filter) Manifest {
	who := actor.From(ctx)
	return Manifest{At: time.Now().UTC().Truncate(time.Microsecond), By: string(who.Kind) + ":" + who.ID, Tenant: who.Tenant, Filter: f.String()}
}

// lines writes JSONL.
type lines struct {
	w      io.Writer
	scan   scanner
	line   []byte // of the last record
	sum    hash.Hash
	count  int64
	chains []ManifestChain
	index  map[string]int
}

func newLines(w io.Writer) *lines {
	l := &lines{sum: sha256.New(), index: map[string]int{}}
	l.w = io.MultiWriter(w, l.sum)
	return l
}

func (l *lines) record(r *Record) error {
	var err error
	if l.line, err = r.appendLine(&l.scan, l.line[:0]); err != nil {
		return err
	}
	l.count++
	i, ok := l.index[r.Chain]
	if !ok {
		i = len(l.chains)
		chain := strings.Clone(r.Chain)
		l.index[chain] = i
		l.chains = append(l.chains, ManifestChain{Chain: chain, First: r.Seq})
	}
	l.chains[i].Last = r.Seq
	l.chains[i].Count++
	_, err = l.w.Write(l.line)
	return err
}

// appendLine appends the one form that a record has in an export.
func (r *Record) appendLine(s *scanner, b []byte) ([]byte, error) {
	start := len(b)
	b, err := r.appendColumns(s, b, true)
	if err != nil {
		return b, err
	}
	return append(escapeFrom(b, start), '\n'), nil
}

func (l *lines) end(m Manifest, sign Signer) error {
	m.Count, m.Chains, m.SHA256 = l.count, append([]ManifestChain{}, l.chains...), l.sum.Sum(nil)
	if sign != nil {
		message, err := m.message()
		if err != nil {
			return err
		}
		if m.Key, m.Sig, err = sign.Sign(message); err != nil {
			return fmt.Errorf("sign the manifest: %w", err)
		}
	}
	line, err := json.Marshal(map[string]Manifest{"manifest": m})
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(escapeUnprintable(line), '\n'))
	return err
}
