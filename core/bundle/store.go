package bundle

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// Limits bound what a store takes. Zero fields mean the defaults.
type Limits struct {
	Bundle int64 // bytes of one bundle; default 2 GiB
	Blobs  int   // blobs of one bundle; default 512
}

func (l Limits) withDefaults() Limits {
	if l.Bundle == 0 {
		l.Bundle = 2 << 30
	}
	if l.Blobs == 0 {
		l.Blobs = 512
	}
	return l
}

// mostJSON bounds an OCI manifest or index, in bytes.
const mostJSON = 1 << 20

// Store keeps bundles in a folder, as an OCI image layout: what another tool can
// read. One process uses it at a time.
type Store struct {
	root   *os.Root
	limits Limits
	mu     sync.RWMutex   // the index
	pinned map[string]int // blobs of imports that are under way, by digest: nothing lists them yet
}

// OpenStore opens the store in a folder, and makes it if it is not there.
func OpenStore(dir string, limits Limits) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the bundle store: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the bundle store: %w", err)
	}
	s := &Store{root: root, limits: limits.withDefaults(), pinned: map[string]int{}}
	if err := s.prepare(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open the bundle store: %w", err)
	}
	return s, nil
}

func (s *Store) prepare() error {
	for _, dir := range []string{"blobs", "blobs/sha256", "incoming"} {
		if err := s.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// What an interrupted import left belongs to nobody.
	left, err := fs.ReadDir(s.root.FS(), "incoming")
	if err != nil {
		return err
	}
	for _, entry := range left {
		if err := s.root.Remove("incoming/" + entry.Name()); err != nil {
			return err
		}
	}
	if _, err := s.root.Stat("index.json"); errors.Is(err, fs.ErrNotExist) {
		if err := s.replace("oci-layout", []byte(layoutFile)); err != nil {
			return err
		}
		return s.writeIndex(nil)
	} else if err != nil {
		return err
	}
	return nil
}

// layoutFile is the marker of an image layout.
const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

// Bundle returns a bundle by its digest. Errors are faults: NotFound.
func (s *Store) Bundle(digest string) (*Bundle, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	listed, err := s.index()
	if err != nil {
		return nil, err
	}
	for _, d := range listed {
		if d.Digest == digest && d.ArtifactType == TypeBundle {
			return s.read(d, listed)
		}
	}
	return nil, fault.New(fault.NotFound, "bundle.unknown", "No bundle here has the digest %s.", digest)
}

// Bundles returns every bundle, in the order in which they came.
func (s *Store) Bundles() ([]*Bundle, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	listed, err := s.index()
	if err != nil {
		return nil, err
	}
	var all []*Bundle
	for _, d := range listed {
		if d.ArtifactType != TypeBundle {
			continue
		}
		b, err := s.read(d, listed)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// read reads a bundle whose manifest and config are in the store.
func (s *Store) read(d Descriptor, listed []Descriptor) (*Bundle, error) {
	m, err := s.manifest(d)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Digest: d.Digest, Size: d.Size + m.Config.Size, Layers: m.Layers, store: s}
	for _, l := range m.Layers {
		b.Size += l.Size
	}
	if b.Raw, err = s.small(m.Config, manifest.MaxBytes); err != nil {
		return nil, err
	}
	for _, r := range listed {
		if r.ArtifactType == TypeBundle || r.Annotations[subjectNote] != d.Digest {
			continue
		}
		ref, err := s.manifest(r)
		if err != nil {
			return nil, err
		}
		b.Attachments = append(b.Attachments, Attachment{Type: r.ArtifactType, Manifest: plain(r), Data: ref.Layers[0]})
	}
	return b, nil
}

// subjectNote is the annotation by which this store's index finds referrers.
const subjectNote = "vnd.vivified.subject"

// plain is a descriptor without the notes of the index.
func plain(d Descriptor) Descriptor { d.Annotations = nil; return d }

// manifest reads an OCI manifest from the store.
func (s *Store) manifest(d Descriptor) (*ociManifest, error) {
	data, err := s.small(d, mostJSON)
	if err != nil {
		return nil, err
	}
	m := new(ociManifest)
	return m, strict(data, "an OCI manifest", m)
}

// Remove takes a bundle, what refers to it, and what nothing else uses out of the store.
func (s *Store) Remove(digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed, err := s.index()
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(listed), func(d Descriptor) bool { return d.Digest == digest || d.Annotations[subjectNote] == digest })
	if len(kept) == len(listed) {
		return fault.New(fault.NotFound, "bundle.unknown", "No bundle here has the digest %s.", digest)
	}
	if err := s.writeIndex(kept); err != nil {
		return err
	}
	return s.sweep(kept)
}

// sweep removes the blobs that no listed manifest names.
func (s *Store) sweep(listed []Descriptor) error {
	used := map[string]bool{}
	for _, d := range listed {
		used[d.Digest] = true
		m, err := s.manifest(d)
		if err != nil {
			return err
		}
		used[m.Config.Digest] = true
		for _, l := range m.Layers {
			used[l.Digest] = true
		}
	}
	entries, err := fs.ReadDir(s.root.FS(), "blobs/sha256")
	if err != nil {
		return fmt.Errorf("sweep the bundle store: %w", err)
	}
	for _, e := range entries {
		if digest := "sha256:" + e.Name(); !used[digest] && s.pinned[digest] == 0 {
			if err := s.root.Remove("blobs/sha256/" + e.Name()); err != nil {
				return fmt.Errorf("sweep the bundle store: %w", err)
			}
		}
	}
	return nil
}

// index reads the list of manifests.
func (s *Store) index() ([]Descriptor, error) {
	data, err := s.root.ReadFile("index.json")
	if err != nil {
		return nil, fmt.Errorf("read the bundle store: %w", err)
	}
	var list ociIndex
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read the bundle store: %w", err)
	}
	return list.Manifests, nil
}

func (s *Store) writeIndex(listed []Descriptor) error {
	if listed == nil {
		listed = []Descriptor{}
	}
	data, err := json.Marshal(ociIndex{SchemaVersion: 2, MediaType: "application/vnd.oci.image.index.v1+json", Manifests: listed})
	if err != nil {
		return err
	}
	return s.replace("index.json", data)
}

// replace writes a file whole, or leaves the old one.
func (s *Store) replace(name string, data []byte) error {
	part := "incoming/" + rand.Text()
	if err := s.root.WriteFile(part, data, 0o600); err != nil {
		return fmt.Errorf("write %s of the bundle store: %w", name, err)
	}
	if err := s.synced(part); err != nil {
		return err
	}
	if err := s.root.Rename(part, name); err != nil {
		return fmt.Errorf("write %s of the bundle store: %w", name, err)
	}
	return nil
}

func (s *Store) synced(name string) error {
	f, err := s.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("write %s of the bundle store: %w", name, err)
	}
	return errors.Join(f.Sync(), f.Close())
}

func blobName(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

func (s *Store) open(digest string) (io.ReadCloser, error) {
	if !ValidDigest(digest) {
		return nil, malformed("%q is no SHA-256 digest", digest)
	}
	f, err := s.root.Open(blobName(digest))
	if err != nil {
		return nil, fmt.Errorf("open a blob: %w", err)
	}
	return f, nil
}

// small reads a blob that may not be large, and checks its digest: it is what
// decisions are made from.
func (s *Store) small(d Descriptor, most int64) ([]byte, error) {
	f, err := s.open(d.Digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read a blob: %w", err)
	}
	if int64(len(data)) > most {
		return nil, tooLarge("one of its documents has more than %d bytes", most)
	}
	if digestOf(data) != d.Digest {
		return nil, damaged()
	}
	return data, nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// put keeps what r gives if it has the digest, and says how many bytes it was.
// Reading more than most ends in an error. An empty digest takes what comes.
// The blob stays until nothing lists it and whoever calls has released it.
func (in *intake) put(ctx context.Context, r io.Reader, digest string, most int64) (Descriptor, error) {
	s := in.store
	part := "incoming/" + rand.Text()
	f, err := s.root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Descriptor{}, fmt.Errorf("keep a blob: %w", err)
	}
	defer s.root.Remove(part) //nolint:errcheck // it was renamed, or prepare removes it
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(cancellable{ctx, r}, most+1))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Descriptor{}, fmt.Errorf("keep a blob: %w", err)
	}
	if n > most {
		return Descriptor{}, tooLarge("more than %d bytes", most)
	}
	got := "sha256:" + hex.EncodeToString(hash.Sum(nil))
	if digest != "" && got != digest {
		return Descriptor{}, fault.New(fault.Unprocessable, "bundle.digest", "What came is not what was named: %s instead of %s. Fetch it again, and ask its publisher if it stays so.", got, digest)
	}
	in.pin(got)
	if err := s.root.Rename(part, blobName(got)); err != nil {
		return Descriptor{}, fmt.Errorf("keep a blob: %w", err)
	}
	return Descriptor{Digest: got, Size: n}, nil
}

// cancellable ends reading when ctx does.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
