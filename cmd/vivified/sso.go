package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// identityProvider is what the commands show of one.
type identityProvider struct {
	ID, Name, Issuer string
	ClientID         string  `json:"client_id"`
	SecretAt         *string `json:"client_secret_set_at"`
	Enabled          bool
	Scopes, Domains  []string
	Rules            []struct{ Claim, Match, Value, Kind, Give string }
	Redirect         string `json:"redirect_uri"`
	SignedOut        string `json:"post_logout_redirect_uri"`
	Backchannel      string `json:"backchannel_logout_uri"`
}

func ssoCommand() *cobra.Command {
	return parent("sso", "Identity providers that people sign in by",
		remote("list", "List the providers", 0, nil, listProviders),
		remote("show ID", "Show one provider, and what to register there", 1, nil, showProvider),
		addProviderCommand(),
		remote("test ID", "Ask a provider what it is, and for its keys", 1, nil, testProvider),
		remote("remove ID", "Remove a provider; what it gave is taken away, and the sessions it began end", 1, nil, removeProvider),
	)
}

func providerPath(id string, below ...string) string {
	return "/admin/sso/" + url.PathEscape(id) + strings.Join(below, "")
}

func listProviders(ctx context.Context, c call) error {
	var list struct {
		Items []identityProvider
		Local bool `json:"local_login"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/sso", nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(list.Items) == 0 {
		fmt.Fprintln(t, "There is no identity provider.")
	} else {
		fmt.Fprintln(t, "ID\tNAME\tISSUER\tSTATE")
	}
	for _, p := range list.Items {
		state := "off"
		if p.Enabled {
			state = "on"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.ID, plain(p.Name), plain(p.Issuer), state)
	}
	if err := t.Flush(); err != nil || list.Local {
		return err
	}
	_, err := fmt.Fprintln(c.out, "\nPasswords kept here sign nobody in.")
	return err
}

func showProvider(ctx context.Context, c call) error {
	var p identityProvider
	if done, err := c.raw(ctx, http.MethodGet, providerPath(c.args[0]), nil, &p); done || err != nil {
		return err
	}
	return p.describe(c.out)
}

func (p identityProvider) describe(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, plain(value))
		}
	}
	row("id", p.ID)
	row("name", p.Name)
	row("issuer", p.Issuer)
	row("client id", p.ClientID)
	secret := "none: a public client"
	if p.SecretAt != nil {
		secret = "set " + *p.SecretAt
	}
	row("client secret", secret)
	row("scopes", strings.Join(p.Scopes, " "))
	row("domains", strings.Join(p.Domains, " "))
	for _, r := range p.Rules {
		row("mapping", strings.Join(strings.Fields(r.Claim+" "+r.Match+" "+r.Value), " ")+" gives "+r.Kind+" "+r.Give)
	}
	row("redirect URI", p.Redirect)
	row("after sign-out", p.SignedOut)
	row("back-channel", p.Backchannel)
	return t.Flush()
}

func addProviderCommand() *cobra.Command {
	var public bool
	var secret io.Reader
	var prompt io.Writer
	c := remote("add ID", "Add a provider", 1, func(c *cobra.Command) func() (map[string]any, error) {
		var name, issuer, client string
		var scopes, domains, maps, amr, acr []string
		var create, trust, off bool
		f := c.Flags()
		f.StringVar(&name, "name", "", "on the button of the sign-in page (default the id)")
		f.StringVar(&issuer, "issuer", "", "its address, letter by letter as it writes it")
		f.StringVar(&client, "client-id", "", "as it knows this installation")
		f.BoolVar(&public, "public", false, "a public client, without a secret")
		f.StringSliceVar(&scopes, "scopes", nil, "separated by commas (default openid,email,profile)")
		f.StringSliceVar(&domains, "domains", nil, "of addresses that may sign in, separated by commas (default any)")
		f.BoolVar(&create, "create", false, "add people at their first sign-in")
		f.BoolVar(&trust, "trust-email", false, "it owns its addresses, and need not say that they are verified")
		f.StringSliceVar(&amr, "factor-amr", nil, "values of amr that say that a second factor was shown, separated by commas")
		f.StringSliceVar(&acr, "factor-acr", nil, "likewise of acr, which is asked for")
		f.StringArrayVar(&maps, "map", nil, "give a role by a claim: groups=auditors:auditor (may stand several times)")
		f.BoolVar(&off, "off", false, "switched off at first")
		return func() (map[string]any, error) {
			if issuer == "" || client == "" {
				return nil, usage{errors.New("say who it is and as whom it knows this installation, by --issuer and --client-id")}
			}
			rules := []map[string]string{}
			for _, m := range maps {
				r, err := mapping(m)
				if err != nil {
					return nil, err
				}
				rules = append(rules, r)
			}
			secret, prompt = c.InOrStdin(), c.ErrOrStderr()
			return map[string]any{
				"name": name, "issuer": issuer, "client_id": client, "scopes": scopes, "domains": domains, "rules": rules, "enabled": !off,
				"options": map[string]any{"create": create, "trust_email": trust, "sign_out": true, "factor_amr": amr, "factor_acr": acr},
			}, nil
		}
	}, func(ctx context.Context, c call) error {
		c.in["id"] = c.args[0]
		c.in["name"] = cmp.Or(c.in["name"].(string), c.args[0])
		if !public {
			text, err := newTypist(secret, prompt).ask(ctx, "Client secret")
			if err != nil {
				return err
			}
			c.in["client_secret"] = text
		}
		var p identityProvider
		if done, err := c.raw(ctx, http.MethodPost, "/admin/sso", c.in, &p); done || err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s is added. Register there:\nredirect URI        %s\nafter sign-out      %s\nback-channel logout %s\n", plain(p.Name), p.Redirect, p.SignedOut, p.Backchannel)
		return err
	})
	c.Long = "Asks for the client secret, or reads it as the first line of standard input, so that it stands in no history and no process list."
	c.Example = "  vivified sso add okta --issuer https://acme.okta.com --client-id 0oa1b2c3d4 --scopes openid,email,profile,groups --map groups=auditors:auditor < secret-file"
	return c
}

// mapping reads claim=value:role; without a value the claim has to be there.
func mapping(text string) (map[string]string, error) {
	rest, role, ok := cutLast(text, ":")
	claim, value, says := strings.Cut(rest, "=")
	if !ok || claim == "" || role == "" {
		return nil, usage{fmt.Errorf("--map is claim=value:role, not %q", text)}
	}
	r := map[string]string{"claim": claim, "match": "present", "kind": "role", "give": role}
	if says {
		r["match"], r["value"] = "equals", value
	}
	return r, nil
}

// cutLast cuts text at the last sep.
func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

func testProvider(ctx context.Context, c call) error {
	var found struct {
		OK           bool
		Problem, Fix string
		Algorithms   []string
		SigningKeys  int `json:"signing_keys"`
	}
	if done, err := c.raw(ctx, http.MethodPost, providerPath(c.args[0], "/check"), nil, &found); done || err != nil {
		return err
	}
	if !found.OK {
		return fmt.Errorf("%s %s", plain(found.Problem), plain(found.Fix))
	}
	_, err := fmt.Fprintf(c.out, "It answers as it must, and signs by %s with %d keys.\n", plainAll(found.Algorithms, ", "), found.SigningKeys)
	return err
}

func removeProvider(ctx context.Context, c call) error {
	if err := c.client.do(ctx, http.MethodDelete, providerPath(c.args[0]), nil, nil); err != nil {
		return err
	}
	if c.json {
		return writeJSON(c.out, map[string]string{"status": "removed"})
	}
	_, err := fmt.Fprintf(c.out, "%s is removed.\n", plain(c.args[0]))
	return err
}
