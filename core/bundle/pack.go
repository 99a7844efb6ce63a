package bundle

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// The folders of a plugin's folder that become what it runs.
const (
	imageDir  = "image"  // an OCI image layout with one image
	rootfsDir = "rootfs" // a file system, which becomes an image of one layer
)

// described lists the files of a plugin's folder that describe it.
var described = []struct{ mediaType, names string }{
	{TypeReadme, "README.md"}, {TypeChangelog, "CHANGELOG.md"}, {TypeIcon, "icon.svg icon.png"},
	{TypeSPDX, "sbom.spdx.json"}, {TypeCycloneDX, "sbom.cdx.json"},
}

// Pack makes a bundle of a plugin's folder: manifest.json, manifest.yaml or
// plugin.json; image/ or rootfs/ with what it runs; and README.md, CHANGELOG.md,
// icon.svg or icon.png, sbom.spdx.json, sbom.cdx.json if they are there. The same
// folder gives the same digest. Errors are faults: Invalid with every finding for
// a manifest that breaks a rule.
func (s *Store) Pack(ctx context.Context, dir string, o manifest.Options) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.NotFound, "bundle.folder", "There is no folder %s that can be read.", dir).Because(err)
	}
	defer root.Close()
	in := s.intake()
	b, err := in.pack(ctx, root, o)
	if err != nil {
		return nil, errors.Join(err, in.drop())
	}
	in.release()
	return b, nil
}

func (in *intake) pack(ctx context.Context, root *os.Root, o manifest.Options) (*Bundle, error) {
	m, err := readManifest(root, o)
	if err != nil {
		return nil, err
	}
	layers, err := in.runnable(ctx, root, m)
	if err != nil {
		return nil, err
	}
	raw, err := pinned(m, layers)
	if err != nil {
		return nil, err
	}
	config, err := in.putBytes(ctx, raw, TypeManifest)
	if err != nil {
		return nil, err
	}
	bundle, err := in.putJSON(ctx, &ociManifest{
		SchemaVersion: 2, MediaType: typeOCIManifest, ArtifactType: TypeBundle, Config: config, Layers: layers,
		Annotations: annotations(m),
	})
	if err != nil {
		return nil, err
	}
	var referrers []Descriptor
	for _, d := range described {
		for name := range strings.FieldsSeq(d.names) {
			data, err := readSome(root, name, attachable[d.mediaType].most)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			r, err := in.referrer(ctx, bundle.Digest, d.mediaType, data)
			if err != nil {
				return nil, err
			}
			referrers = append(referrers, r)
			break
		}
	}
	return in.accept(bundle, referrers)
}

// pinned returns the manifest with the digest of the image it runs, so that
// whoever reviewed it knows what will be started.
func pinned(m *manifest.Manifest, layers []Descriptor) (json.RawMessage, error) {
	if len(layers) == 0 || layers[0].MediaType != typeOCIManifest {
		return m.Raw, nil
	}
	image := layers[0].Digest
	if m.Runtime.Digest != "" {
		if m.Runtime.Digest != image {
			return nil, fault.New(fault.Invalid, "bundle.image", "The manifest pins the image %s, and the folder holds %s.", m.Runtime.Digest, image)
		}
		return m.Raw, nil
	}
	var document map[string]json.RawMessage
	if err := json.Unmarshal(m.Raw, &document); err != nil {
		return nil, err
	}
	runtime := map[string]json.RawMessage{}
	if given := document["runtime"]; given != nil {
		if err := json.Unmarshal(given, &runtime); err != nil {
			return nil, err
		}
	}
	runtime["digest"], _ = json.Marshal(image)
	var err error
	if document["runtime"], err = json.Marshal(runtime); err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

// annotations are those of the OCI Image Format, for tools that know no plugins.
func annotations(m *manifest.Manifest) map[string]string {
	all := map[string]string{"title": m.ID, "version": m.Version, "vendor": m.Publisher, "licenses": m.License, "description": m.Description}
	said := map[string]string{}
	for name, value := range all {
		if value != "" {
			said["org.opencontainers.image."+name] = value
		}
	}
	return said
}

func readManifest(root *os.Root, o manifest.Options) (*manifest.Manifest, error) {
	for _, name := range []string{"manifest.json", "manifest.yaml", "manifest.yml", "plugin.json"} {
		data, err := readSome(root, name, manifest.MaxBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		o.Format = manifest.FormatOf(name, "")
		m, findings := manifest.Read(data, o)
		if err := findings.Err(); err != nil {
			return nil, err
		}
		return &m, nil
	}
	return nil, fault.New(fault.NotFound, "bundle.folder", "The folder has neither manifest.json nor manifest.yaml nor plugin.json.")
}

func readSome(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = tooLarge("%s has more than %d bytes", name, most)
	}
	return data, err
}

// runnable keeps what the plugin runs, and returns its layers.
func (in *intake) runnable(ctx context.Context, root *os.Root, m *manifest.Manifest) ([]Descriptor, error) {
	if m.Kind == manifest.Isolate {
		layer, _, err := in.folder(ctx, root, ".", path.Dir(m.Code.Entrypoint))
		layer.MediaType = TypeScripts
		return []Descriptor{layer}, err
	}
	if _, err := root.Stat(imageDir); err == nil {
		return in.layout(ctx, root)
	}
	if _, err := root.Stat(rootfsDir); err == nil {
		return in.rootfs(ctx, root, m)
	}
	return []Descriptor{}, nil // external: it runs elsewhere
}

// layout takes the image of an OCI image layout over.
func (in *intake) layout(ctx context.Context, root *os.Root) ([]Descriptor, error) {
	data, err := readSome(root, imageDir+"/index.json", mostJSON)
	if err != nil {
		return nil, fault.New(fault.Invalid, "bundle.image", "%s is no OCI image layout: it has no index.json.", imageDir).Because(err)
	}
	var index ociIndex
	if err := strict(data, "image/index.json", &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) != 1 || index.Manifests[0].MediaType != typeOCIManifest {
		return nil, fault.New(fault.Invalid, "bundle.image", "%s holds %d images; a plugin is one image of one platform in OCI format.", imageDir, len(index.Manifests))
	}
	image, err := in.copyFrom(ctx, root, index.Manifests[0], mostJSON)
	if err != nil {
		return nil, err
	}
	m, err := in.store.manifest(image)
	if err != nil {
		return nil, err
	}
	layers := []Descriptor{image}
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		got, err := in.copyFrom(ctx, root, d, in.store.limits.Bundle)
		if err != nil {
			return nil, err
		}
		layers = append(layers, got)
	}
	return layers, nil
}

func (in *intake) copyFrom(ctx context.Context, root *os.Root, d Descriptor, most int64) (Descriptor, error) {
	if !ValidDigest(d.Digest) {
		return Descriptor{}, malformed("%q is no SHA-256 digest", clip(d.Digest))
	}
	f, err := root.Open(imageDir + "/" + blobName(d.Digest))
	if err != nil {
		return Descriptor{}, malformed("the image names %s, which is not there", d.Digest).Because(err)
	}
	defer f.Close()
	got, err := in.put(ctx, f, d.Digest, most)
	got.MediaType = d.MediaType
	return got, err
}

// rootfs makes an image of a folder.
func (in *intake) rootfs(ctx context.Context, root *os.Root, m *manifest.Manifest) ([]Descriptor, error) {
	layer, diffID, err := in.folder(ctx, root, rootfsDir, ".")
	if err != nil {
		return nil, err
	}
	layer.MediaType = "application/vnd.oci.image.layer.v1.tar+gzip"
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{diffID}},
		"config": map[string]any{"Entrypoint": m.Runtime.Command, "User": "65532"},
	})
	if err != nil {
		return nil, err
	}
	c, err := in.putBytes(ctx, config, "application/vnd.oci.image.config.v1+json")
	if err != nil {
		return nil, err
	}
	image, err := in.putJSON(ctx, &ociManifest{SchemaVersion: 2, MediaType: typeOCIManifest, Config: c, Layers: []Descriptor{layer}})
	return []Descriptor{image, c, layer}, err
}

// folder keeps a folder as a gzipped tar of its regular files, folders and
// symbolic links, without times and owners, and returns the digest of the tar
// itself, too. Below prefix only.
func (in *intake) folder(ctx context.Context, root *os.Root, dir, prefix string) (layer Descriptor, diffID string, err error) {
	sub, err := root.OpenRoot(dir)
	if err != nil {
		return Descriptor{}, "", err
	}
	defer sub.Close()
	r, w := io.Pipe()
	plain := sha256.New()
	go func() {
		z := gzip.NewWriter(w)
		t := tar.NewWriter(io.MultiWriter(z, plain))
		w.CloseWithError(errors.Join(writeFolder(t, sub, prefix), t.Close(), z.Close()))
	}()
	layer, err = in.put(ctx, r, "", in.store.limits.Bundle)
	_ = r.CloseWithError(err) // ends the writer, if it is not at its end
	return layer, "sha256:" + hex.EncodeToString(plain.Sum(nil)), err
}

func writeFolder(t *tar.Writer, root *os.Root, prefix string) error {
	return fs.WalkDir(root.FS(), prefix, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		switch {
		case d.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
			return t.WriteHeader(h)
		case d.Type() == fs.ModeSymlink:
			h.Typeflag = tar.TypeSymlink
			if h.Linkname, err = root.Readlink(name); err != nil {
				return err
			}
			return t.WriteHeader(h)
		case !d.Type().IsRegular():
			return fault.New(fault.Invalid, "bundle.folder", "%s is neither a file nor a folder nor a symbolic link; a plugin may not carry it.", name)
		}
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(t, f, info.Size())
		return err
	})
}
