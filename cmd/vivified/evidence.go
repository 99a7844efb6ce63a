package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/evidence"
)

func evidenceCommand() *cobra.Command {
	show := remote("show", "Show what is configured, recorded and missing for each control of the HIPAA Security Rule", 0, func(c *cobra.Command) func() (map[string]any, error) {
		days := daysFlag(c)
		return func() (map[string]any, error) { return map[string]any{"days": *days}, nil }
	}, showEvidence)
	return parent("evidence", "Evidence for an auditor", show, packCommand(), verifyPackCommand())
}

func daysFlag(c *cobra.Command) *int {
	return c.Flags().Int("days", evidence.Periods()[0], "period to look at: 30, 90 or 365 days")
}

// showEvidence lists the controls, each with what is missing.
func showEvidence(ctx context.Context, c call) error {
	var e evidence.Evidence
	path := fmt.Sprintf("/admin/evidence?days=%d", c.in["days"])
	if done, err := c.raw(ctx, http.MethodGet, path, nil, &e); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CONTROL\tREFERENCE\tSTATUS")
	for _, one := range e.Controls {
		fmt.Fprintf(t, "%s\t%s\t%s\n", plain(one.ID), plain(one.Reference), plain(string(one.Status)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, one := range e.Controls {
		for _, g := range one.Missing {
			fmt.Fprintf(c.out, "\n%s: %s\n  %s\n", plain(one.ID), plain(g.Text), plain(g.Do))
		}
	}
	return nil
}

// packCommand writes a pack to a new file.
func packCommand() *cobra.Command {
	var server, file string
	c := &cobra.Command{Use: "pack", Short: "Build the signed pack of evidence", Args: exactly(0)}
	days := daysFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if file == "" {
			return usage{errors.New("say where to: --output FILE")}
		}
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return usage{err}
		}
		n, err := cl.fetch(c.Context(), "/admin/evidence/pack?days="+strconv.Itoa(*days), out)
		if err = errors.Join(err, out.Close()); err != nil {
			return errors.Join(err, os.Remove(file))
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s holds the evidence of %d days, %d bytes.\n", file, *days, n)
		return err
	}
	c.Flags().StringVarP(&file, "output", "o", "", "file to write, which must not be there yet")
	serverFlag(c, &server)
	return c
}

// fetch writes an answer that may be long to a file.
func (c *client) fetch(ctx context.Context, path string, into io.Writer) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return 0, usage{err}
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	long := http.Client{Timeout: time.Hour, Transport: c.http.Transport}
	answer, err := long.Do(r)
	if err != nil {
		return 0, fmt.Errorf("no core answers at %s (%w)", c.server, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return 0, err
		}
		return 0, c.refused(answer.StatusCode, data)
	}
	n, err := io.Copy(into, answer.Body)
	if err != nil {
		return n, fmt.Errorf("the answer of %s ended early: %w", c.server, err)
	}
	return n, nil
}

// verifyPackCommand verifies a pack without any core.
func verifyPackCommand() *cobra.Command {
	var keys string
	c := &cobra.Command{
		Use: "verify FILE", Short: "Verify a pack offline: its signature, its files and every record", Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if keys == "" {
				return usage{errors.New("say which keys to trust: --jwks FILE, as /.well-known/jwks.json answers them")}
			}
			known, err := readJWKS(keys)
			if err != nil {
				return usage{err}
			}
			pack, err := zip.OpenReader(args[0])
			if err != nil {
				return usage{err}
			}
			defer pack.Close()
			n, err := evidence.VerifyPack(&pack.Reader, known)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "The pack is as it was signed; its exports hold %d records, each as written.\n", n)
			return err
		},
	}
	c.Flags().StringVar(&keys, "jwks", "", "the core's public keys, from a source you trust")
	return c
}
