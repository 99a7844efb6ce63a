package bundle

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/fault"
)

// Extension is that of a bundle in one file.
const Extension = ".vvplugin"

// Import reads a .vvplugin into the store. It reads it once and as a stream; when
// it is refused, nothing of it stays. Errors are faults: Invalid for what is no
// bundle, Unprocessable where content does not have its digest, TooLarge.
func (s *Store) Import(ctx context.Context, r io.Reader) (*Bundle, error) {
	in := s.intake()
	b, err := in.archive(ctx, tar.NewReader(io.LimitReader(r, s.limits.Bundle+int64(s.limits.Blobs+64)*2048)))
	if err != nil {
		return nil, errors.Join(err, in.drop())
	}
	in.release()
	return b, nil
}

func (in *intake) archive(ctx context.Context, t *tar.Reader) (*Bundle, error) {
	var index []byte
	left, entries := in.store.limits.Bundle, in.store.limits.Blobs+64
	seen := map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed("it is no tar archive, or ends too early").Because(err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if entries--; entries < 0 {
			return nil, tooLarge("more than %d files", in.store.limits.Blobs)
		}
		if h.Typeflag == tar.TypeDir && slices.Contains([]string{".", "", "blobs", "blobs/sha256"}, name) {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, malformed("%q is no regular file", clip(h.Name))
		}
		if seen[name] {
			return nil, malformed("%q is in it twice", clip(h.Name))
		}
		seen[name] = true
		if left -= h.Size; left < 0 {
			return nil, tooLarge("more than %d bytes", in.store.limits.Bundle)
		}
		hexa, isBlob := strings.CutPrefix(name, "blobs/sha256/")
		switch {
		case name == "oci-layout":
		case name == "index.json":
			if index, err = io.ReadAll(io.LimitReader(t, mostJSON+1)); err != nil {
				return nil, malformed("it ends too early").Because(err)
			}
			if len(index) > mostJSON {
				return nil, tooLarge("its index has more than %d bytes", mostJSON)
			}
		case isBlob && ValidDigest("sha256:"+hexa):
			if _, err := in.put(ctx, t, "sha256:"+hexa, h.Size); err != nil {
				if errors.Is(err, io.ErrUnexpectedEOF) {
					return nil, malformed("it ends too early").Because(err)
				}
				return nil, err
			}
		default:
			return nil, malformed("%q has no place in it", clip(h.Name))
		}
	}
	if index == nil {
		return nil, malformed("it has no index.json")
	}
	return in.listed(index)
}

// listed accepts what an index names: one bundle, and what refers to it.
func (in *intake) listed(data []byte) (*Bundle, error) {
	var index ociIndex
	if err := strict(data, "index.json", &index); err != nil {
		return nil, err
	}
	var roots, referrers []Descriptor
	for _, d := range index.Manifests {
		if err := in.store.present(d); err != nil {
			return nil, err
		}
		m, err := in.store.manifest(d)
		if err != nil {
			return nil, err
		}
		if m.ArtifactType == TypeBundle {
			roots = append(roots, d)
		} else {
			referrers = append(referrers, d)
		}
	}
	if len(roots) != 1 {
		return nil, malformed("it holds %d plugins; a file holds one", len(roots))
	}
	return in.accept(roots[0], referrers)
}

// clip shortens a name from outside for a sentence.
func clip(s string) string { return fault.Clip(s, 80) }

// Export writes a bundle and what refers to it as a .vvplugin. The same bundle
// gives the same bytes.
func (s *Store) Export(w io.Writer, digest string) error {
	b, err := s.Bundle(digest)
	if err != nil {
		return err
	}
	size, err := s.size(digest)
	if err != nil {
		return fmt.Errorf("export a bundle: %w", err)
	}
	roots := []Descriptor{{MediaType: typeOCIManifest, ArtifactType: TypeBundle, Digest: digest, Size: size}}
	for _, a := range b.Attachments {
		roots = append(roots, a.Manifest)
	}
	index, err := json.Marshal(ociIndex{SchemaVersion: 2, MediaType: "application/vnd.oci.image.index.v1+json", Manifests: roots})
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, file := range []struct{ name, text string }{{"oci-layout", layoutFile}, {"index.json", string(index)}} {
		if err := t.WriteHeader(header(file.name, int64(len(file.text)))); err != nil {
			return err
		}
		if _, err := io.WriteString(t, file.text); err != nil {
			return err
		}
	}
	blobs := map[string]int64{}
	for _, d := range roots {
		m, err := s.manifest(d)
		if err != nil {
			return err
		}
		blobs[d.Digest], blobs[m.Config.Digest] = d.Size, m.Config.Size
		for _, l := range m.Layers {
			blobs[l.Digest] = l.Size
		}
	}
	for _, digest := range slices.Sorted(maps.Keys(blobs)) {
		if err := s.exportBlob(t, digest, blobs[digest]); err != nil {
			return fmt.Errorf("export a bundle: %w", err)
		}
	}
	return t.Close()
}

func (s *Store) exportBlob(t *tar.Writer, digest string, size int64) error {
	f, err := s.open(digest)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.WriteHeader(header(blobName(digest), size)); err != nil {
		return err
	}
	_, err = io.CopyN(t, f, size)
	return err
}

// header is that of a file whose only property is its content.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: path.Clean(name), Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}
