package retention

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Archive is a file that records were written to before they were purged.
type Archive struct {
	ID       uuid.UUID
	Name     string
	Place    string // folder or s3
	Chain    string
	First    int64
	Last     int64
	Begins   time.Time // when its first record was written
	Ends     time.Time // when its last was
	Bytes    int64
	SHA256   []byte
	Verified time.Time  // read back, and every record proved
	Purged   *time.Time // nil: its records are still in the database
}

// Records is how many it holds.
func (a *Archive) Records() int64 { return a.Last - a.First + 1 }

func archiveOf(r db.AuditArchive) Archive {
	return Archive{r.ID, r.Name, r.Place, r.Chain, r.First, r.Last, r.Begins, r.Ends, r.Bytes, r.Sha256, r.VerifiedAt, r.PurgedAt}
}

// Archives returns the newest 500 archives.
func (s *Service) Archives(ctx context.Context) ([]Archive, error) {
	rows, err := db.New(s.Pool).ArchiveList(ctx)
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Archive, len(rows))
	for i, r := range rows {
		all[i] = archiveOf(r)
	}
	return all, nil
}

// Archive returns one archive, or a NotFound fault.
func (s *Service) Archive(ctx context.Context, id uuid.UUID) (Archive, error) {
	row, err := db.New(s.Pool).ArchiveGet(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Archive{}, fault.New(fault.NotFound, "retention.archive_unknown", "There is no such archive.")
	}
	return archiveOf(row), db.Fault(err)
}

// Open opens what is in an archive. The caller closes it, and reads it through to
// learn by its SHA-256 whether it is what was written.
func (s *Service) Open(ctx context.Context, a Archive) (io.ReadCloser, error) {
	from, err := s.place(a.Place)
	if err != nil {
		return nil, err
	}
	r, err := from.open(ctx, a.Name)
	if err != nil {
		return nil, unreadable(a.Name, err)
	}
	return r, nil
}

// place is somewhere archives are.
type place interface {
	kind() string
	// put keeps what is in file under name, in place of what an attempt that did not
	// come to its end left there.
	put(ctx context.Context, name string, file *os.File, size int64) error
	open(ctx context.Context, name string) (io.ReadCloser, error)
}

// place returns the place of that kind, or the one that new archives go to for "".
func (s *Service) place(kind string) (place, error) {
	switch {
	case s.Bucket != nil && kind != "folder":
		return s.Bucket, nil
	case kind == "s3":
		return nil, fault.New(fault.Conflict, "retention.no_bucket", "The archive is in a bucket, and no bucket is set now; set audit_archive_bucket.")
	}
	return folder(s.Folder), nil
}

// folder is a directory on this machine.
type folder string

func (folder) kind() string { return "folder" }

func (f folder) put(_ context.Context, name string, file *os.File, _ int64) error {
	if err := os.Rename(file.Name(), filepath.Join(string(f), name)); err != nil {
		return err
	}
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (f folder) open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), name))
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// archiveName returns the name of the archive that begins with a record. A chain may
// be called anything; its hash keeps two of them apart.
func archiveName(chain string, first int64, at time.Time) string {
	sum := sha256.Sum256([]byte(chain))
	short := notInNames.ReplaceAllString(chain, "-")
	return fmt.Sprintf("audit-%s-%s-%s-%d.jsonl", at.UTC().Format("2006-01"), short[:min(len(short), 60)], hex.EncodeToString(sum[:4]), first)
}

// spools are the names of archives that are being written.
const spools = ".writing-*"

// sweep removes what a core that was killed was writing: half an archive, with records
// in it. Whoever calls it holds the lease.
func (s *Service) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.Folder, spools))
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			s.Log.Warn("half an archive cannot be removed", "file", name, "error", err)
		}
	}
}

// write writes a stretch of a chain to the archive, reads it back from there and
// verifies it. Only what it returns without an error may be purged.
func (s *Service) write(ctx context.Context, st stretch) (db.AuditArchive, error) {
	var none db.AuditArchive
	to, err := s.place("")
	if err != nil {
		return none, err
	}
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return none, unwritable(err)
	}
	spool, err := os.CreateTemp(s.Folder, spools)
	if err != nil {
		return none, unwritable(err)
	}
	defer os.Remove(spool.Name()) // gone already when it was moved to its place
	defer spool.Close()
	if err := s.Store.ExportChain(ctx, st.chain, st.first, st.last, s.Sign, spool); err != nil {
		return none, unwritable(err)
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err = cmp.Or(err, spool.Sync()); err != nil {
		return none, unwritable(err)
	}
	name := archiveName(st.chain, st.first, st.begins)
	if err := to.put(ctx, name, spool, size); err != nil {
		return none, unwritable(err)
	}
	sum, last, err := s.readBack(ctx, to, name, st, size)
	if err != nil {
		return none, err
	}
	row, err := db.New(s.Pool).ArchiveInsert(ctx, db.ArchiveInsertParams{
		ID: uuid.Must(uuid.NewV7()), Chain: st.chain, First: st.first, Last: st.last, Hash: last, Begins: st.begins, Ends: st.ends,
		Place: to.kind(), Name: name, Bytes: size, Sha256: sum, VerifiedAt: s.Now(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return none, fault.New(fault.Conflict, "retention.archive_taken", "The archive %s has been there since an earlier purge; the database is older than the archive.", name)
	}
	return row, db.Fault(err)
}

// readBack verifies an archive as it lies in its place, and returns its hash and that
// of its last record.
func (s *Service) readBack(ctx context.Context, from place, name string, st stretch, size int64) (sum, last []byte, err error) {
	keys, err := s.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := from.open(ctx, name)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	defer r.Close()
	whole := sha256.New()
	counted := &counter{w: whole}
	report, err := audit.VerifyExport(io.TeeReader(r, counted), audit.VerifyConfig{Keys: keys})
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	why := ""
	switch {
	case report.Bad != nil:
		why = report.Bad.Sentence
	case !report.Signed:
		why = "Its manifest is not signed by a key of the core."
	case counted.n != size || len(report.Chains) != 1 || report.Chains[0].Chain != st.chain || report.Chains[0].First != st.first || report.Chains[0].Last != st.last || report.Rows != st.records():
		why = "It does not hold what was written."
	}
	if why != "" {
		return nil, nil, fault.New(fault.Conflict, "retention.unverified", "The archive %s does not verify, so nothing was purged: %s", name, why)
	}
	return whole.Sum(nil), report.Chains[0].Hash, nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

func unwritable(cause error) error {
	return fault.New(fault.Unavailable, "retention.unwritable", "The archive cannot be written, so nothing was purged; look at its place and at the log.").Because(cause)
}

func unreadable(name string, cause error) error {
	return fault.New(fault.Unavailable, "retention.unreadable", "The archive %s cannot be read back; look at its place and at the log.", name).Because(cause)
}
