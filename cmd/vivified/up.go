package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

func upCommand() *cobra.Command {
	var procfile string
	var provider bool
	c := &cobra.Command{
		Use: "up", Short: "Run the core with the sample plugins, for development", Args: cobra.NoArgs,
		Long: "Runs what the Procfile lists: the core, and plugins that it lets in, enables and gives the way out without asking. " +
			"The first Ctrl-C stops everything in order, within 5 s; the second at once.",
		RunE: func(c *cobra.Command, _ []string) error {
			return up(c.Context(), procfile, provider, environment(), c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&procfile, "procfile", "Procfile", "file that lists what to run")
	c.Flags().BoolVar(&provider, "sso", false, "start an identity provider too, with demo people, to try single sign-on")
	return c
}

// up runs the processes of a Procfile until ctx ends or the core does.
func up(ctx context.Context, procfile string, provider bool, env map[string]string, out io.Writer) error {
	text, err := os.ReadFile(procfile)
	if err != nil {
		return usage{fmt.Errorf("there is no Procfile to run: %w", err)}
	}
	entries, err := readProcfile(string(text))
	if err != nil {
		return usage{fmt.Errorf("%s: %w", procfile, err)}
	}
	dir, err := filepath.Abs(filepath.Dir(procfile))
	if err != nil {
		return err
	}
	if provider {
		if entries, err = withProvider(entries, dir); err != nil {
			return err
		}
	}
	around, err := surround(entries, env)
	if err != nil {
		return err
	}
	lines := newConsole(out, entries, env)
	for _, remark := range around.remarks {
		lines.say(remark)
	}
	r := &runner{
		dir: dir, console: lines, env: around.of, port: around.port,
		ready: around.waitForCore,
		ran:   func() { lines.box(around.invitation()) },
	}
	ctx, kill := twoSignals(ctx)
	return r.run(ctx, entries, kill)
}

// twoSignals returns a context that ends with the first signal to stop, and a
// channel that is closed with the second.
func twoSignals(ctx context.Context) (context.Context, <-chan struct{}) {
	ctx, stop := context.WithCancel(ctx)
	second := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		stop()
		<-signals
		close(second)
	}()
	return ctx, second
}
