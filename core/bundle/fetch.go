package bundle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
)

// Source is where a bundle is fetched from. Nothing it gives is believed: each
// blob must have its digest.
type Source interface {
	// Manifest returns an OCI manifest by its digest.
	Manifest(ctx context.Context, digest string) ([]byte, error)
	// Blob opens a blob.
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
	// Referrers lists the manifests that name a digest as their subject.
	Referrers(ctx context.Context, digest string) ([]Descriptor, error)
}

// Fetch brings a bundle and what refers to it into the store. What is here already
// is not fetched again, so an attempt that was cut off goes on where it was.
// progress is told how many of all bytes are here.
func (s *Store) Fetch(ctx context.Context, from Source, digest string, progress func(done, total int64)) (*Bundle, error) {
	if !ValidDigest(digest) {
		return nil, malformed("%q is no SHA-256 digest", clip(digest))
	}
	in := s.intake()
	defer in.release()
	root, m, err := in.fetchManifest(ctx, from, digest)
	if err != nil {
		return nil, err
	}
	blobs := append([]Descriptor{m.Config}, m.Layers...)
	if len(blobs) > s.limits.Blobs {
		return nil, tooLarge("more than %d blobs", s.limits.Blobs)
	}
	var done, total int64
	for _, d := range blobs {
		if d.Size < 0 || d.Size > s.limits.Bundle-total {
			return nil, tooLarge("more than %d bytes", s.limits.Bundle)
		}
		total += d.Size
	}
	for _, d := range blobs {
		count := func(n int64) { done += n; progress(done, total) }
		if err := in.fetchBlob(ctx, from, d, count); err != nil {
			return nil, err
		}
	}
	listed, err := from.Referrers(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("list what refers to a bundle: %w", err)
	}
	var referrers []Descriptor
	for _, r := range listed {
		if _, wanted := attachable[r.ArtifactType]; !wanted || len(referrers) > s.limits.Blobs {
			continue
		}
		got, err := in.fetchReferrer(ctx, from, r)
		if err != nil {
			return nil, err
		}
		referrers = append(referrers, got)
	}
	return in.accept(root, referrers)
}

func (in *intake) fetchManifest(ctx context.Context, from Source, digest string) (Descriptor, *ociManifest, error) {
	data, err := from.Manifest(ctx, digest)
	if err != nil {
		return Descriptor{}, nil, fmt.Errorf("fetch an OCI manifest: %w", err)
	}
	if len(data) > mostJSON {
		return Descriptor{}, nil, tooLarge("an OCI manifest has more than %d bytes", mostJSON)
	}
	d, err := in.put(ctx, bytes.NewReader(data), digest, mostJSON)
	if err != nil {
		return Descriptor{}, nil, err
	}
	m := new(ociManifest)
	return d, m, strict(data, "an OCI manifest", m)
}

func (in *intake) fetchReferrer(ctx context.Context, from Source, r Descriptor) (Descriptor, error) {
	root, m, err := in.fetchManifest(ctx, from, r.Digest)
	if err != nil {
		return Descriptor{}, err
	}
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		if most := attachable[r.ArtifactType].most; d.Size > most {
			return Descriptor{}, tooLarge("%s has more than %d bytes", r.ArtifactType, most)
		}
		if err := in.fetchBlob(ctx, from, d, func(int64) {}); err != nil {
			return Descriptor{}, err
		}
	}
	return root, nil
}

func (in *intake) fetchBlob(ctx context.Context, from Source, d Descriptor, count func(int64)) error {
	if !ValidDigest(d.Digest) {
		return malformed("%q is no SHA-256 digest", clip(d.Digest))
	}
	in.pin(d.Digest)
	if in.store.present(d) == nil {
		count(d.Size)
		return nil
	}
	r, err := from.Blob(ctx, d.Digest)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", d.Digest, err)
	}
	defer r.Close()
	_, err = in.put(ctx, counted{r, count}, d.Digest, d.Size)
	return err
}

// counted tells how much is read.
type counted struct {
	r     io.Reader
	count func(int64)
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.count(int64(n))
	return n, err
}

// Manifest implements Source: one store may be fetched from another.
func (s *Store) Manifest(_ context.Context, digest string) ([]byte, error) {
	return s.small(Descriptor{Digest: digest}, mostJSON)
}

// Blob implements Source.
func (s *Store) Blob(_ context.Context, digest string) (io.ReadCloser, error) { return s.open(digest) }

// Referrers implements Source.
func (s *Store) Referrers(_ context.Context, digest string) ([]Descriptor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	listed, err := s.index()
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(slices.Clone(listed), func(d Descriptor) bool { return d.Annotations[subjectNote] != digest })
	for i := range found {
		found[i] = plain(found[i])
	}
	return found, nil
}
