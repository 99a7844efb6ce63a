package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/vivified/vivified/core/audit"
)

// maxEvidence bounds evidence.json and its signature, in bytes.
const maxEvidence = 8 << 20

// VerifyPack checks a pack offline: its signature by one of keys, that every file
// is the one that was signed, and every export. It returns how many records that
// proves; an error says what is wrong.
func VerifyPack(r *zip.Reader, keys audit.Keys) (records int64, err error) {
	data, err := readSmall(r, fileEvidence)
	if err != nil {
		return 0, err
	}
	raw, err := readSmall(r, fileSignature)
	if err != nil {
		return 0, err
	}
	var sig signature
	if err := json.Unmarshal(raw, &sig); err != nil {
		return 0, fmt.Errorf("%s is not a signature: %w", fileSignature, err)
	}
	key, ok := keys(sig.Key)
	if !ok {
		return 0, fmt.Errorf("the pack is signed by the key %q, which is not among those given", sig.Key)
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append([]byte(signContext), data...), sig.Signature) {
		return 0, fmt.Errorf("the signature of %s is wrong", fileEvidence)
	}
	var p packed
	if err := json.Unmarshal(data, &p); err != nil {
		return 0, fmt.Errorf("%s cannot be read: %w", fileEvidence, err)
	}
	names := []string{fileEvidence, fileSignature}
	for _, f := range p.Files {
		if slices.Contains(names, f.Name) {
			return 0, fmt.Errorf("%s is signed twice", f.Name)
		}
		names = append(names, f.Name)
		n, err := verifyFile(r, f, keys)
		if err != nil {
			return 0, err
		}
		records += n
	}
	for _, f := range r.File {
		i := slices.Index(names, f.Name)
		if i < 0 {
			return 0, fmt.Errorf("%q is in the pack but was not signed, or is there twice", f.Name)
		}
		names = slices.Delete(names, i, i+1)
	}
	return records, nil
}

// verifyFile holds a file against what was signed of it.
func verifyFile(r *zip.Reader, want packFile, keys audit.Keys) (int64, error) {
	f, err := r.Open(want.Name)
	if err != nil {
		return 0, fmt.Errorf("%s is missing from the pack", want.Name)
	}
	defer f.Close()
	sum := sha256.New()
	through := io.TeeReader(f, sum)
	var n int64
	if want.Control != "" {
		report, err := audit.VerifyExport(through, audit.VerifyConfig{Keys: keys})
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s: %w", want.Name, err)
		case !report.OK:
			return 0, fmt.Errorf("%s: %s", want.Name, report.Bad.Sentence)
		case !report.Signed:
			return 0, fmt.Errorf("%s is not signed by a key that is given", want.Name)
		case report.Rows != want.Records:
			return 0, fmt.Errorf("%s holds %d records, not %d", want.Name, report.Rows, want.Records)
		}
		n = report.Rows
	}
	if _, err := io.Copy(io.Discard, through); err != nil {
		return 0, fmt.Errorf("%s: %w", want.Name, err)
	}
	if !bytes.Equal(sum.Sum(nil), want.SHA256) {
		return 0, fmt.Errorf("%s is not the file that was signed", want.Name)
	}
	return n, nil
}

func readSmall(r *zip.Reader, name string) ([]byte, error) {
	f, err := r.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s is missing: this is no pack of evidence", name)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvidence+1))
	if err == nil && len(data) > maxEvidence {
		err = fmt.Errorf("it is larger than %d bytes", maxEvidence)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
