package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/manifest"
)

func validateCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "validate FILE|DIR", Aliases: []string{"validate-manifest"}, Short: "Check a plugin's manifest and say everything wrong with it",
		Long: "Checks a manifest as the core does when a plugin registers. DIR is searched for manifest.json, manifest.yaml and plugin.json.\n" +
			"Exit code 0: valid, warnings allowed; 1: invalid; 2: cannot be read.",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error { return validate(args[0], output, c.OutOrStdout()) },
	}
	outputFlag(c, &output)
	return c
}

// maxManifest is one byte more than a manifest may have, so that too much is noticed.
const maxManifest = 256<<10 + 1

func validate(path, output string, w io.Writer) error {
	path, err := manifestIn(path)
	if err != nil {
		return usage{err}
	}
	f, err := os.Open(path)
	if err != nil {
		return usage{err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return usage{err}
	}
	_, findings := manifest.Read(data, manifest.Options{Format: manifest.FormatOf(path, "")})
	report := findings.Report()
	if output == "json" {
		if err := writeJSON(w, report); err != nil {
			return err
		}
	} else if err := explain(w, path, report); err != nil {
		return err
	}
	if !report.Valid {
		return exitCode(1)
	}
	return nil
}

// manifestIn returns the manifest of a directory, or the file itself.
func manifestIn(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, name := range []string{"manifest.json", "manifest.yaml", "manifest.yml", "plugin.json"} {
		if p := filepath.Join(path, name); fileExists(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s has no manifest.json, manifest.yaml or plugin.json", path)
}

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func explain(w io.Writer, path string, r manifest.Report) error {
	if len(r.Findings) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range r.Findings {
			at := f.Path
			if at == "" {
				at = "/"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Severity, f.Rule, plain(at), plain(f.Message))
			if f.Fix != "" {
				fmt.Fprintf(t, "\t\t\t→ %s\n", plain(f.Fix))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	verdict := "valid"
	if !r.Valid {
		verdict = "not valid"
	}
	_, err := fmt.Fprintf(w, "%s is %s.\n", plain(path), verdict)
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
