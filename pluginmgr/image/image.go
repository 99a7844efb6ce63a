// Package image unpacks the images of plugins, each once, into file systems that
// any number of instances share.
//
// It refuses content that has not the digest it is named by, images for another
// platform, archives that reach out of their root or hold devices, and whatever
// unfolds to more than its limits. It fetches nothing and starts nothing.
package image

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vivified/vivified/core/fault"
)

// The limits of an image.
const (
	maxDocument = 4 << 20 // bytes of its manifest, and of its configuration
	maxLayers   = 128
	maxUnpacked = 8 << 30  // bytes of all its files
	maxEntries  = 1 << 20  // files, directories and links
	maxName     = 4 << 10  // bytes of a path, or of what a link says
	rootfs      = "rootfs" // the unpacked file system, below the folder of its image
)

// Blobs are where packed images lie, by digest. bundle.Store is one.
type Blobs interface {
	Manifest(ctx context.Context, digest string) ([]byte, error)
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Roots are the unpacked images of this machine. Safe for concurrent use by one
// process.
type Roots struct {
	dir   string
	blobs Blobs
	mu    sync.Mutex
}

// Open opens the folder of unpacked images, and makes it where there is none.
func Open(dir string, blobs Blobs) (*Roots, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of images: %w", err)
	}
	return &Roots{dir: dir, blobs: blobs}, nil
}

// open returns an image all of whose parts were hashed just now.
func open(ctx context.Context, blobs Blobs, digest v1.Hash) (v1.Image, error) {
	raw, err := blobs.Manifest(ctx, digest.String())
	if err != nil {
		return nil, fault.New(fault.NotFound, "image.unknown", "The image %s is not in this installation; install the plugin again.", digest).Because(err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != digest.Hex {
		return nil, broken("Its manifest is not what its digest %s says", digest)
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, broken("Its manifest cannot be read").Because(err)
	}
	if len(m.Layers) > maxLayers {
		return nil, broken("It has more than %d layers", maxLayers)
	}
	if m.Config.Size > maxDocument {
		return nil, broken("Its configuration is larger than %d bytes", maxDocument)
	}
	p := &packed{raw: raw, manifest: m, blob: func(d v1.Descriptor) (io.ReadCloser, error) { return blobs.Blob(ctx, d.Digest.String()) }}
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if err := p.prove(ctx, d); err != nil {
			return nil, err
		}
	}
	return partial.CompressedToImage(p)
}

// packed is an image as it lies in blobs. It implements partial.CompressedImageCore.
type packed struct {
	raw      []byte
	manifest *v1.Manifest
	blob     func(v1.Descriptor) (io.ReadCloser, error)
}

// prove hashes a part of the image.
func (p *packed) prove(ctx context.Context, d v1.Descriptor) error {
	r, err := p.blob(d)
	if err != nil {
		return broken("A part of it is not there").Because(err)
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(untilDone{ctx, r}, d.Size+1))
	switch {
	case err != nil:
		return fmt.Errorf("prove an image: %w", err)
	case d.Digest.Algorithm != "sha256" || n != d.Size || hex.EncodeToString(sum.Sum(nil)) != d.Digest.Hex:
		return broken("A part of it is not what its digest %s says", d.Digest)
	}
	return nil
}

// MediaType implements partial.CompressedImageCore, as the following do.
func (p *packed) MediaType() (types.MediaType, error) {
	return cmp.Or(p.manifest.MediaType, types.OCIManifestSchema1), nil
}

// RawManifest returns what was hashed.
func (p *packed) RawManifest() ([]byte, error) { return p.raw, nil }

// RawConfigFile returns the configuration.
func (p *packed) RawConfigFile() ([]byte, error) {
	r, err := p.blob(p.manifest.Config)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxDocument))
}

// LayerByDigest returns a layer as it lies there.
func (p *packed) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range p.manifest.Layers {
		if d.Digest == h {
			return layer{p, d}, nil
		}
	}
	return nil, broken("It has no layer %s", h)
}

type layer struct {
	p *packed
	d v1.Descriptor
}

// Digest implements partial.CompressedLayer, as the following do.
func (l layer) Digest() (v1.Hash, error) { return l.d.Digest, nil }

// Compressed is what is in it.
func (l layer) Compressed() (io.ReadCloser, error) { return l.p.blob(l.d) }

// Size is its bytes.
func (l layer) Size() (int64, error) { return l.d.Size, nil }

// MediaType says how it is packed.
func (l layer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }

// untilDone is a reader that fails once its context is done.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// broken is the fault of an image that breaks a rule.
func broken(format string, args ...any) *fault.Fault {
	return fault.New(fault.Invalid, "image.invalid", "The image cannot be used. "+format+".", args...)
}
