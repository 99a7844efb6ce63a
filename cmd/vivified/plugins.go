package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// pluginInfo is what the commands show of a plugin.
type pluginInfo struct {
	Manifest struct {
		ID          string   `json:"id"`
		Name        string   `json:"name"`
		Version     string   `json:"version"`
		Description string   `json:"description"`
		Domains     []string `json:"allowed_domains"`
		Security    struct {
			Classes []string `json:"data_classification"`
		} `json:"security"`
	} `json:"manifest"`
	Status       string     `json:"status"`
	StatusReason string     `json:"status_reason"`
	Health       string     `json:"health"`
	HealthDetail string     `json:"health_detail"`
	Traits       []string   `json:"traits"`
	Widenings    []string   `json:"widenings"`
	RegisteredAt time.Time  `json:"registered_at"`
	Heartbeat    *time.Time `json:"last_heartbeat"`
}

func pluginsCommand() *cobra.Command {
	return parent("plugins", "See and steer plugins",
		pluginCommand("list", "List the registered plugins", 0, listPlugins),
		pluginCommand("show ID", "Show one plugin", 1, showPlugin),
		pluginCommand("install ID", "Install a plugin from the shelf of the marketplace", 1, installPlugin),
		pluginCommand("enable ID", "Open the lanes for a plugin", 1, steer("enable")),
		acceptCommand(),
		pluginCommand("disable ID", "Close the lanes for a plugin, let its calls finish", 1, steer("disable")),
		pluginCommand("quarantine ID", "Close the lanes at once and void the plugin's credentials", 1, steer("quarantine")),
		pluginCommand("unregister ID", "Forget a plugin", 1, unregister),
		logsCommand(),
		runsCommand(),
		pluginCommand("config ID", "Show a plugin's settings, or change some with --set key=value", 1, configurePlugin),
		pluginCommand("health ID", "Show a plugin's health and its last checks", 1, showHealth),
	)
}

// call is what one plugins command works with.
type call struct {
	client *client
	args   []string
	in     map[string]any // what the request says beside its path
	json   bool
	stdin  io.Reader
	out    io.Writer
}

func pluginCommand(use, short string, args int, do func(context.Context, call) error) *cobra.Command {
	var server, output, reason string
	var accept, set, unset []string
	var manifest, enable, background bool
	var version string
	c := &cobra.Command{Use: use, Short: short, Args: exactly(args)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		in := map[string]any{}
		if c.Flags().Changed("reason") {
			in["reason"] = reason
		}
		if c.Flags().Changed("accept") {
			in["accept"] = accept
		}
		if manifest {
			in["accept_manifest"] = true
		}
		if c.Name() == "install" {
			in["version"], in["enable"], in["background"] = version, enable, background
		}
		if len(set)+len(unset) > 0 {
			in["set"], in["unset"] = set, unset
		}
		return do(c.Context(), call{client: cl, args: args, in: in, json: output == "json", stdin: c.InOrStdin(), out: c.OutOrStdout()})
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	switch c.Name() {
	case "enable":
		c.Flags().StringSliceVar(&accept, "accept", nil, "dependencies it may call, separated by commas; empty: none (default all it declares)")
		c.Flags().BoolVar(&manifest, "accept-manifest", false, "put the wider manifest in force that it came back with")
	case "install":
		c.Flags().StringVar(&version, "version", "", "the version (default: the newest that may be installed)")
		c.Flags().BoolVar(&enable, "enable", false, "open its lanes as well, which accepts what its manifest asks for")
		c.Flags().BoolVar(&background, "background", false, "start the job and do not wait for it")
	case "config":
		c.Flags().StringArrayVar(&set, "set", nil, "key=value, as often as needed; a.b is b inside a; key=- reads the value from standard input")
		c.Flags().StringArrayVar(&unset, "unset", nil, "a key to take away, as often as needed")
		c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
	case "disable", "quarantine":
		c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
	}
	return c
}

// raw asks for path and, for --output json, passes the answer on as it came.
func (c call) raw(ctx context.Context, method, path string, in, out any) (done bool, err error) {
	var answer json.RawMessage
	if err := c.client.do(ctx, method, path, in, &answer); err != nil {
		return true, err
	}
	if c.json {
		return true, writeJSON(c.out, answer)
	}
	return false, json.Unmarshal(answer, out)
}

func listPlugins(ctx context.Context, c call) error {
	var list struct {
		Plugins []pluginInfo `json:"plugins"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/plugins", nil, &list); done || err != nil {
		return err
	}
	if len(list.Plugins) == 0 {
		_, err := fmt.Fprintln(c.out, "No plugin is registered yet.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tVERSION\tSTATUS\tHEALTH\tTRAITS")
	for _, p := range list.Plugins {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", plain(p.Manifest.ID), plain(p.Manifest.Version), p.Status, p.Health, plainAll(p.Traits, " "))
	}
	return t.Flush()
}

func pluginPath(id string, below ...string) string {
	return "/plugins/" + url.PathEscape(id) + strings.Join(below, "")
}

func showPlugin(ctx context.Context, c call) error {
	var p pluginInfo
	if done, err := c.raw(ctx, http.MethodGet, pluginPath(c.args[0]), nil, &p); done || err != nil {
		return err
	}
	return describe(c.out, p)
}

func describe(w io.Writer, p pluginInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, plain(value))
		}
	}
	row("id", p.Manifest.ID)
	row("name", p.Manifest.Name)
	row("version", p.Manifest.Version)
	row("about", p.Manifest.Description)
	row("status", strings.TrimSpace(p.Status+"  "+p.StatusReason))
	row("health", strings.TrimSpace(p.Health+"  "+p.HealthDetail))
	row("traits", strings.Join(p.Traits, ", "))
	row("classes", strings.Join(p.Manifest.Security.Classes, ", "))
	row("domains", strings.Join(p.Manifest.Domains, ", "))
	row("registered", p.RegisteredAt.UTC().Format(time.RFC3339))
	if p.Heartbeat != nil {
		row("heartbeat", p.Heartbeat.UTC().Format(time.RFC3339))
	}
	row("waits for", strings.Join(p.Widenings, "; "))
	return t.Flush()
}

// steer moves a plugin to another state.
func steer(action string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		var p pluginInfo
		if done, err := c.raw(ctx, http.MethodPost, pluginPath(c.args[0], "/", action), c.in, &p); done || err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s is %s.\n", p.Manifest.ID, p.Status)
		return err
	}
}

func unregister(ctx context.Context, c call) error {
	var done struct {
		Status string `json:"status"`
	}
	if over, err := c.raw(ctx, http.MethodDelete, pluginPath(c.args[0]), nil, &done); over || err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s is %s.\n", c.args[0], done.Status)
	return err
}

func showHealth(ctx context.Context, c call) error {
	var h struct {
		Health   string     `json:"health"`
		Detail   string     `json:"detail"`
		Failures int        `json:"failures"`
		Checked  *time.Time `json:"checked_at"`
		History  []struct {
			At      time.Time `json:"at"`
			Health  string    `json:"health"`
			Detail  string    `json:"detail"`
			Latency float64   `json:"latency_ms"`
		} `json:"history"`
	}
	if done, err := c.raw(ctx, http.MethodGet, pluginPath(c.args[0], "/health"), nil, &h); done || err != nil {
		return err
	}
	fmt.Fprintln(c.out, strings.TrimSpace(c.args[0]+" is "+h.Health+". "+plain(h.Detail)))
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, s := range h.History[max(0, len(h.History)-10):] {
		fmt.Fprintf(t, "%s\t%s\t%.1f ms\t%s\n", s.At.UTC().Format(time.RFC3339), s.Health, s.Latency, plain(s.Detail))
	}
	return t.Flush()
}
