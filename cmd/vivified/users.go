package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// person is what the commands show of somebody.
type person struct {
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	Name      string     `json:"name"`
	Source    string     `json:"source"`
	Status    string     `json:"status"`
	Roles     []string   `json:"roles"`
	Traits    []string   `json:"traits"`
	LastLogin *time.Time `json:"last_login_at"`
	Effective []struct {
		Trait string `json:"trait"`
		From  []struct {
			From string `json:"from"`
			Name string `json:"name"`
		} `json:"from"`
		Expires *time.Time `json:"expires_at"`
	} `json:"effective"`
}

// usersCommand looks after the accounts of people. WHO is an id or an address.
func usersCommand() *cobra.Command {
	return parent("users", "Accounts of people",
		userSub("list", "List the people", 0, listUsers),
		userSub("show WHO", "Show one person, and where each trait comes from", 1, showUser),
		userSub("invite EMAIL", "Invite a person; shows the link this once", 1, inviteUser),
		userSub("suspend WHO", "Sign a person out everywhere and keep them out", 1, setStatus("suspended")),
		userSub("reactivate WHO", "Let a suspended person in again", 1, setStatus("active")),
		userSub("delete WHO", "Delete an account; what it did stays in the audit", 1, deleteUser),
		userSub("grant WHO TRAIT", "Give a person a trait, or with --role a role", 2, grantTo),
		userSub("revoke WHO TRAIT", "Take a trait that was given directly, or with --role a role", 2, revokeFrom),
		breakGlassCommand(),
	)
}

// userCall is what one users command works with.
type userCall struct {
	call
	flags struct {
		text, status, source, role, group, trait, cursor string // of list
		limit                                            int
		name, reason                                     string
		roles                                            []string
		isRole                                           bool
		days                                             int
	}
}

func userSub(use, short string, args int, do func(context.Context, userCall) error) *cobra.Command {
	var server, output string
	var u userCall
	c := &cobra.Command{Use: use, Short: short, Args: exactly(args)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		u.call = call{client: cl, args: args, json: output == "json", out: c.OutOrStdout()}
		return do(c.Context(), u)
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	f := c.Flags()
	switch c.Name() {
	case "list":
		f.StringVar(&u.flags.text, "search", "", "part of a name or address")
		f.StringVar(&u.flags.status, "status", "", "active, invited or suspended")
		f.StringVar(&u.flags.source, "source", "", "local or oidc")
		f.StringVar(&u.flags.role, "role", "", "who hold this role")
		f.StringVar(&u.flags.group, "group", "", "who are in the group of this id")
		f.StringVar(&u.flags.trait, "trait", "", "who have this trait, by any way")
		f.StringVar(&u.flags.cursor, "cursor", "", "where the page before ended")
		f.IntVar(&u.flags.limit, "limit", 50, "people at most, up to 200")
	case "invite":
		f.StringVar(&u.flags.name, "name", "", "the person's name (default: what stands before the @)")
		f.StringSliceVar(&u.flags.roles, "role", nil, "roles to give, separated by commas")
	case "suspend":
		f.StringVar(&u.flags.reason, "reason", "", "why; kept in the audit")
	case "grant":
		f.StringVar(&u.flags.reason, "reason", "", "why; kept in the audit")
		f.IntVar(&u.flags.days, "days", 0, "after how many days it ends (default: not by itself)")
		f.BoolVar(&u.flags.isRole, "role", false, "it names a role, not a trait")
	case "revoke":
		f.BoolVar(&u.flags.isRole, "role", false, "it names a role, not a trait")
	}
	return c
}

// who returns the path of the person that the first argument names.
func (c userCall) who(ctx context.Context) (string, error) {
	if id, err := uuid.Parse(c.args[0]); err == nil {
		return "/admin/users/" + id.String(), nil
	}
	var list struct {
		Items []person `json:"items"`
	}
	if err := c.client.do(ctx, http.MethodGet, "/admin/users?"+url.Values{"q": {c.args[0]}, "limit": {"200"}}.Encode(), nil, &list); err != nil {
		return "", err
	}
	for _, p := range list.Items {
		if strings.EqualFold(p.Email, c.args[0]) {
			return "/admin/users/" + url.PathEscape(p.ID), nil
		}
	}
	return "", fmt.Errorf("nobody has the address %s; `vivified users list` shows who there is", plain(c.args[0]))
}

func listUsers(ctx context.Context, c userCall) error {
	q := url.Values{"limit": {strconv.Itoa(c.flags.limit)}}
	for name, value := range map[string]string{
		"q": c.flags.text, "status": c.flags.status, "source": c.flags.source, "role": c.flags.role, "group": c.flags.group, "trait": c.flags.trait, "cursor": c.flags.cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var list struct {
		Items []person `json:"items"`
		Next  string   `json:"next_cursor"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/users?"+q.Encode(), nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "Nobody fits all of this.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "EMAIL\tNAME\tSTATUS\tSOURCE\tROLES\tLAST SEEN")
	for _, p := range list.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(p.Email), plain(p.Name), plain(p.Status), plain(p.Source), plainAll(p.Roles, ", "), moment(p.LastLogin))
	}
	if err := t.Flush(); err != nil || list.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(c.out, "There are more: --cursor %s\n", plain(list.Next))
	return err
}

// moment writes a time that may never have been.
func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func showUser(ctx context.Context, c userCall) error {
	path, err := c.who(ctx)
	if err != nil {
		return err
	}
	var p person
	if done, err := c.raw(ctx, http.MethodGet, path, nil, &p); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Name\t%s\nEmail\t%s\nId\t%s\nStatus\t%s\nSource\t%s\nRoles\t%s\nLast seen\t%s\n\n", plain(p.Name), plain(p.Email), plain(p.ID), plain(p.Status), plain(p.Source), plainAll(p.Roles, ", "), moment(p.LastLogin))
	fmt.Fprintln(t, "TRAIT\tFROM\tENDS")
	for _, e := range p.Effective {
		var from []string
		for _, f := range e.From {
			from = append(from, strings.TrimSpace(f.From+" "+f.Name))
		}
		ends := "-"
		if e.Expires != nil {
			ends = moment(e.Expires)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", plain(e.Trait), plainAll(from, ", "), ends)
	}
	return t.Flush()
}

func inviteUser(ctx context.Context, c userCall) error {
	name := c.flags.name
	if name == "" {
		name, _, _ = strings.Cut(c.args[0], "@")
	}
	var made struct {
		URL     string    `json:"invite_url"`
		Expires time.Time `json:"expires_at"`
	}
	if done, err := c.raw(ctx, http.MethodPost, "/admin/users", map[string]any{"email": c.args[0], "name": name, "roles": c.flags.roles}, &made); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "Send this link to %s. It works once, until %s, and is not shown again.\n%s\n", plain(c.args[0]), moment(&made.Expires), plain(made.URL))
	return err
}

// change asks for a change of the person named, and says what became of it.
func (c userCall) change(ctx context.Context, method, below string, in any, said string) error {
	path, err := c.who(ctx)
	if err != nil {
		return err
	}
	var answer struct{}
	if done, err := c.raw(ctx, method, path+below, in, &answer); done || err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, said)
	return err
}

func setStatus(status string) func(context.Context, userCall) error {
	return func(ctx context.Context, c userCall) error {
		in := map[string]any{"status": status}
		if c.flags.reason != "" {
			in["reason"] = c.flags.reason
		}
		return c.change(ctx, http.MethodPatch, "", in, plain(c.args[0])+" is "+status+".")
	}
}

func deleteUser(ctx context.Context, c userCall) error {
	return c.change(ctx, http.MethodDelete, "", nil, plain(c.args[0])+" is deleted.")
}

func grantTo(ctx context.Context, c userCall) error {
	if c.flags.days < 0 || c.flags.days > 36500 {
		return usage{fmt.Errorf("--days is a number of days to come")}
	}
	in := map[string]any{"reason": c.flags.reason}
	if c.flags.days > 0 {
		in["expires_at"] = time.Now().AddDate(0, 0, c.flags.days).UTC().Truncate(time.Second)
	}
	said := plain(c.args[0]) + " has " + plain(c.args[1]) + "."
	if c.flags.isRole {
		return c.change(ctx, http.MethodPut, "/roles/"+url.PathEscape(c.args[1]), in, said)
	}
	in["trait"] = c.args[1]
	return c.change(ctx, http.MethodPost, "/traits", in, said)
}

func revokeFrom(ctx context.Context, c userCall) error {
	below := "/traits/"
	if c.flags.isRole {
		below = "/roles/"
	}
	return c.change(ctx, http.MethodDelete, below+url.PathEscape(c.args[1]), nil, plain(c.args[1])+" is taken from "+plain(c.args[0])+".")
}
