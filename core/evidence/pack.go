package evidence

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
)

// MostRecords is how many records of a control a pack holds: the newest ones.
const MostRecords = 20_000

// Names of the files of a pack, beside one export for each control.
const (
	fileEvidence  = "evidence.json"
	fileSignature = "evidence.sig.json"
	fileHeads     = "heads.jsonl"
	fileKeys      = "jwks.json"
	fileReadme    = "README.txt"
)

// signContext keeps the signature of a pack from passing as one of anything else.
const signContext = "vivified evidence v1\n"

// packed is evidence.json: the evidence, and what else is in the pack.
type packed struct {
	Evidence
	MostRecords int        `json:"most_records"`
	Files       []packFile `json:"files"`
}

// packFile is a file of a pack.
type packFile struct {
	Name    string `json:"name"`
	Control string `json:"control,omitempty"`
	SHA256  []byte `json:"sha256"`
	Records int64  `json:"records"`
	Cut     bool   `json:"cut"` // there may be older records in the period that are left out
}

// signature is evidence.sig.json: an Ed25519 signature of signContext and the
// bytes of evidence.json, which names every other file by its SHA-256.
type signature struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Context   string `json:"context"`
	Signature []byte `json:"sig"`
}

// Pack writes the evidence as a ZIP file to w: e itself, one export of the audit
// for each control, the signed heads of the period and the public keys. It takes
// constant memory. An error after the first byte leaves a file that is no ZIP.
func (s *Service) Pack(ctx context.Context, e Evidence, w io.Writer) error {
	p := packer{zip: zip.NewWriter(w), at: e.At}
	for _, c := range e.Controls {
		f := audit.Filter{Since: e.Since, Until: e.At}
		for _, r := range c.Records {
			f.Actions = append(f.Actions, r.Action)
		}
		err := p.add("records/"+c.ID+".jsonl", c.ID, func(w io.Writer) (int64, error) {
			return s.Audit.ExportNewest(ctx, f, MostRecords, s.Signer, w)
		})
		if err != nil {
			return err
		}
	}
	if err := p.add(fileHeads, "", func(w io.Writer) (int64, error) { return copyHeads(s.Heads, e.Since, w) }); err != nil {
		return err
	}
	keys, err := identity.PublicKeys(ctx, s.Pool)
	if err != nil {
		return err
	}
	if err := p.put(fileKeys, jwks(keys)); err != nil {
		return err
	}
	if err := p.put(fileReadme, []byte(readme)); err != nil {
		return err
	}
	return p.sign(e, s.Signer)
}

// packer writes the files of a pack and keeps what is said of them.
type packer struct {
	zip   *zip.Writer
	at    time.Time
	files []packFile
}

// add writes a file whose lines are written and counted by fill.
func (p *packer) add(name, control string, fill func(io.Writer) (int64, error)) error {
	w, err := p.create(name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := fill(io.MultiWriter(w, sum))
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	p.files = append(p.files, packFile{Name: name, Control: control, SHA256: sum.Sum(nil), Records: n, Cut: control != "" && n >= MostRecords})
	return nil
}

// put writes a file.
func (p *packer) put(name string, data []byte) error {
	return p.add(name, "", func(w io.Writer) (int64, error) { _, err := w.Write(data); return 0, err })
}

func (p *packer) create(name string) (io.Writer, error) {
	return p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.at})
}

// sign writes evidence.json and its signature, the last files.
func (p *packer) sign(e Evidence, by audit.Signer) error {
	data, err := json.MarshalIndent(packed{e, MostRecords, p.files}, "", "  ")
	if err != nil {
		return err
	}
	sig := signature{Algorithm: "Ed25519", Context: signContext}
	if sig.Key, sig.Signature, err = by.Sign(append([]byte(signContext), data...)); err != nil {
		return fmt.Errorf("sign the pack: %w", err)
	}
	if err := p.put(fileEvidence, data); err != nil {
		return err
	}
	line, err := json.Marshal(sig)
	if err != nil {
		return err
	}
	if err := p.put(fileSignature, line); err != nil {
		return err
	}
	return p.zip.Close()
}

// copyHeads copies the heads that were signed since a time, and counts them.
// What is no head, such as the rest of a line after a crash, is left out.
func copyHeads(path string, since time.Time, w io.Writer) (n int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		var h audit.SignedHead
		if json.Unmarshal(line, &h) != nil || h.At.Before(since) {
			continue
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return n, err
		}
		n++
	}
	return n, lines.Err()
}

// jwks returns public keys as a JWK set (RFC 7517, RFC 8037), in the order of their ids.
func jwks(keys map[string]ed25519.PublicKey) []byte {
	set := identity.JWKS{Keys: []identity.JWK{}}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		set.Keys = append(set.Keys, identity.JWK{KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(keys[id]), ID: id, Use: "sig", Algorithm: "EdDSA"})
	}
	data, _ := json.Marshal(set) // text only
	return data
}

const readme = `Evidence of a Vivified installation

evidence.json      for each control of the HIPAA Security Rule: what was configured, which
                   records prove it, what was missing. It names every other file by its SHA-256.
evidence.sig.json  the installation's Ed25519 signature of evidence.json.
records/*.jsonl    the records of each control in the period, oldest first, with a signed
                   manifest. At most 20,000 each, the newest; "cut" in evidence.json says where
                   there were as many.
heads.jsonl        the signed heads of the period that this replica kept.
jwks.json          the public keys of the installation.

To verify without the installation:

    vivified evidence verify PACK.zip --jwks KEYS
    vivified audit verify --file records/access-control.jsonl --heads heads.jsonl --jwks KEYS

Take KEYS from the installation yourself (https://ITS-ADDRESS/.well-known/jwks.json), or
compare jwks.json with keys you got before: a pack that was made up has made up keys. A key that
was retired is not served any more; ask for it.

This is what was found, not a judgement whether it is enough.
`
