package market

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Config is what the service needs.
type Config struct {
	Pool     *pgxpool.Pool
	Store    *bundle.Store
	Options  func() manifest.Options // how manifests are read here
	Policy   func() Policy
	Runtimes func() []string // kinds that plugins can run by here
	Folder   string          // where *.vvplugin files are picked up; empty: nowhere
	Log      *slog.Logger
	Now      func() time.Time // default: time.Now
}

// Service keeps bundles and judges them. Safe for concurrent use.
type Service struct {
	Config
	mu   sync.Mutex
	read map[string]reading // by digest
}

// reading is a bundle's manifest as it was read last.
type reading struct {
	traits   *trait.Registry
	blocked  []string
	manifest *manifest.Manifest
	err      error
}

// New returns a service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{Config: c, read: map[string]reading{}}
}

// Version is one bundle, judged.
type Version struct {
	Digest   string             `json:"digest"`
	Version  string             `json:"version"`
	Size     int64              `json:"size"` // bytes
	Verdict  Verdict            `json:"verdict"`
	Risk     Risk               `json:"risk"`
	SBOM     bool               `json:"sbom"`
	Manifest *manifest.Manifest `json:"-"` // nil: it breaks a rule of today
	Bundle   *bundle.Bundle     `json:"-"`
}

// Installable reports whether the operator's rules let it in.
func (v *Version) Installable() bool { return len(v.Verdict.Blocked) == 0 }

// Listing is a plugin on the shelf.
type Listing struct {
	ID       string    `json:"id"`
	Versions []Version `json:"versions"` // the newest first
}

// Latest is the newest version that may be installed, or else the newest.
func (l *Listing) Latest() *Version {
	for i := range l.Versions {
		if l.Versions[i].Installable() {
			return &l.Versions[i]
		}
	}
	return &l.Versions[0]
}

// Listings returns every plugin, by id.
func (s *Service) Listings(ctx context.Context) ([]Listing, error) {
	bundles, err := s.Store.Bundles()
	if err != nil {
		return nil, err
	}
	rules, err := s.rules(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[string]*Listing{}
	for _, b := range bundles {
		v, id, err := s.version(ctx, b, rules)
		if err != nil {
			return nil, err
		}
		if byID[id] == nil {
			byID[id] = &Listing{ID: id}
		}
		byID[id].Versions = append(byID[id].Versions, *v)
	}
	all := make([]Listing, 0, len(byID))
	for _, l := range byID {
		slices.SortStableFunc(l.Versions, func(a, b Version) int { return manifest.CompareVersions(b.Version, a.Version) })
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Listing) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Listing returns a plugin. Errors are faults: NotFound.
func (s *Service) Listing(ctx context.Context, id string) (*Listing, error) {
	all, err := s.Listings(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "marketplace.unknown", "No plugin %q is on the shelf.", id)
}

// Version returns one bundle, judged now. Errors are faults: NotFound.
func (s *Service) Version(ctx context.Context, digest string) (*Version, error) {
	b, err := s.Store.Bundle(digest)
	if err != nil {
		return nil, err
	}
	rules, err := s.rules(ctx)
	if err != nil {
		return nil, err
	}
	v, _, err := s.version(ctx, b, rules)
	return v, err
}

// Admit returns a bundle that may be installed now, or a Denied fault with every
// reason why it may not. Whoever installs, upgrades or starts asks it each time.
func (s *Service) Admit(ctx context.Context, digest string) (*Version, error) {
	v, err := s.Version(ctx, digest)
	if err != nil {
		return nil, err
	}
	if v.Installable() {
		return v, nil
	}
	said := make([]string, len(v.Verdict.Blocked))
	for i, r := range v.Verdict.Blocked {
		said[i] = r.Sentence
	}
	return nil, fault.New(fault.Denied, v.Verdict.Blocked[0].Code, "%s", strings.Join(said, " "))
}

// Import takes a .vvplugin onto the shelf. Errors are faults: those of a bundle
// that cannot be read, and Invalid for a manifest that breaks a rule.
func (s *Service) Import(ctx context.Context, r io.Reader, from string) (*Version, error) {
	b, err := s.Store.Import(ctx, r)
	if err != nil {
		return nil, s.refused(ctx, from, err)
	}
	if _, broken := s.manifest(b); broken != nil && b.New {
		return nil, s.refused(ctx, from, errors.Join(broken, s.Store.Remove(b.Digest)))
	} else if broken != nil {
		return nil, s.refused(ctx, from, broken)
	}
	v, err := s.Version(ctx, b.Digest)
	if err != nil || !b.New {
		return v, err
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		return audit.Append(ctx, q, audit.Entry{
			Action: "marketplace.import", Object: v.Manifest.ID, Outcome: audit.OK,
			Detail: map[string]any{"digest": b.Digest, "version": v.Version, "bytes": b.Size, "from": from, "signers": v.Verdict.Signers},
		})
	})
	return v, db.Fault(err)
}

// refused records that a bundle was not taken.
func (s *Service) refused(ctx context.Context, from string, why error) error {
	f := fault.Of(why)
	if f.Kind == fault.Internal {
		return why
	}
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		return audit.Append(ctx, q, audit.Entry{
			Action: "marketplace.import", Object: "bundle", Outcome: audit.Failed, Rule: f.Code, Detail: map[string]any{"from": from, "detail": f.Sentence},
		})
	})
	return errors.Join(why, db.Fault(err))
}

// Remove takes a bundle off the shelf.
func (s *Service) Remove(ctx context.Context, digest string) error {
	v, err := s.Version(ctx, digest)
	if err != nil {
		return err
	}
	if err := s.Store.Remove(digest); err != nil {
		return err
	}
	return db.Fault(db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		return audit.Append(ctx, q, audit.Entry{
			Action: "marketplace.remove", Object: digest, Outcome: audit.OK, Detail: map[string]any{"version": v.Version},
		})
	}))
}

// version judges a bundle, and says which plugin it is of.
func (s *Service) version(ctx context.Context, b *bundle.Bundle, rules rules) (*Version, string, error) {
	m, broken := s.manifest(b)
	v := &Version{Digest: b.Digest, Size: b.Size, Manifest: m, Bundle: b}
	v.SBOM = slices.ContainsFunc(b.Attachments, func(a bundle.Attachment) bool { return a.Type == bundle.TypeSPDX || a.Type == bundle.TypeCycloneDX })
	id := "unreadable"
	if m != nil {
		id, v.Version = m.ID, m.Version
	}
	var err error
	if v.Verdict, err = rules.judge(ctx, b, m, broken); err != nil {
		return nil, "", err
	}
	if m != nil {
		traits := s.Options().Traits
		if traits == nil {
			traits = trait.Builtin()
		}
		v.Risk = Assess(traits, m, Supply{Signers: len(v.Verdict.Signers), SBOM: v.SBOM})
	}
	return v, id, nil
}

// manifest reads a bundle's manifest, or takes it from the last time: a bundle
// never changes, only the rules do.
func (s *Service) manifest(b *bundle.Bundle) (*manifest.Manifest, error) {
	o := s.Options()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.read[b.Digest]; ok && r.traits == o.Traits && slices.Equal(r.blocked, o.Blocked) {
		return r.manifest, r.err
	}
	m, err := b.Manifest(o)
	s.read[b.Digest] = reading{o.Traits, o.Blocked, m, err}
	return m, err
}

func runtimeOf(m *manifest.Manifest) string {
	switch {
	case m.Kind == manifest.Isolate:
		return "isolate"
	case m.Runtime.Kind == "":
		return manifest.External
	}
	return m.Runtime.Kind
}

func sentence(err error) string { return fault.Of(err).Sentence }

func count(n int, what string) string {
	said := fmt.Sprint(n)
	switch {
	case what == "":
		return said
	case n != 1:
		what += "s"
	}
	return said + " " + what
}
