package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
)

// intake is one import under way. It keeps what it brought from being swept.
type intake struct {
	store *Store
	pins  []string
}

func (s *Store) intake() *intake { return &intake{store: s} }

func (in *intake) pin(digest string) {
	in.store.mu.Lock()
	defer in.store.mu.Unlock()
	in.store.pinned[digest]++
	in.pins = append(in.pins, digest)
}

// release ends the import. What it brought and nothing lists stays for the next
// attempt, until something is removed.
func (in *intake) release() {
	in.store.mu.Lock()
	defer in.store.mu.Unlock()
	for _, digest := range in.pins {
		if in.store.pinned[digest]--; in.store.pinned[digest] <= 0 {
			delete(in.store.pinned, digest)
		}
	}
	in.pins = nil
}

// drop ends an import that failed, and removes what it brought.
func (in *intake) drop() error {
	in.release()
	in.store.mu.Lock()
	defer in.store.mu.Unlock()
	listed, err := in.store.index()
	if err != nil {
		return err
	}
	return in.store.sweep(listed)
}

// putBytes keeps data.
func (in *intake) putBytes(ctx context.Context, data []byte, mediaType string) (Descriptor, error) {
	d, err := in.put(ctx, bytes.NewReader(data), digestOf(data), int64(len(data)))
	d.MediaType = mediaType
	return d, err
}

// putJSON keeps an OCI manifest.
func (in *intake) putJSON(ctx context.Context, m *ociManifest) (Descriptor, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return Descriptor{}, err
	}
	d, err := in.putBytes(ctx, data, typeOCIManifest)
	d.ArtifactType = m.ArtifactType
	return d, err
}

// accept lists a bundle and what refers to it, once everything they name is here
// as it was named.
func (in *intake) accept(root Descriptor, referrers []Descriptor) (*Bundle, error) {
	s := in.store
	m, err := s.manifest(root)
	if err != nil {
		return nil, err
	}
	if err := s.checkBundle(root, m); err != nil {
		return nil, err
	}
	root = Descriptor{MediaType: typeOCIManifest, ArtifactType: TypeBundle, Digest: root.Digest, Size: root.Size}
	s.mu.Lock()
	defer s.mu.Unlock()
	listed, err := s.index()
	if err != nil {
		return nil, err
	}
	fresh := !slices.ContainsFunc(listed, func(d Descriptor) bool { return d.Digest == root.Digest })
	if fresh {
		listed = append(listed, root)
	}
	for _, r := range referrers {
		if listed, err = s.attach(listed, root.Digest, r); err != nil {
			return nil, err
		}
	}
	if err := s.writeIndex(listed); err != nil {
		return nil, err
	}
	b, err := s.read(root, listed)
	if err != nil {
		return nil, err
	}
	b.New = fresh
	return b, nil
}

// checkBundle refuses an OCI manifest that is no bundle, or names what is not here.
func (s *Store) checkBundle(root Descriptor, m *ociManifest) error {
	switch {
	case m.SchemaVersion != 2 || m.MediaType != typeOCIManifest || m.ArtifactType != TypeBundle:
		return malformed("its OCI manifest is none of a plugin (artifactType %s)", TypeBundle)
	case m.Subject != nil:
		return malformed("it refers to something else")
	case m.Config.MediaType != TypeManifest:
		return malformed("its config is no plugin manifest (%s)", TypeManifest)
	case len(m.Layers) > s.limits.Blobs:
		return tooLarge("more than %d blobs", s.limits.Blobs)
	}
	total := root.Size
	images, scripts := 0, 0
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		if err := s.present(d); err != nil {
			return err
		}
		total += d.Size
		switch d.MediaType {
		case typeOCIManifest:
			images++
		case TypeScripts:
			scripts++
		}
	}
	if total > s.limits.Bundle {
		return tooLarge("more than %d bytes", s.limits.Bundle)
	}
	if images > 1 || scripts > 1 || images+scripts > 1 {
		return malformed("it holds more than one thing to run")
	}
	return s.checkImage(m)
}

// checkImage refuses an image that names what the bundle does not list: it would
// be fetched from nowhere later.
func (s *Store) checkImage(m *ociManifest) error {
	for _, l := range m.Layers {
		if l.MediaType != typeOCIManifest {
			continue
		}
		image, err := s.manifest(l)
		if err != nil {
			return err
		}
		for _, d := range append([]Descriptor{image.Config}, image.Layers...) {
			if !slices.ContainsFunc(m.Layers, func(have Descriptor) bool { return have.Digest == d.Digest && have.Size == d.Size }) {
				return malformed("its image names %s, which the bundle does not list", d.Digest)
			}
		}
	}
	return nil
}

// present refuses a descriptor whose blob is not here in the size it states.
func (s *Store) present(d Descriptor) error {
	if !ValidDigest(d.Digest) {
		return malformed("%q is no SHA-256 digest", d.Digest)
	}
	info, err := s.root.Stat(blobName(d.Digest))
	if err != nil {
		return malformed("it names %s, which is not in it", d.Digest).Because(err)
	}
	if info.Size() != d.Size {
		return malformed("%s has %d bytes and not %d", d.Digest, info.Size(), d.Size)
	}
	return nil
}

// attach adds a referrer to the list. Of a type that is kept once, the newest stays.
func (s *Store) attach(listed []Descriptor, bundle string, r Descriptor) ([]Descriptor, error) {
	m, err := s.manifest(r)
	if err != nil {
		return nil, err
	}
	kind, known := attachable[m.ArtifactType]
	switch {
	case !known:
		return listed, nil // another tool's: kept out, and no reason to refuse the bundle
	case m.Subject == nil || m.Subject.Digest != bundle:
		return nil, malformed("%s refers to another bundle", m.ArtifactType)
	case len(m.Layers) != 1:
		return nil, malformed("%s is not one file", m.ArtifactType)
	case m.Layers[0].Size > kind.most:
		return nil, tooLarge("%s has more than %d bytes", m.ArtifactType, kind.most)
	}
	if err := s.present(m.Layers[0]); err != nil {
		return nil, err
	}
	same := func(d Descriptor) bool {
		return d.ArtifactType == m.ArtifactType && d.Annotations[subjectNote] == bundle
	}
	if slices.ContainsFunc(listed, func(d Descriptor) bool { return same(d) && d.Digest == r.Digest }) {
		return listed, nil
	}
	if have := slices.IndexFunc(listed, same); have >= 0 && kind.count == 1 {
		listed = slices.Delete(slices.Clone(listed), have, have+1)
	} else if n := len(slices.DeleteFunc(slices.Clone(listed), func(d Descriptor) bool { return !same(d) })); n >= kind.count {
		return nil, tooLarge("more than %d of %s", kind.count, m.ArtifactType)
	}
	return append(listed, Descriptor{
		MediaType: typeOCIManifest, ArtifactType: m.ArtifactType, Digest: r.Digest, Size: r.Size, Annotations: map[string]string{subjectNote: bundle},
	}), nil
}

// Attach makes something refer to a bundle: a signature, a README.
func (s *Store) Attach(ctx context.Context, digest, mediaType string, data []byte) error {
	b, err := s.Bundle(digest)
	if err != nil {
		return err
	}
	in := s.intake()
	defer in.release()
	r, err := in.referrer(ctx, b.Digest, mediaType, data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	listed, err := s.index()
	if err != nil {
		return err
	}
	if listed, err = s.attach(listed, digest, r); err != nil {
		return err
	}
	return s.writeIndex(listed)
}

// referrer keeps data as something that refers to a bundle.
func (in *intake) referrer(ctx context.Context, digest, mediaType string, data []byte) (Descriptor, error) {
	size, err := in.store.size(digest)
	if err != nil {
		return Descriptor{}, err
	}
	config, err := in.putBytes(ctx, []byte(emptyJSON), typeEmpty)
	if err != nil {
		return Descriptor{}, err
	}
	layer, err := in.putBytes(ctx, data, mediaType)
	if err != nil {
		return Descriptor{}, err
	}
	return in.putJSON(ctx, &ociManifest{
		SchemaVersion: 2, MediaType: typeOCIManifest, ArtifactType: mediaType, Config: config, Layers: []Descriptor{layer},
		Subject: &Descriptor{MediaType: typeOCIManifest, Digest: digest, Size: size},
	})
}

func (s *Store) size(digest string) (int64, error) {
	info, err := s.root.Stat(blobName(digest))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
