package handlers_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/manifest"
)

// bundleFile packs a plugin that runs elsewhere, signed by keys.
func bundleFile(t testing.TB, doc string, keys ...bundle.PrivateKey) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# About it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := must(bundle.OpenStore(t.TempDir(), bundle.Limits{}))(t)
	defer s.Close()
	b := must(s.Pack(t.Context(), dir, manifest.Options{}))(t)
	m := must(b.Manifest(manifest.Options{}))(t)
	for _, k := range keys {
		envelope := must(bundle.Sign(t.Context(), k, b.Digest, bundle.Release{ID: m.ID, Version: m.Version}))(t)
		if err := s.Attach(t.Context(), b.Digest, bundle.TypeSignature, envelope); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := s.Export(&out, b.Digest); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const clerk = `{"id": "clerk", "name": "Clerk", "version": "1.0.0", "publisher": "Acme", "contracts": [], "traits": ["handles_internal"],
	"security": {"authentication_required": true, "data_classification": ["internal"]}}`

// marketplace goes through the shelf: filled, refused, installed from, emptied.
func (c *teller) marketplace(admin string) {
	const shelf, keys, unknown = "/admin/marketplace", "/admin/marketplace/keys", "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	k := must(bundle.NewKey())(c.t)
	c.ask(admin, 400, "POST", keys, map[string]any{"name": "Acme", "pem": "no key"})
	c.ask(admin, 422, "POST", keys, map[string]any{"name": " ", "pem": k.Public().PEM()})
	c.ask(admin, 201, "POST", keys, map[string]any{"name": "Acme releases", "pem": k.Public().PEM()})
	c.ask(admin, 409, "POST", keys, map[string]any{"name": "Acme releases", "pem": k.Public().PEM()})
	c.ask(admin, 200, "GET", keys, nil)

	c.send(admin, 400, "application/json", []byte("{}"))
	c.send(admin, 400, bundle.TypeFile, []byte("no archive"))
	digest := c.send(admin, 201, bundle.TypeFile, bundleFile(c.t, clerk, k))["digest"].(string)
	one := shelf + "/bundles/" + digest
	c.ask(admin, 200, "GET", shelf, nil)
	c.ask(admin, 200, "GET", shelf+"/clerk", nil)
	c.ask(admin, 404, "GET", shelf+"/nobody", nil)
	c.download(admin, one)
	c.ask(admin, 404, "GET", shelf+"/bundles/"+unknown, nil)

	c.ask(admin, 200, "PUT", "/admin/config", map[string]any{"key": "marketplace_signatures", "value": 2})
	c.ask(admin, 403, "POST", one+"/install", nil)
	c.ask(admin, 200, "PUT", "/admin/config", map[string]any{"key": "marketplace_signatures", "value": 1})
	c.ask(admin, 404, "POST", shelf+"/bundles/"+unknown+"/install", nil)
	started := c.ask(admin, 202, "POST", one+"/install", map[string]any{"enable": true})["job"].(map[string]any)
	job := "/admin/jobs/" + started["id"].(string)
	c.eventually("the job has ended", func() bool { return c.ask(admin, 200, "GET", job, nil)["state"] == "succeeded" })
	c.ask(admin, 409, "POST", one+"/install", nil)
	c.ask(admin, 409, "POST", job+"/cancel", nil)
	c.ask(admin, 409, "POST", job+"/retry", nil)
	for _, path := range []string{"/admin/jobs/" + uuid.NewString() + "/cancel", "/admin/jobs/" + uuid.NewString() + "/retry"} {
		c.ask(admin, 404, "POST", path, nil)
	}
	c.ask(admin, 404, "GET", "/admin/jobs/"+uuid.NewString(), nil)
	c.ask(admin, 200, "GET", "/admin/jobs?limit=1", nil)
	c.ask(admin, 400, "GET", "/admin/jobs?cursor=x", nil)
	c.ask(admin, 200, "GET", "/plugins/clerk", nil)

	revoke := keys + "/" + k.Public().ID() + "/revoke"
	c.ask(admin, 422, "POST", revoke, map[string]any{"reason": ""})
	c.ask(admin, 200, "POST", revoke, map[string]any{"reason": "lost"})
	c.ask(admin, 404, "POST", revoke, map[string]any{"reason": "lost"})
	c.ask(admin, 200, "DELETE", one, nil)
	c.ask(admin, 404, "DELETE", one, nil)
	c.ask(admin, 200, "DELETE", "/plugins/clerk", nil)
	c.ask(admin, 200, "PUT", "/admin/config", map[string]any{"key": "marketplace_signatures", "value": 0})
}

// send uploads a file.
func (c *teller) send(token string, want int, kind string, file []byte) map[string]any {
	c.t.Helper()
	r := c.request(c.t, token, "POST", "/admin/marketplace/bundles", nil)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(file)), int64(len(file))
	r.Header.Set("Content-Type", kind)
	return c.told(r, want)
}

// download fetches a bundle and reads it again.
func (c *teller) download(token, path string) {
	c.t.Helper()
	c.asked["sendBundle"] = true
	r := c.request(c.t, token, "GET", path, nil)
	answer := must(noRedirect.Do(r))(c.t)
	defer answer.Body.Close()
	s := must(bundle.OpenStore(c.t.TempDir(), bundle.Limits{}))(c.t)
	defer s.Close()
	b := must(s.Import(c.t.Context(), answer.Body))(c.t)
	if !strings.HasSuffix(path, b.Digest) || answer.Header.Get("Content-Type") != bundle.TypeFile {
		c.t.Errorf("GET %s gives %s, %s", path, b.Digest, answer.Header.Get("Content-Type"))
	}
}
