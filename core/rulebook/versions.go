package rulebook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Version is a text of rules as it was published.
type Version struct {
	Number       int64     `json:"version"`
	Text         string    `json:"text"`
	Tests        []Test    `json:"tests"`
	Digest       string    `json:"sha256"` // of text and tests
	Comment      string    `json:"comment"`
	Restored     *int64    `json:"restored,omitempty"` // the version it brought back
	Author       string    `json:"author"`
	AuthorName   string    `json:"author_name"`
	Approver     string    `json:"approver,omitempty"` // the second person
	ApproverName string    `json:"approver_name,omitempty"`
	PublishedAt  time.Time `json:"published_at"`
}

// digest is the SHA-256 of a text and its tests.
func digest(text string, tests []Test) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s%s", len(text), text, writeTests(tests))
	return h.Sum(nil)
}

func versionOf(row db.PolicyVersion) (Version, error) {
	tests, err := readTests(row.Tests)
	return Version{
		Number: row.Number, Text: row.Text, Tests: tests, Digest: fmt.Sprintf("%x", row.Digest), Comment: row.Comment, Restored: row.Restored,
		Author: row.Author, AuthorName: row.AuthorName, Approver: row.Approver, ApproverName: row.ApproverName, PublishedAt: row.PublishedAt.UTC(),
	}, err
}

// newest returns the newest published version; its zero value before the first.
func newest(ctx context.Context, q *db.Queries) (Version, error) {
	number, err := q.PolicyVersionNewest(ctx)
	if err != nil {
		return Version{}, fmt.Errorf("read the published rules: %w", db.Fault(err))
	}
	if number == 0 {
		return Version{}, nil
	}
	return version(ctx, q, number)
}

func version(ctx context.Context, q *db.Queries, number int64) (Version, error) {
	row, err := q.PolicyVersionGet(ctx, number)
	if errors.Is(err, pgx.ErrNoRows) {
		return Version{}, fault.New(fault.NotFound, "policy.version", "There is no version %d of the policy.", number)
	}
	if err != nil {
		return Version{}, fmt.Errorf("read version %d: %w", number, db.Fault(err))
	}
	return versionOf(row)
}

// Version returns one version, or a NotFound fault.
func (b *Rulebook) Version(ctx context.Context, number int64) (Version, error) {
	return version(ctx, db.New(b.Pool), number)
}

// Versions returns versions older than a number, newest first, most at a time;
// with 0 it begins at the newest.
func (b *Rulebook) Versions(ctx context.Context, before int64, most int) ([]Version, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := db.New(b.Pool).PolicyVersionList(ctx, before, int32(min(max(most, 1), 500)))
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", db.Fault(err))
	}
	list := []Version{}
	for _, row := range rows {
		v, err := versionOf(row)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// Diff compares two texts, each named by the number of its version, or "draft",
// or "published" for the newest version; 0 is the time before the first.
func (b *Rulebook) Diff(ctx context.Context, from, to string) (Diff, error) {
	fromName, before, err := b.named(ctx, from)
	if err != nil {
		return Diff{}, err
	}
	toName, after, err := b.named(ctx, to)
	if err != nil {
		return Diff{}, err
	}
	return compare(fromName, before, toName, after), nil
}

// named returns a text by the name a comparison gives it.
func (b *Rulebook) named(ctx context.Context, name string) (shown, text string, err error) {
	switch name {
	case "draft":
		d, err := b.Draft(ctx)
		return "draft", d.Text, err
	case "published":
		v, err := newest(ctx, db.New(b.Pool))
		return versionName(v.Number), v.Text, err
	case "0":
		return versionName(0), "", nil
	}
	number, err := strconv.ParseInt(name, 10, 64)
	if err != nil || number < 1 {
		return "", "", fault.New(fault.Invalid, "policy.compare", "Compare version numbers, draft, or published; %q is none of them.", name)
	}
	v, err := b.Version(ctx, number)
	return versionName(number), v.Text, err
}
