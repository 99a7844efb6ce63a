package main

import "github.com/spf13/cobra"

// commands are all there are.
func commands() []*cobra.Command {
	return []*cobra.Command{serveCommand()}
}
