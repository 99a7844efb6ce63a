package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// apiKey is what the commands show of a key; Key is there once only.
type apiKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Hint      string     `json:"hint"`
	Scope     []string   `json:"scope"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	UsedFrom  string     `json:"last_used_address"`
	Stale     bool       `json:"stale"`
	RevokedAt *time.Time `json:"revoked_at"`
	Owner     *struct {
		Name string `json:"name"`
	} `json:"owner"`
	Key string `json:"key"`
}

func keysCommand() *cobra.Command {
	return parent("keys", "API keys, with which programs act for their owner",
		keySub("list", "List your keys, or with --all everybody's", 0, listKeys),
		keySub("create NAME", "Make a key; it is shown this once", 1, createKey),
		keySub("rotate ID", "Make a key in place of one; the old one goes on for a while", 1, rotateKey),
		keySub("revoke ID", "End a key at once", 1, revokeKey),
		masterKeyCommand(),
	)
}

// keyCall is what one keys command works with.
type keyCall struct {
	call
	flags struct {
		all         bool
		cursor      string
		scope       []string
		days, hours int
	}
}

func keySub(use, short string, args int, do func(context.Context, keyCall) error) *cobra.Command {
	var server, output string
	var k keyCall
	c := &cobra.Command{Use: use, Short: short, Args: exactly(args)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		k.call = call{client: cl, args: args, json: output == "json", out: c.OutOrStdout()}
		return do(c.Context(), k)
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	switch f := c.Flags(); c.Name() {
	case "list":
		f.BoolVar(&k.flags.all, "all", false, "everybody's, for administrators")
		f.StringVar(&k.flags.cursor, "cursor", "", "with --all: where the page before ended")
	case "create":
		f.StringSliceVar(&k.flags.scope, "scope", nil, "traits it carries, of your own, separated by commas")
		f.IntVar(&k.flags.days, "days", 90, "after how many days it ends")
	case "rotate":
		f.IntVar(&k.flags.hours, "overlap", 24, "for how many hours the old key goes on, 0 to 168")
	}
	return c
}

func listKeys(ctx context.Context, c keyCall) error {
	path := "/admin/api-keys"
	if c.flags.all {
		path += "?" + url.Values{"of": {"all"}, "cursor": {c.flags.cursor}}.Encode()
	}
	var list struct {
		Items []apiKey `json:"items"`
		Next  string   `json:"next_cursor"`
	}
	if done, err := c.raw(ctx, http.MethodGet, path, nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "There is no API key.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tOWNER\tSCOPE\tSTATE\tENDS\tLAST USED")
	for _, k := range list.Items {
		owner := "you"
		if k.Owner != nil {
			owner = k.Owner.Name
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s %s\n", plain(k.ID), plain(k.Name), plain(owner), plainAll(k.Scope, ", "), k.state(time.Now()), moment(&k.ExpiresAt), moment(k.LastUsed), plain(k.UsedFrom))
	}
	if err := t.Flush(); err != nil || list.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(c.out, "There are more: --cursor %s\n", plain(list.Next))
	return err
}

// state says whether a key works.
func (k apiKey) state(now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case !now.Before(k.ExpiresAt):
		return "over"
	case k.Stale:
		return "stale"
	}
	return "works"
}

func createKey(ctx context.Context, c keyCall) error {
	if len(c.flags.scope) == 0 {
		return usage{fmt.Errorf("say with --scope which of your traits the key carries")}
	}
	if c.flags.days < 1 || c.flags.days > 36500 {
		return usage{fmt.Errorf("--days is a number of days to come")}
	}
	in := map[string]any{"name": c.args[0], "scope": c.flags.scope, "expires_at": time.Now().AddDate(0, 0, c.flags.days).UTC().Truncate(time.Second)}
	return c.made(ctx, "/admin/api-keys", in)
}

func rotateKey(ctx context.Context, c keyCall) error {
	return c.made(ctx, "/admin/api-keys/"+url.PathEscape(c.args[0])+"/rotate", map[string]any{"overlap_hours": c.flags.hours})
}

// made asks for a new key and shows it.
func (c keyCall) made(ctx context.Context, path string, in any) error {
	var k apiKey
	if done, err := c.raw(ctx, http.MethodPost, path, in, &k); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "Copy the key of %s now; it works until %s and is not shown again.\n%s\n", plain(k.Name), moment(&k.ExpiresAt), plain(k.Key))
	return err
}

func revokeKey(ctx context.Context, c keyCall) error {
	var answer struct{}
	if done, err := c.raw(ctx, http.MethodDelete, "/admin/api-keys/"+url.PathEscape(c.args[0]), nil, &answer); done || err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, "The key is revoked.")
	return err
}
