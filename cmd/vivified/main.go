// Command vivified is the core, and the tool to run it with.
//
// It wires every room together and is the only reader of the environment. The
// commands that administer a running core talk HTTP to it, as anybody would.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vivified/vivified/core/fault"
)

// version is set when the program is built.
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code: 0 ok, 1 failed, 2
// usage or something not installed, 3 denied.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: "vivified", Short: "Run plugins that nobody has to trust", Version: version,
		Long:          "Run plugins that nobody has to trust.\n\nExit codes: 0 done, 1 failed, 2 wrong usage or something is not installed, 3 not signed in or denied.",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddCommand(commands()...)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	fmt.Fprintln(stderr, "vivified:", plain(err.Error()))
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		for _, v := range f.Violations {
			if v.Message == f.Sentence {
				continue // it was said
			}
			fmt.Fprintf(stderr, "  %s\n", plain(strings.TrimSpace(v.Rule+": "+v.Message+" "+v.Fix)))
		}
		switch {
		case f.Kind == fault.Denied, f.Kind == fault.Unauthenticated:
			return 3
		case f.Code == "database.not_installed":
			return 2
		}
	}
	_, misused := errors.AsType[usage](err)
	if misused || strings.HasPrefix(err.Error(), "unknown command") {
		return 2
	}
	return 1
}

// usage is a mistake on the command line.
type usage struct{ error }

// exitCode ends the program after everything was said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// environment returns the process's environment as a map.
func environment() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}
