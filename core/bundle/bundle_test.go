package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

const greeter = `{"id": "greeter", "name": "Greeter", "version": "1.2.0", "publisher": "Us", "contracts": [], "traits": ["handles_internal"],
	"security": {"authentication_required": true, "data_classification": ["internal"]}, "runtime": {"kind": "sandbox", "command": ["/greet"]}}`

func open(t *testing.T, limits bundle.Limits) *bundle.Store {
	t.Helper()
	s, err := bundle.OpenStore(t.TempDir(), limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// folder writes a plugin's folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, s *bundle.Store) *bundle.Bundle {
	t.Helper()
	b, err := s.Pack(t.Context(), folder(t, map[string]string{
		"manifest.json": greeter, "rootfs/greet": "#!/bin/sh\necho hello", "rootfs/etc/motd": "hi", "README.md": "# Greeter", "sbom.spdx.json": `{"spdxVersion":"SPDX-2.3"}`,
	}), manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func exported(t *testing.T, s *bundle.Store, digest string) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := s.Export(&file, digest); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestAFolderBecomesABundleThatTravels(t *testing.T) {
	here, there := open(t, bundle.Limits{}), open(t, bundle.Limits{})
	b := packed(t, here)
	if again := packed(t, there); again.Digest != b.Digest {
		t.Errorf("the same folder gave %s and %s", b.Digest, again.Digest)
	}
	if err := there.Remove(b.Digest); err != nil {
		t.Fatal(err)
	}
	got, err := there.Import(t.Context(), bytes.NewReader(exported(t, here, b.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != b.Digest || got.Size != b.Size || len(got.Layers) != 3 {
		t.Errorf("came as %s (%d bytes, %d layers), was %s (%d bytes)", got.Digest, got.Size, len(got.Layers), b.Digest, b.Size)
	}
	m, err := got.Manifest(manifest.Options{})
	if err != nil || m.ID != "greeter" || m.Version != "1.2.0" {
		t.Errorf("the manifest reads as %+v, %v", m, err)
	}
	if readme, err := got.Attached(bundle.TypeReadme); err != nil || string(readme) != "# Greeter" {
		t.Errorf("README is %q, %v", readme, err)
	}
	if icon, err := got.Attached(bundle.TypeIcon); err != nil || icon != nil {
		t.Errorf("an icon nobody attached is %q, %v", icon, err)
	}
	if !bytes.Equal(exported(t, here, b.Digest), exported(t, there, b.Digest)) {
		t.Error("the same bundle was exported as two files")
	}
	if _, ok := got.Image(); !ok {
		t.Error("the image got lost")
	}
}

func TestWhatIsRemovedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := bundle.OpenStore(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := packed(t, s)
	if err := s.Remove(b.Digest); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "blobs", "sha256")); len(left) > 0 {
		t.Errorf("%d blobs are left", len(left))
	}
	if _, err := s.Bundle(b.Digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("it is still found: %v", err)
	}
	if err := s.Remove(b.Digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAStoreOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := bundle.OpenStore(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b := packed(t, s)
	_ = s.Close()
	if err := os.WriteFile(filepath.Join(dir, "incoming", "half"), []byte("…"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = bundle.OpenStore(dir, bundle.Limits{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Bundle(b.Digest); err != nil || len(got.Attachments) != 2 {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "incoming")); len(left) > 0 {
		t.Error("an interrupted import is still there")
	}
}

func TestAFileOfTheStoreThatWasChangedIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	s, err := bundle.OpenStore(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := packed(t, s)
	path := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(b.Digest, "sha256:"))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte("1.2.0"), []byte("1.2.1"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bundle(b.Digest); fault.Of(err).Code != "bundle.damaged" {
		t.Errorf("read as %v", err)
	}
}

// entry is one file of an archive under test.
type entry struct {
	tar.Header
	data string
}

func entries(t *testing.T, archive []byte) []entry {
	t.Helper()
	var all []entry
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{*h, string(data)})
	}
}

func archive(t *testing.T, all []entry) []byte {
	t.Helper()
	var file bytes.Buffer
	w := tar.NewWriter(&file)
	for _, e := range all {
		e.Size = int64(len(e.data))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestAHostileArchiveIsRefusedAndLeavesNothing(t *testing.T) {
	made := open(t, bundle.Limits{})
	good := entries(t, exported(t, made, packed(t, made).Digest))
	file := func(name, data string) entry {
		return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, data}
	}
	at := func(all []entry, name string) int {
		return slices.IndexFunc(all, func(e entry) bool { return strings.HasPrefix(e.Name, name) })
	}
	tests := []struct {
		name, code string
		edit       func([]entry) []entry
		limits     bundle.Limits
	}{
		{name: "a name that climbs", code: "bundle.malformed", edit: func(a []entry) []entry { return append(a, file("../../etc/passwd", "x")) }},
		{name: "an absolute name", code: "bundle.malformed", edit: func(a []entry) []entry { return append(a, file("/etc/passwd", "x")) }},
		{name: "a blob's name that climbs", code: "bundle.malformed", edit: func(a []entry) []entry { return append(a, file("blobs/sha256/../../x", "x")) }},
		{name: "a symbolic link", code: "bundle.malformed", edit: func(a []entry) []entry {
			return append(a, entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "blobs/sha256/" + strings.Repeat("a", 64), Linkname: "/etc/passwd"}})
		}},
		{name: "a hard link", code: "bundle.malformed", edit: func(a []entry) []entry {
			return append(a, entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: "blobs/sha256/" + strings.Repeat("a", 64), Linkname: "oci-layout"}})
		}},
		{name: "a device", code: "bundle.malformed", edit: func(a []entry) []entry {
			return append(a, entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: "blobs/sha256/" + strings.Repeat("a", 64), Devmajor: 1, Devminor: 3}})
		}},
		{name: "a file twice", code: "bundle.malformed", edit: func(a []entry) []entry { return append(a, a[at(a, "blobs/")]) }},
		{name: "no index", code: "bundle.malformed", edit: func(a []entry) []entry { i := at(a, "index.json"); return slices.Delete(a, i, i+1) }},
		{name: "an index that is no JSON", code: "bundle.malformed", edit: func(a []entry) []entry { a[at(a, "index.json")].data = "{"; return a }},
		{name: "an index without a plugin", code: "bundle.malformed", edit: func(a []entry) []entry {
			a[at(a, "index.json")].data = `{"schemaVersion": 2, "manifests": []}`
			return a
		}},
		{name: "two plugins", code: "bundle.malformed", edit: func(a []entry) []entry {
			var index struct {
				Manifests []json.RawMessage `json:"manifests"`
			}
			if err := json.Unmarshal([]byte(a[at(a, "index.json")].data), &index); err != nil {
				t.Fatal(err)
			}
			a[at(a, "index.json")].data = fmt.Sprintf(`{"schemaVersion": 2, "manifests": [%s, %s]}`, index.Manifests[0], index.Manifests[0])
			return a
		}},
		{name: "a blob that is not what it is called", code: "bundle.digest", edit: func(a []entry) []entry { a[at(a, "blobs/")].data += " "; return a }},
		{name: "a missing blob", code: "bundle.malformed", edit: func(a []entry) []entry { i := at(a, "blobs/"); return slices.Delete(a, i, i+1) }},
		{name: "too many files", code: "bundle.too_large", edit: func(a []entry) []entry {
			for i := range 80 {
				data := strings.Repeat("x", i)
				a = append(a, file(fmt.Sprintf("blobs/sha256/%x", sha256.Sum256([]byte(data))), data))
			}
			return a
		}, limits: bundle.Limits{Blobs: 4}},
		{name: "too many bytes", code: "bundle.too_large", edit: func(a []entry) []entry { return a }, limits: bundle.Limits{Bundle: 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := bundle.OpenStore(dir, tt.limits)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Import(t.Context(), bytes.NewReader(archive(t, tt.edit(slices.Clone(good)))))
			if got := fault.Of(err).Code; err == nil || got != tt.code {
				t.Errorf("refused as %v, want %s", err, tt.code)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, "blobs", "sha256")); len(left) > 0 {
				t.Errorf("%d blobs are left of it", len(left))
			}
			if _, err := os.Stat(filepath.Join(dir, "..", "..", "etc")); err == nil {
				t.Error("it wrote outside")
			}
		})
	}
}

func TestAFileThatEndsEarlyIsRefused(t *testing.T) {
	made := open(t, bundle.Limits{})
	whole := exported(t, made, packed(t, made).Digest)
	for _, cut := range []int{0, 1, 511, 512, 700, len(whole) / 2, len(whole) - 1600} {
		if _, err := open(t, bundle.Limits{}).Import(t.Context(), bytes.NewReader(whole[:cut])); !fault.Is(err, fault.Invalid) {
			t.Errorf("cut at %d of %d bytes: %v", cut, len(whole), err)
		}
	}
}

func TestAManifestThatBreaksARuleIsNotPacked(t *testing.T) {
	s := open(t, bundle.Limits{})
	_, err := s.Pack(t.Context(), folder(t, map[string]string{"manifest.json": strings.Replace(greeter, "1.2.0", "one", 1)}), manifest.Options{})
	if f := fault.Of(err); f.Kind != fault.Invalid || len(f.Violations) == 0 {
		t.Errorf("packed with %v", err)
	}
	pinned := strings.Replace(greeter, `"kind": "sandbox"`, `"kind": "sandbox", "digest": "sha256:`+strings.Repeat("0", 64)+`"`, 1)
	_, err = s.Pack(t.Context(), folder(t, map[string]string{"manifest.json": pinned, "rootfs/greet": "x"}), manifest.Options{})
	if fault.Of(err).Code != "bundle.image" {
		t.Errorf("packed another image than the manifest pins: %v", err)
	}
}

func TestABundleIsFetchedAndNothingTwice(t *testing.T) {
	there, here := open(t, bundle.Limits{}), open(t, bundle.Limits{})
	b := packed(t, there)
	cut := &flaky{Source: there, left: 2}
	if _, err := here.Fetch(t.Context(), cut, b.Digest, func(int64, int64) {}); err == nil {
		t.Fatal("it came whole from a source that broke off")
	}
	if all, err := here.Bundles(); err != nil || len(all) != 0 {
		t.Errorf("half a bundle is listed: %d, %v", len(all), err)
	}
	cut.left = 100
	var done, total int64
	got, err := here.Fetch(t.Context(), cut, b.Digest, func(d, all int64) { done, total = d, all })
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != b.Digest || len(got.Attachments) != len(b.Attachments) || done != total || total == 0 {
		t.Errorf("%s came with %d attachments, %d of %d bytes", got.Digest, len(got.Attachments), done, total)
	}
	for digest, n := range cut.asked {
		if n > 1 {
			t.Errorf("%s was fetched %d times", digest, n)
		}
	}
}

// flaky is a source that breaks off after some blobs.
type flaky struct {
	bundle.Source
	left  int
	asked map[string]int
}

func (f *flaky) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	if f.left--; f.left < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked[digest]++
	return f.Source.Blob(ctx, digest)
}

func TestASourceThatLiesIsRefused(t *testing.T) {
	there, here := open(t, bundle.Limits{}), open(t, bundle.Limits{})
	b := packed(t, there)
	if _, err := here.Fetch(t.Context(), liar{there}, b.Digest, func(int64, int64) {}); fault.Of(err).Code != "bundle.digest" {
		t.Errorf("other content than named: %v", err)
	}
	if _, err := here.Fetch(t.Context(), there, "sha256:latest", func(int64, int64) {}); fault.Of(err).Code != "bundle.malformed" {
		t.Errorf("fetched without a digest: %v", err)
	}
}

// liar gives other bytes than were named, as many of them.
type liar struct{ bundle.Source }

func (l liar) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	r, err := l.Source.Blob(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	data[0] ^= 1
	return io.NopCloser(bytes.NewReader(data)), err
}

func FuzzImport(f *testing.F) {
	s, err := bundle.OpenStore(f.TempDir(), bundle.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(greeter), 0o600); err != nil {
		f.Fatal(err)
	}
	b, err := s.Pack(f.Context(), dir, manifest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.Export(&file, b.Digest); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:700])
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := bundle.OpenStore(t.TempDir(), bundle.Limits{Bundle: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, err := s.Import(t.Context(), bytes.NewReader(data))
		switch kind := fault.Of(err).Kind; {
		case err == nil && !bundle.ValidDigest(got.Digest):
			t.Errorf("came as %q", got.Digest)
		case err != nil && kind == fault.Internal:
			t.Errorf("bad input is called our defect: %v", err)
		}
	})
}
