package handlers_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/identity"
)

// An auditor looks at the evidence and takes a pack of it, which verifies offline
// and no longer does once anything in it is altered.
func TestEvidence(t *testing.T) {
	c := newCore(t)
	mara, hana := c.setUp(), c.person("hana@example.com", "Hana", "auditor")
	const path = "/console/evidence"
	shown := hana.get(path)
	shown.shows(t, 200, "Access control", "45 CFR 164.312(a)(2)(iv)", "No account for emergencies could be used now.", "Build the pack", "auth.login")
	if strings.Contains(strings.ToLower(shown.Body), "compliant") || len(shown.Body) > 60<<10 {
		t.Errorf("the page has %d bytes, or calls something compliant", len(shown.Body))
	}
	hana.get(path+"?days=365").shows(t, 200, "Last in 365 days")
	hana.get(path+"?days=7").shows(t, 400, "30, 90 or 365")
	hana.get(path+"?days=x").shows(t, 400, "30, 90 or 365")
	c.person("vic@example.com", "Vic", "viewer").get(path).shows(t, 403)
	c.person("vik@example.com", "Vik", "viewer").get(path+"/pack").shows(t, 403)
	mara.get(path).shows(t, 200, "Evidence")

	head := audit.NewHeadWriter(c.Audit, c.Identity, audit.HeadWriterConfig{Path: c.heads})
	if err := head.Write(c.system()); err != nil {
		t.Fatal(err)
	}
	pack := hana.get(path + "/pack?days=90")
	if pack.StatusCode != 200 || pack.Header.Get("Content-Type") != "application/zip" {
		t.Fatalf("the pack is answered %d %s", pack.StatusCode, pack.Header.Get("Content-Type"))
	}
	raw := []byte(pack.Body)
	if n, err := c.verifyPack(raw); err != nil || n == 0 {
		t.Fatalf("the pack does not verify: %d records, %v", n, err)
	}
	if n := len(c.records(audit.Filter{Action: "evidence.pack", Outcome: audit.OK})); n == 0 {
		t.Error("the pack is not recorded")
	}
	files := unzip(t, raw)
	for _, name := range []string{"README.txt", "heads.jsonl", "jwks.json", "evidence.json", "records/integrity.jsonl"} {
		if len(files[name]) == 0 && name != "records/integrity.jsonl" {
			t.Errorf("%s is not in the pack, or empty", name)
		}
	}
	for name, edit := range map[string]func(map[string][]byte){
		"evidence edited": func(f map[string][]byte) {
			f["evidence.json"] = bytes.Replace(f["evidence.json"], []byte("partly"), []byte("in_place"), 1)
		},
		"a record edited": func(f map[string][]byte) {
			f["records/unique-user.jsonl"] = bytes.Replace(f["records/unique-user.jsonl"], []byte("Hana"), []byte("Mara"), 1)
		},
		"an export gone":   func(f map[string][]byte) { delete(f, "records/retention.jsonl") },
		"a file added":     func(f map[string][]byte) { f["extra.txt"] = []byte("x") },
		"a head taken out": func(f map[string][]byte) { f["heads.jsonl"] = f["heads.jsonl"][:10] },
	} {
		altered := unzip(t, raw)
		edit(altered)
		if _, err := c.verifyPack(zipped(t, altered)); err == nil {
			t.Errorf("%s: the pack still verifies", name)
		}
	}
	none := func(string) (ed25519.PublicKey, bool) { return nil, false }
	r, _ := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if _, err := evidence.VerifyPack(r, none); err == nil {
		t.Error("a pack by an unknown key verifies")
	}
}

func (c *core) verifyPack(raw []byte) (int64, error) {
	keys, err := identity.PublicKeys(context.Background(), c.DB.Pool)
	if err != nil {
		return 0, err
	}
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return 0, err
	}
	return evidence.VerifyPack(r, func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok })
}

func unzip(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range r.File {
		one := must(f.Open())(t)
		files[f.Name] = must(io.ReadAll(one))(t)
		one.Close()
	}
	return files
}

func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		must(must(z.Create(name))(t).Write(data))(t)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
