package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/manifest"
)

// packed is what pack and sign say of a file.
type packed struct {
	File    string `json:"file"`
	Digest  string `json:"digest"`
	ID      string `json:"id"`
	Version string `json:"version"`
	Bytes   int64  `json:"bytes"`
	Signed  int    `json:"signatures"`
	Key     string `json:"key,omitempty"` // that signed it now
}

func packBundleCommand() *cobra.Command {
	var output, file string
	c := &cobra.Command{
		Use: "pack DIR", Short: "Make one file of a plugin's folder, to be signed and installed",
		Long: "Makes a .vvplugin of a folder with manifest.json, manifest.yaml or plugin.json; image/ (an OCI image layout) or rootfs/ (the files\n" +
			"it runs with); and README.md, CHANGELOG.md, icon.svg or icon.png, sbom.spdx.json, sbom.cdx.json if they are there.\n" +
			"The same folder always gives the same digest.",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return inStore(func(s *bundle.Store) error {
				b, err := s.Pack(c.Context(), args[0], manifest.Options{})
				if err != nil {
					return err
				}
				said, err := packedOf(b)
				if err != nil {
					return err
				}
				if said.File = file; file == "" {
					said.File = said.ID + "-" + said.Version + bundle.Extension
				}
				if err := exportTo(s, b.Digest, said.File); err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(c.OutOrStdout(), said)
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s holds %s %s, %d bytes.\nDigest: %s\n", said.File, said.ID, said.Version, said.Bytes, said.Digest)
				return err
			})
		},
	}
	outputFlag(c, &output)
	c.Flags().StringVar(&file, "file", "", "where to write it (default ID-VERSION.vvplugin)")
	return c
}

func signBundleCommand() *cobra.Command {
	var output, key string
	c := &cobra.Command{
		Use: "sign FILE", Short: "Sign a .vvplugin with an ed25519 key",
		Long: "Adds a signature (a DSSE envelope around an in-toto statement over the digest) to the file. Several keys may sign one file.\n" +
			"Make a key with `vivified sign-key`; an administrator trusts its public half in the marketplace.",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if key == "" {
				return usage{errors.New("say with --key which key signs")}
			}
			text, err := os.ReadFile(key)
			if err != nil {
				return usage{err}
			}
			k, err := bundle.ParsePrivateKey(text)
			if err != nil {
				return err
			}
			return inStore(func(s *bundle.Store) error {
				said, err := signFile(c.Context(), s, args[0], k)
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(c.OutOrStdout(), said)
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s is signed by %s. Signatures on it: %d.\n", said.File, said.Key, said.Signed)
				return err
			})
		},
	}
	outputFlag(c, &output)
	c.Flags().StringVar(&key, "key", "", "file with the private key (PEM, PKCS #8)")
	return c
}

func signFile(ctx context.Context, s *bundle.Store, file string, k bundle.PrivateKey) (packed, error) {
	f, err := os.Open(file)
	if err != nil {
		return packed{}, usage{err}
	}
	b, err := s.Import(ctx, f)
	_ = f.Close()
	if err != nil {
		return packed{}, err
	}
	said, err := packedOf(b)
	if err != nil {
		return said, err
	}
	envelope, err := bundle.Sign(ctx, k, b.Digest, bundle.Release{ID: said.ID, Version: said.Version})
	if err != nil {
		return said, err
	}
	if err := s.Attach(ctx, b.Digest, bundle.TypeSignature, envelope); err != nil {
		return said, err
	}
	if b, err = s.Bundle(b.Digest); err != nil {
		return said, err
	}
	said, err = packedOf(b)
	said.File, said.Key = file, k.Public().ID()
	return said, errors.Join(err, exportTo(s, b.Digest, file))
}

func signKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "sign-key FILE", Short: "Make a key to sign plugins with: FILE and FILE.pub",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			k, err := bundle.NewKey()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // a key is never overwritten
			if err != nil {
				return usage{err}
			}
			_, err = io.WriteString(f, k.PEM())
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			if err := os.WriteFile(args[0]+".pub", []byte(k.Public().PEM()), 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "The key is %s. Keep %s secret; give %s.pub to those who are to trust it.\n", k.Public().ID(), args[0], args[0])
			return err
		},
	}
}

func publishBundleCommand() *cobra.Command {
	var server, output string
	c := &cobra.Command{
		Use: "publish FILE", Short: "Put a .vvplugin on the shelf of a core's marketplace",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := connect(server, environment())
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return usage{err}
			}
			defer f.Close()
			var v struct {
				ID      string `json:"id"`
				Version string `json:"version"`
				Digest  string `json:"digest"`
				Verdict struct {
					Blocked []struct {
						Detail string `json:"detail"`
					} `json:"blocked"`
				} `json:"verdict"`
			}
			cl.http.Timeout = 0 // it takes as long as the line takes
			answer, err := cl.send(c.Context(), http.MethodPost, "/admin/marketplace/bundles", bundle.TypeFile, f)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if output == "json" {
				return writeJSON(out, json.RawMessage(answer))
			}
			if err := json.Unmarshal(answer, &v); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s %s is on the shelf as %s.\n", v.ID, v.Version, v.Digest); err != nil {
				return err
			}
			for _, r := range v.Verdict.Blocked {
				if _, err := fmt.Fprintf(out, "It may not be installed: %s\n", r.Detail); err != nil {
					return err
				}
			}
			return nil
		},
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	return c
}

// inStore works with a store that is gone afterwards.
func inStore(do func(*bundle.Store) error) error {
	dir, err := os.MkdirTemp("", "vivified-bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := bundle.OpenStore(dir, bundle.Limits{})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

func packedOf(b *bundle.Bundle) (packed, error) {
	m, err := b.Manifest(manifest.Options{})
	if err != nil {
		return packed{}, err
	}
	signatures, err := b.Signatures()
	return packed{Digest: b.Digest, ID: m.ID, Version: m.Version, Bytes: b.Size, Signed: len(signatures)}, err
}

// exportTo writes a bundle to a file, whole or not at all.
func exportTo(s *bundle.Store, digest, file string) error {
	part, err := os.CreateTemp(filepath.Dir(file), ".vivified-*")
	if err != nil {
		return usage{err}
	}
	defer os.Remove(part.Name()) // gone already when it was moved to its place
	if err := errors.Join(s.Export(part, digest), part.Chmod(0o644), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}
