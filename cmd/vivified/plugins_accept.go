package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// acceptCommand puts in force what of a plugin waits. Without a digest it is what
// waits now, which is shown.
func acceptCommand() *cobra.Command {
	c := remote("accept ID", "Put the wider manifest in force that a plugin came back with", 1, func(c *cobra.Command) func() (map[string]any, error) {
		var reason, digest string
		c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
		c.Flags().StringVar(&digest, "digest", "", "only if this is what waits, as `vivified plugins show` says (default what waits now)")
		return func() (map[string]any, error) { return map[string]any{"reason": reason, "digest": digest}, nil }
	}, acceptWaiting)
	return c
}

func acceptWaiting(ctx context.Context, c call) error {
	var before struct {
		Waiting *struct {
			Digest, Version string
			Adds            []string
		}
	}
	if err := c.client.do(ctx, http.MethodGet, pluginPath(c.args[0]), nil, &before); err != nil {
		return err
	}
	if before.Waiting == nil {
		return fmt.Errorf("nothing of %s waits to be accepted", c.args[0])
	}
	if c.in["digest"] == "" {
		c.in["digest"] = before.Waiting.Digest
	}
	var p pluginInfo
	if done, err := c.raw(ctx, http.MethodPost, pluginPath(c.args[0], "/accept"), c.in, &p); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "Version %s of %s is in force. It adds: %s.\n", plain(before.Waiting.Version), plain(c.args[0]), plain(strings.TrimRight(strings.Join(before.Waiting.Adds, "; "), ".")))
	return err
}
