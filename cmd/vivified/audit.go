package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/db"
)

func auditCommand() *cobra.Command {
	return parent("audit", "Verify the record of everything, and steer how long it is kept", verifyCommand(), holdsCommand(), archivesCommand(), purgeCommand())
}

func verifyCommand() *cobra.Command {
	var file, heads, keys, output string
	verify := &cobra.Command{
		Use: "verify [FILE]", Short: "Recompute the audit's chains and name the first bad record",
		Long: "Without a file it reads the database that DATABASE_URL or VIVIFIED_DATA_DIR names, whether a core runs on it or not, and changes nothing.\n" +
			"With a file it verifies an export, offline. Exit code 0: everything verifies; 1: something does not.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && file != "" {
				return usage{errors.New("name one file")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				file = name
			}
			var r audit.Report
			var err error
			if file != "" {
				r, err = verifyExport(file, heads, keys)
			} else {
				r, err = verifyInstalled(c.Context(), environment(), heads)
			}
			if err != nil {
				return err
			}
			return showReport(c.OutOrStdout(), r, output)
		},
	}
	outputFlag(verify, &output)
	verify.Flags().StringVarP(&file, "file", "f", "", "export to verify (JSONL); the same as FILE")
	verify.Flags().StringVar(&heads, "heads", "", "signed heads to hold it against: a file, or a folder of copies; without a file default: audit-heads.jsonl in the data directory")
	verify.Flags().StringVar(&keys, "jwks", "", "with a file: the core's public keys, as /.well-known/jwks.json answers them")
	return verify
}

// verifyExport verifies an export without any database.
func verifyExport(file, heads, jwks string) (audit.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return audit.Report{}, usage{err}
	}
	defer f.Close()
	var c audit.VerifyConfig
	if heads != "" {
		h, err := openHeads(heads)
		if err != nil {
			return audit.Report{}, usage{err}
		}
		defer h.Close()
		c.Heads = h
	}
	if jwks != "" {
		if c.Keys, err = readJWKS(jwks); err != nil {
			return audit.Report{}, usage{err}
		}
	}
	return audit.VerifyExport(f, c)
}

func readJWKS(file string) (audit.Keys, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
			X  string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("%s is no JWK set: %w", file, err)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		if raw, err := base64.RawURLEncoding.DecodeString(k.X); err == nil && len(raw) == ed25519.PublicKeySize {
			keys[k.ID] = raw
		}
	}
	return func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }, nil
}

// verifyInstalled verifies the database of this installation. A private one that
// is not running is started for as long as it takes.
func verifyInstalled(ctx context.Context, env map[string]string, heads string) (audit.Report, error) {
	file, err := settings.ReadFile(env)
	if err != nil {
		return audit.Report{}, err
	}
	conf, err := settings.New(env, file)
	if err != nil {
		return audit.Report{}, err
	}
	dir, err := filepath.Abs(conf.String(settings.DataDir))
	if err != nil {
		return audit.Report{}, err
	}
	url, stop, err := installed(ctx, conf.String(settings.DatabaseURL), dir, env["PG_BIN"])
	if err != nil {
		return audit.Report{}, err
	}
	defer stop()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return audit.Report{}, err
	}
	defer pool.Close()
	if heads == "" {
		return verifyDatabase(ctx, pool, filepath.Join(dir, "audit-heads.jsonl"))
	}
	if _, err := os.Stat(heads); err != nil {
		return audit.Report{}, usage{err}
	}
	return verifyDatabase(ctx, pool, heads)
}

func installed(ctx context.Context, owner, dir, bin string) (url string, stop func(), err error) {
	if owner != "" {
		return owner, func() {}, nil
	}
	url, running, exists := db.PrivateURL(dir)
	switch {
	case running:
		return url, func() {}, nil
	case !exists:
		return "", nil, usage{fmt.Errorf("there is no database in %s; set VIVIFIED_DATA_DIR or DATABASE_URL, or verify an export with --file", dir)}
	}
	private := &db.Private{Dir: dir, Bin: bin}
	if err := private.Start(ctx); err != nil {
		return "", nil, err
	}
	return private.URL(), func() { _ = private.Stop(context.WithoutCancel(ctx)) }, nil
}

func showReport(w io.Writer, r audit.Report, output string) error {
	if output == "json" {
		if err := writeJSON(w, r); err != nil {
			return err
		}
	} else {
		for _, c := range r.Chains {
			fmt.Fprintf(w, "%s: %d records, %d to %d\n", plain(c.Chain), c.Rows, c.First, c.Last)
		}
		if r.Heads.Heads > 0 {
			fmt.Fprintf(w, "signed heads: %d read, %d found in the records, %d with a right signature\n", r.Heads.Heads, r.Heads.Compared, r.Heads.Signed)
		}
		if r.OK {
			fmt.Fprintf(w, "%d records verify.\n", r.Rows)
		} else {
			fmt.Fprintln(w, "NOT INTACT: "+where(r.Bad))
		}
	}
	if !r.OK {
		return exitCode(1)
	}
	return nil
}

// where says which record is the first bad one.
func where(b *audit.Bad) string {
	switch {
	case b == nil:
		return "no record is named."
	case b.Chain != "":
		return fmt.Sprintf("%s, record %d: %s", plain(b.Chain), b.Seq, plain(b.Sentence))
	case b.Line > 0:
		return fmt.Sprintf("line %d: %s", b.Line, plain(b.Sentence))
	}
	return plain(b.Sentence)
}
