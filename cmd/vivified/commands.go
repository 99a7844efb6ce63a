package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// commands are all there are.
func commands() []*cobra.Command {
	return []*cobra.Command{serveCommand(), upCommand(), loginCommand(), logoutCommand(), stepUpCommand(), usersCommand(), keysCommand(), approvalsCommand(), ssoCommand(), pluginsCommand(), eventsCommand(), callCommand(), egressCommand(), validateCommand(), packBundleCommand(), signKeyCommand(), signBundleCommand(), publishBundleCommand(), auditCommand(), alertsCommand(), evidenceCommand(), policyCommand(), configCommand()}
}

// exactly wants n arguments, none of them empty; anything else is a usage fault.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return usage{fmt.Errorf("an argument of %s is empty", c.CommandPath())}
		}
		if len(args) == n {
			return nil
		}
		return usage{fmt.Errorf("%s takes %s, not %d; see %s --help", c.CommandPath(), arguments(n), len(args), c.CommandPath())}
	}
}

// atMost wants up to n arguments, none of them empty.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n || slices.Contains(args, "") {
			return usage{fmt.Errorf("%s takes at most %s; see %s --help", c.CommandPath(), arguments(n), c.CommandPath())}
		}
		return nil
	}
}

func arguments(n int) string {
	switch n {
	case 0:
		return "no arguments"
	case 1:
		return "one argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

// parent is a command that only holds others.
func parent(use, short string, of ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(of...)
	return c
}

// serverFlag adds --server.
func serverFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "server", "", "address of the core (default: VIVIFIED_SERVER, where you signed in, or "+byDefault+")")
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
