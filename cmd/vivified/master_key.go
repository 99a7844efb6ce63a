package main

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// custody is what the commands show of what keeps the secrets.
type custody struct {
	Source  string `json:"source"`
	Master  string `json:"master_key"`
	Pending bool   `json:"rotation_pending"`
	Keys    []struct {
		ID        string    `json:"id"`
		Master    string    `json:"master_key"`
		MadeAt    time.Time `json:"made_at"`
		WrappedAt time.Time `json:"wrapped_at"`
		Seals     bool      `json:"seals"`
	} `json:"sealing_keys"`
}

func masterKeyCommand() *cobra.Command {
	return parent("master", "The master key, which keeps every secret here",
		keySub("show", "Say where the master key comes from and what it wraps", 0, showMasterKey),
		keySub("rotate", "Put every secret under a new master key, while everything runs", 0, rotateMasterKey),
	)
}

func showMasterKey(ctx context.Context, c keyCall) error {
	var is custody
	if done, err := c.raw(ctx, http.MethodGet, "/admin/master-key", nil, &is); done || err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Master key %s, from %s.\n", plain(is.Master), plain(is.Source))
	if is.Pending {
		fmt.Fprintln(c.out, "A new key stands before it: rotate to use that.")
	}
	return c.sealingKeys(is)
}

func rotateMasterKey(ctx context.Context, c keyCall) error {
	var is custody
	if done, err := c.raw(ctx, http.MethodPost, "/admin/master-key/rotate", map[string]any{}, &is); done || err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Every secret is kept by the master key %s now, from %s. Keep a copy of it.\n", plain(is.Master), plain(is.Source))
	return c.sealingKeys(is)
}

func (c keyCall) sealingKeys(is custody) error {
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SEALING KEY\tWRAPPED BY\tMADE\tWRAPPED\tSEALS")
	for _, k := range is.Keys {
		seals := "no"
		if k.Seals {
			seals = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", plain(k.ID), plain(k.Master), moment(&k.MadeAt), moment(&k.WrappedAt), seals)
	}
	return t.Flush()
}
