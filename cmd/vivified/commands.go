package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// commands are all there are.
func commands() []*cobra.Command {
	return []*cobra.Command{serveCommand(), upCommand(), loginCommand(), logoutCommand(), pluginsCommand(), validateCommand(), auditCommand()}
}

// exactly wants n arguments; anything else is a usage fault.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usage{fmt.Errorf("%s takes %d argument(s), not %d; see %s --help", c.CommandPath(), n, len(args), c.CommandPath())}
	}
}

// outputFlag adds --output json|table.
func outputFlag(c *cobra.Command, into *string) {
	c.Flags().StringVarP(into, "output", "o", "table", "json for programs, table for people")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *into != "json" && *into != "table" {
			return usage{fmt.Errorf("--output is json or table, not %q", *into)}
		}
		return nil
	}
}
