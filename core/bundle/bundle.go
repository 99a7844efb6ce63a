package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// Descriptor names a blob (OCI Image Format 1.1, descriptor).
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       string            `json:"digest"` // sha256: and 64 hexadecimal digits
	Size         int64             `json:"size"`   // bytes
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// ociManifest is an OCI image manifest, of a bundle, a referrer or an image.
type ociManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Subject       *Descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// ociIndex is an OCI image index: the list of an image layout.
type ociIndex struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []Descriptor `json:"manifests"`
}

// Bundle is one version of a plugin, in a store.
type Bundle struct {
	Digest      string       // of the OCI manifest: what is reviewed, signed and pinned
	Size        int64        // of all it consists of, in bytes, without what refers to it
	Raw         []byte       // the plugin's manifest as it was packed
	Layers      []Descriptor // in their order
	Attachments []Attachment // in the order they were attached
	New         bool         // it was not in the store before; only what brought it says so
	store       *Store
}

// Attachment is something that refers to a bundle.
type Attachment struct {
	Type     string     // one of the media types
	Manifest Descriptor // the OCI manifest that names the bundle as its subject
	Data     Descriptor
}

// Manifest reads the plugin's manifest with the rules of today. It pins the image
// that the bundle holds, if it holds one.
func (b *Bundle) Manifest(o manifest.Options) (*manifest.Manifest, error) {
	m, findings := manifest.Read(b.Raw, o)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	if image, ok := b.Image(); ok && m.Runtime.Digest != image {
		return nil, fault.New(fault.Invalid, "bundle.image", "The manifest does not pin the image that the bundle holds (%s).", image)
	}
	return &m, nil
}

// Attached returns the newest attachment of a type, or nil when there is none.
func (b *Bundle) Attached(mediaType string) ([]byte, error) {
	for _, a := range slices.Backward(b.Attachments) {
		if a.Type == mediaType {
			return b.store.small(a.Data, attachable[mediaType].most)
		}
	}
	return nil, nil
}

// Signatures returns the DSSE envelopes that refer to the bundle. None of them was
// verified; Signers does that.
func (b *Bundle) Signatures() ([][]byte, error) {
	var all [][]byte
	for _, a := range b.Attachments {
		if a.Type != TypeSignature {
			continue
		}
		data, err := b.store.small(a.Data, attachable[TypeSignature].most)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// Image returns the digest of the OCI image the plugin runs, or false when the
// bundle holds none.
func (b *Bundle) Image() (digest string, ok bool) {
	for _, l := range b.Layers {
		if l.MediaType == typeOCIManifest {
			return l.Digest, true
		}
	}
	return "", false
}

// Verify hashes all that the bundle consists of again, as before it is started.
// progress is told how many of all bytes were hashed.
func (b *Bundle) Verify(ctx context.Context, progress func(done, total int64)) error {
	var done int64
	for _, d := range b.Layers {
		f, err := b.store.open(d.Digest)
		if err != nil {
			return err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, counted{cancellable{ctx, f}, func(n int64) { done += n; progress(done, b.Size) }})
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("verify a bundle: %w", err)
		}
		if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); got != d.Digest {
			return damaged()
		}
	}
	progress(b.Size, b.Size)
	return nil
}

func damaged() error {
	return fault.New(fault.Conflict, "bundle.damaged", "A file of the bundle store was changed after it was checked; import the bundle again.")
}

// Open opens one of the bundle's blobs. The store hashed it when it came.
func (b *Bundle) Open(d Descriptor) (io.ReadCloser, error) { return b.store.open(d.Digest) }

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ValidDigest reports whether d names content by SHA-256.
func ValidDigest(d string) bool { return digestForm.MatchString(d) }

func malformed(format string, args ...any) *fault.Fault {
	return fault.New(fault.Invalid, "bundle.malformed", "The bundle cannot be read: %s.", fmt.Sprintf(format, args...))
}

func tooLarge(format string, args ...any) *fault.Fault {
	return fault.New(fault.TooLarge, "bundle.too_large", "The bundle is larger than this installation takes: %s.", fmt.Sprintf(format, args...))
}

// strict reads one of the JSON documents of a bundle.
func strict(data []byte, what string, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return malformed("%s is not valid JSON", what).Because(err)
	}
	return nil
}
