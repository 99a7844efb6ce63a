package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func egressCommand() *cobra.Command {
	return parent("egress", "See and steer where plugins may go",
		remote("list", "List approvals, and what plugins asked for", 0, nil, listEgress),
		approveCommand(),
		remote("withdraw ID", "Withdraw an approval", 1, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodDelete, "/admin/approvals/egress/"+url.PathEscape(c.args[0]), nil, "Withdrawn.")
		}),
		parent("credentials", "Steer what the core adds to requests, so that plugins never hold it",
			remote("list", "List credentials, without their secrets", 0, nil, listCredentials),
			credentialCommand(),
			remote("remove PLUGIN DOMAIN", "Forget a credential", 2, nil, func(ctx context.Context, c call) error {
				return c.told(ctx, http.MethodDelete, credentialPath(c.args), nil, "Removed.")
			}),
		),
	)
}

// remote is a command that asks the core; more adds its flags and returns what they
// say, once they are read.
func remote(use, short string, args int, more func(*cobra.Command) func() (map[string]any, error), do func(context.Context, call) error) *cobra.Command {
	var server, output string
	c := &cobra.Command{Use: use, Short: short, Args: exactly(args)}
	in := func() (map[string]any, error) { return nil, nil }
	if more != nil {
		in = more(c)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		said, err := in()
		if err != nil {
			return err
		}
		return do(c.Context(), call{client: cl, args: args, in: said, json: output == "json", out: c.OutOrStdout()})
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	return c
}

// told makes a change and says that it is done.
func (c call) told(ctx context.Context, method, path string, in any, done string) error {
	var answer map[string]any
	if over, err := c.raw(ctx, method, path, in, &answer); over || err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, done)
	return err
}

func listEgress(ctx context.Context, c call) error {
	var list struct {
		Egress []struct {
			ID, Plugin, Domain, Source string
			Methods, PathPrefixes      []string
			Ports                      []int
			Rate                       *int
			Bytes                      *int64
			ExpiresAt                  *time.Time `json:"expires_at"`
			InForce                    bool       `json:"in_force"`
		}
		Observed []struct {
			Plugin, Domain string
			Requests       int
			Rule           string `json:"last_rule"`
		}
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/approvals/egress", nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(list.Egress) == 0 {
		fmt.Fprintln(t, "No egress is approved.")
	} else {
		fmt.Fprintln(t, "PLUGIN\tDOMAIN\tMETHODS\tUNTIL\tIN FORCE\tID")
	}
	for _, a := range list.Egress {
		until := "–"
		if a.ExpiresAt != nil {
			until = a.ExpiresAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%t\t%s\n", plain(a.Plugin), plain(a.Domain), cmp.Or(plainAll(a.Methods, " "), "all"), until, a.InForce, a.ID)
	}
	if err := t.Flush(); err != nil || len(list.Observed) == 0 {
		return err
	}
	fmt.Fprintln(c.out, "\nRefused lately:")
	fmt.Fprintln(t, "PLUGIN\tDOMAIN\tREQUESTS\tRULE")
	for _, o := range list.Observed {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", plain(o.Plugin), plain(o.Domain), o.Requests, plain(o.Rule))
	}
	return t.Flush()
}

func approveCommand() *cobra.Command {
	return remote("approve PLUGIN DOMAIN", "Let a plugin reach a domain that its manifest declares", 2, func(c *cobra.Command) func() (map[string]any, error) {
		var methods, paths []string
		var ports []int32
		var rate int32
		var bytes int64
		var reason string
		var lasts time.Duration
		c.Flags().StringSliceVar(&methods, "methods", nil, "methods, separated by commas (default all)")
		c.Flags().StringSliceVar(&paths, "paths", nil, "beginnings of paths, separated by commas (default all)")
		c.Flags().Int32SliceVar(&ports, "ports", nil, "ports, separated by commas (default 443; plain http only where its port is named)")
		c.Flags().Int32Var(&rate, "rate", 0, "requests a minute")
		c.Flags().Int64Var(&bytes, "bytes", 0, "bytes of a body, each way")
		c.Flags().DurationVar(&lasts, "for", 0, "how long it lasts, such as 720h (default no end)")
		c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
		return func() (map[string]any, error) {
			in := map[string]any{"methods": methods, "path_prefixes": paths, "ports": ports, "reason": reason}
			if rate != 0 {
				in["rate"] = rate
			}
			if bytes != 0 {
				in["bytes"] = bytes
			}
			if lasts < 0 {
				return nil, usage{errors.New("--for is a time to come")}
			}
			if lasts > 0 {
				in["expires_at"] = time.Now().Add(lasts).UTC().Format(time.RFC3339)
			}
			return in, nil
		}
	}, func(ctx context.Context, c call) error {
		c.in["plugin"], c.in["domain"] = c.args[0], c.args[1]
		return c.told(ctx, http.MethodPost, "/admin/approvals/egress", c.in, plain(c.args[0])+" may reach "+plain(c.args[1])+".")
	})
}

// credential is what the core says of one.
type credential struct {
	Plugin, Domain, Kind, Name, Username string
	TokenURL                             string    `json:"token_url"`
	ClientID                             string    `json:"client_id"`
	SetAt                                time.Time `json:"set_at"`
}

func credentialPath(args []string) string {
	return "/admin/egress/credentials/" + url.PathEscape(args[0]) + "/" + url.PathEscape(args[1])
}

func listCredentials(ctx context.Context, c call) error {
	var list struct{ Items []credential }
	if done, err := c.raw(ctx, http.MethodGet, "/admin/egress/credentials", nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "No credential is set.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLUGIN\tDOMAIN\tKIND\tNAME\tSET")
	for _, one := range list.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", plain(one.Plugin), plain(one.Domain), one.Kind, plain(cmp.Or(one.Name, one.Username, one.ClientID)), one.SetAt.UTC().Format(time.RFC3339))
	}
	return t.Flush()
}

func credentialCommand() *cobra.Command {
	var secret io.Reader
	var prompt io.Writer
	c := remote("set PLUGIN DOMAIN", "Set a credential, in place of the one before", 2, func(c *cobra.Command) func() (map[string]any, error) {
		var header, query, user, token, client, audience string
		var scopes []string
		var inBody bool
		c.Flags().StringVar(&header, "header", "", "send it as this header, such as X-Api-Key")
		c.Flags().StringVar(&query, "query", "", "send it as this parameter of the query")
		c.Flags().StringVar(&user, "user", "", "send it as the password of this user name")
		c.Flags().StringVar(&token, "token-url", "", "get tokens here with it as client secret (OAuth 2.0)")
		c.Flags().StringVar(&client, "client-id", "", "client id, with --token-url")
		c.Flags().StringSliceVar(&scopes, "scopes", nil, "scopes, with --token-url")
		c.Flags().StringVar(&audience, "audience", "", "audience, with --token-url")
		c.Flags().BoolVar(&inBody, "in-body", false, "send client id and secret in the body, with --token-url")
		return func() (map[string]any, error) {
			in, kinds := map[string]any{}, 0
			for kind, given := range map[string]string{"header": header, "query": query, "basic": user, "oauth2": token} {
				if given != "" {
					in["kind"] = kind
					kinds++
				}
			}
			if kinds != 1 {
				return nil, usage{errors.New("say how it is shown to the host, by one of --header, --query, --user and --token-url")}
			}
			in["name"], in["username"], in["token_url"], in["client_id"] = cmp.Or(header, query), user, token, client
			in["scopes"], in["audience"], in["in_body"] = scopes, audience, inBody
			secret, prompt = c.InOrStdin(), c.ErrOrStderr()
			return in, nil
		}
	}, func(ctx context.Context, c call) error {
		text, err := newTypist(secret, prompt).ask(ctx, "Secret")
		if err != nil {
			return err
		}
		c.in["secret"] = text
		return c.told(ctx, http.MethodPut, credentialPath(c.args), c.in, "The core adds it to requests of "+plain(c.args[0])+" to "+plain(c.args[1])+".")
	})
	c.Long = "Asks for the secret, or reads it as the first line of standard input, so that it stands in no history and no process list. Nobody can read it again."
	c.Example = "  vivified egress credentials set mailer api.example.com --header X-Api-Key < key-file\n" +
		"  vivified egress credentials set mailer api.example.com --token-url https://login.example.com/token --client-id mailer --scopes mail.send"
	return c
}
