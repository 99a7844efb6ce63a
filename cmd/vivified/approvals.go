package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// approvalRequest is what the commands show of a request for approval.
type approvalRequest struct {
	ID      string
	Kind    string
	Subject string
	Object  string
	Reason  string
	State   string
	Terms   json.RawMessage
	Askers  []struct{ Name, Reason string } `json:"asked_by"`
	AskedAt time.Time                       `json:"asked_at"`
	Expires time.Time                       `json:"expires_at"`

	DecidedBy     string     `json:"decided_by_name"`
	DecidedReason string     `json:"decided_reason"`
	GivenUntil    *time.Time `json:"given_until"`
	MayDecide     bool       `json:"may_decide"`
}

func approvalsCommand() *cobra.Command {
	refuse := remote("refuse ID", "Say no to what somebody asks for", 1, reasonFlag(nil), decideRequest("deny", "Refused"))
	refuse.Aliases = []string{"deny"}
	return parent("approvals", "See what waits for somebody's word, and speak on it",
		listApprovalsCommand(),
		remote("show ID", "Show one request", 1, nil, showRequest),
		askCommand(),
		approveRequestCommand(),
		refuse,
		remote("withdraw ID", "Take back what you asked for", 1, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodPost, requestPath(c.args[0], "/withdraw"), nil, "Withdrawn.")
		}),
	)
}

func requestPath(id string, below ...string) string {
	return "/admin/approvals/" + url.PathEscape(id) + strings.Join(below, "")
}

// reasonFlag adds --reason, which has to be given, to the flags of more.
func reasonFlag(more func(*cobra.Command) func() (map[string]any, error)) func(*cobra.Command) func() (map[string]any, error) {
	return func(c *cobra.Command) func() (map[string]any, error) {
		var reason string
		c.Flags().StringVar(&reason, "reason", "", "why, for those who are concerned and for the audit")
		read := func() (map[string]any, error) { return map[string]any{}, nil }
		if more != nil {
			read = more(c)
		}
		return func() (map[string]any, error) {
			in, err := read()
			if err == nil && strings.TrimSpace(reason) == "" {
				err = usage{errors.New("say why, by --reason")}
			}
			if err == nil {
				in["reason"] = reason
			}
			return in, err
		}
	}
}

func listApprovalsCommand() *cobra.Command {
	return remote("list", "List what waits, or with --state what was decided", 0, func(c *cobra.Command) func() (map[string]any, error) {
		var state, kind, cursor string
		var mine bool
		c.Flags().StringVar(&state, "state", "waiting", "waiting, approved, denied, withdrawn or expired; empty: any")
		c.Flags().StringVar(&kind, "kind", "", "egress, widening, elevation, grant, policy or setting (default any)")
		c.Flags().BoolVar(&mine, "mine", false, "only what you asked for, or would get")
		c.Flags().StringVar(&cursor, "cursor", "", "where the page before ended")
		return func() (map[string]any, error) {
			q := url.Values{"state": {state}, "kind": {kind}, "cursor": {cursor}}
			if mine {
				q.Set("mine", "true")
			}
			return map[string]any{"query": q.Encode()}, nil
		}
	}, listRequests)
}

func listRequests(ctx context.Context, c call) error {
	var list struct {
		Items []approvalRequest
		Next  string `json:"next_cursor"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/approvals?"+c.in["query"].(string), nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing like this is there for you to see.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tSUBJECT\tOBJECT\tASKED BY\tSTATE\tUNTIL\tID")
	for _, r := range list.Items {
		by := "–"
		if len(r.Askers) > 0 {
			by = r.Askers[0].Name
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, plain(r.Subject), plain(r.Object), plain(by), r.State, r.Expires.UTC().Format(time.RFC3339), r.ID)
	}
	if err := t.Flush(); err != nil || list.Next == "" {
		return err
	}
	_, err := fmt.Fprintln(c.out, "\nThere is more: add --cursor "+plain(list.Next))
	return err
}

func showRequest(ctx context.Context, c call) error {
	var r approvalRequest
	if done, err := c.raw(ctx, http.MethodGet, requestPath(c.args[0]), nil, &r); done || err != nil {
		return err
	}
	return r.describe(c.out)
}

func (r approvalRequest) describe(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, plain(value))
		}
	}
	row("kind", r.Kind)
	row("subject", r.Subject)
	row("object", r.Object)
	if terms := string(r.Terms); terms != "{}" {
		row("terms", terms)
	}
	for _, a := range r.Askers {
		row("asked by", a.Name+": "+a.Reason)
	}
	row("state", r.State)
	row("decided by", r.DecidedBy)
	row("because", r.DecidedReason)
	if r.GivenUntil != nil {
		row("given until", r.GivenUntil.UTC().Format(time.RFC3339))
	}
	if r.State == "waiting" {
		row("waits until", r.Expires.UTC().Format(time.RFC3339))
	}
	return t.Flush()
}

// lastingFlag adds --for to the flags of a command.
func lastingFlag(c *cobra.Command, usual string) func() (time.Duration, error) {
	var lasts time.Duration
	c.Flags().DurationVar(&lasts, "for", 0, "how long it lasts, such as 72h (default "+usual+")")
	return func() (time.Duration, error) {
		if lasts < 0 {
			return 0, usage{errors.New("--for is a time to come")}
		}
		return lasts, nil
	}
}

func askCommand() *cobra.Command {
	c := remote("ask KIND SUBJECT OBJECT", "Ask for something", 3, reasonFlag(func(c *cobra.Command) func() (map[string]any, error) {
		lasts := lastingFlag(c, "no end; a trait needs one")
		return func() (map[string]any, error) {
			in := map[string]any{}
			span, err := lasts()
			if span > 0 {
				in["expires_at"] = time.Now().Add(span).UTC().Format(time.RFC3339)
			}
			return in, err
		}
	}), func(ctx context.Context, c call) error {
		c.in["kind"], c.in["subject"], c.in["object"] = c.args[0], c.args[1], c.args[2]
		if c.args[1] == "me" {
			c.in["subject"] = ""
		}
		var r approvalRequest
		if done, err := c.raw(ctx, http.MethodPost, "/admin/approvals", c.in, &r); done || err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "Asked; it waits until %s as %s.\n", r.Expires.UTC().Format(time.RFC3339), r.ID)
		return err
	})
	c.Example = "  vivified approvals ask elevation me audit_viewer --for 72h --reason 'the march audit'\n" +
		"  vivified approvals ask egress mailer api.example.com --reason 'it sends mail'\n" +
		"  vivified approvals ask setting policy_four_eyes false --reason 'there are two of us now'"
	return c
}

func approveRequestCommand() *cobra.Command {
	return remote("approve ID", "Give what somebody asks for", 1, reasonFlag(func(c *cobra.Command) func() (map[string]any, error) {
		lasts := lastingFlag(c, "as it was asked for")
		return func() (map[string]any, error) {
			in := map[string]any{}
			span, err := lasts()
			if span > 0 {
				in["for"] = span
			}
			return in, err
		}
	}), decideRequest("approve", "Approved"))
}

// decideRequest speaks on a request. What is given is what was asked for, but where
// --for says that it lasts otherwise.
func decideRequest(verb, done string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		if span, ok := c.in["for"].(time.Duration); ok {
			var asked struct{ Terms map[string]any }
			if err := c.client.do(ctx, http.MethodGet, requestPath(c.args[0]), nil, &asked); err != nil {
				return err
			}
			terms := asked.Terms
			if terms == nil {
				terms = map[string]any{}
			}
			delete(terms, "days")
			terms["expires_at"] = time.Now().Add(span).UTC().Format(time.RFC3339)
			c.in["terms"] = terms
			delete(c.in, "for")
		}
		var r approvalRequest
		if over, err := c.raw(ctx, http.MethodPost, requestPath(c.args[0], "/", verb), c.in, &r); over || err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s: %s for %s.\n", done, plain(r.Object), plain(cmp.Or(r.Subject, "you")))
		return err
	}
}
