package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/sso"
)

// The demo provider: a real one, on loopback, whose people stand in a file.
const (
	ssoEntry  = "sso"
	ssoBinary = "bin/dex"
	ssoFile   = "dex.json"
	ssoID     = "demo"
)

// demoPerson is somebody at the demo provider.
type demoPerson struct {
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
}

// demoPeople can be signed in as by anybody who reaches loopback.
var demoPeople = []demoPerson{
	{"1", "grace", "grace", "grace@demo.test", "Grace Hopper", []string{"administrators"}},
	{"2", "ada", "ada", "ada@demo.test", "Ada Lovelace", []string{"auditors"}},
	{"3", "alan", "alan", "alan@demo.test", "Alan Turing", []string{}},
}

// demoFile is what the provider is told.
type demoFile struct {
	Issuer  string       `json:"issuer"`
	Clients []demoClient `json:"clients"`
	People  []demoPerson `json:"people"`
}

type demoClient struct {
	ID          string   `json:"id"`
	Secret      string   `json:"secret"`
	Name        string   `json:"name"`
	Redirect    []string `json:"redirectURIs"`
	SignedOut   []string `json:"postLogoutRedirectURIs"`
	Backchannel string   `json:"backchannelLogoutURI"`
}

// withProvider puts the demo provider above the core.
func withProvider(entries []entry, dir string) ([]entry, error) {
	if _, err := os.Stat(filepath.Join(dir, ssoBinary)); err != nil {
		return nil, usage{fmt.Errorf("%s is not built; run `make run SSO=1`, or `make %s`", ssoBinary, ssoBinary)}
	}
	return append([]entry{{ssoEntry, ssoBinary + ` "$DEX_FILE"`}}, entries...), nil
}

// demoProvider writes what the provider is told, and has the core make it a way to
// sign in. People and groups that were changed in the file stay.
func (s *surroundings) demoProvider() error {
	path := filepath.Join(s.dataDir, ssoFile)
	f := demoFile{People: demoPeople, Clients: []demoClient{{Secret: rand.Text()}}}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(f.Clients) == 0 {
		return usage{fmt.Errorf("%s cannot be read; correct or delete it: %w", path, err)}
	}
	at := s.public + "/auth/oidc/" + ssoID + "/"
	f.Issuer = "http://" + s.address(ssoEntry) + "/dex"
	f.Clients = []demoClient{{
		ID: "vivified", Secret: f.Clients[0].Secret, Name: "Vivified", Redirect: []string{at + "callback"}, SignedOut: []string{s.public + "/sign-in"}, Backchannel: at + "backchannel",
	}}
	if raw, err = json.MarshalIndent(f, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	draft, err := encode(sso.Draft{
		ID: ssoID, Name: "Demo", Icon: "building-2", Issuer: f.Issuer, ClientID: "vivified", Secret: &f.Clients[0].Secret, Enabled: true,
		Scopes: []string{"openid", "email", "profile", "groups"}, Options: sso.Options{Create: true, SignOut: true},
		Rules: []sso.Rule{
			{Claim: "groups", Match: sso.Equals, Value: "administrators", Kind: sso.Role, Give: "admin"},
			{Claim: "groups", Match: sso.Equals, Value: "auditors", Kind: sso.Role, Give: "auditor"},
			{Claim: "sub", Match: sso.Present, Kind: sso.Role, Give: "viewer"},
		},
	})
	s.core[settings.SSOProvider.Definition().Env] = draft
	var known []string
	for _, p := range f.People {
		known = append(known, p.Username+" / "+p.Password)
	}
	s.demo = "Demo sign-in " + strings.Join(known, ", ")
	return err
}
