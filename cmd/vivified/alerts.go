package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// alertsCommand is about what people should know.
func alertsCommand() *cobra.Command {
	return parent("alerts", "See, acknowledge and silence alerts, and the rules behind them",
		listAlertsCommand(),
		remote("show ID", "Show an alert and what was told of it", 1, nil, showAlert),
		remote("ack ID NOTE", "Acknowledge an alert with a note", 2, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodPost, "/admin/alerts/"+url.PathEscape(c.args[0])+"/acknowledge", map[string]any{"note": c.args[1]}, "Acknowledged.")
		}),
		remote("silence ID REASON", "Tell no channel of an alert, or with --rule of any alert of that rule, for a time", 2, func(c *cobra.Command) func() (map[string]any, error) {
			rule := c.Flags().Bool("rule", false, "ID is that of a rule")
			how := c.Flags().Duration("for", time.Hour, "for how long, from 1m to 720h")
			return func() (map[string]any, error) {
				what := "alert"
				if *rule {
					what = "rule"
				}
				return map[string]any{"what": what, "for": how.String()}, nil
			}
		}, func(ctx context.Context, c call) error {
			in := map[string]any{c.in["what"].(string): c.args[0], "reason": c.args[1], "for": c.in["for"]}
			return c.told(ctx, http.MethodPost, "/admin/alerts/silences", in, "Silenced.")
		}),
		remote("silences", "List the silences in force", 0, nil, listSilences),
		remote("unsilence ID", "End a silence before its time", 1, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodDelete, "/admin/alerts/silences/"+url.PathEscape(c.args[0]), nil, "Ended.")
		}),
		parent("rules", "See the rules behind alerts, switch them on and off, and try them on the past",
			remote("list", "List the rules", 0, nil, listAlertRules),
			remote("enable ID", "Switch a rule on", 1, nil, func(ctx context.Context, c call) error { return switchRule(ctx, c, true) }),
			remote("disable ID", "Switch a rule off", 1, nil, func(ctx context.Context, c call) error { return switchRule(ctx, c, false) }),
			remote("try ID", "Say which alerts a rule would have opened", 1, func(c *cobra.Command) func() (map[string]any, error) {
				days := c.Flags().Int("days", 7, "how many days to look back, from 1 to 90")
				return func() (map[string]any, error) { return map[string]any{"days": *days}, nil }
			}, tryRule),
		),
		remote("test CHANNEL", "Send a trial message through a channel: webhook or email", 1, nil, func(ctx context.Context, c call) error {
			return c.told(ctx, http.MethodPost, "/admin/alerts/channels/"+url.PathEscape(c.args[0])+"/try", nil, "Sent.")
		}),
	)
}

func listAlertsCommand() *cobra.Command {
	return remote("list", "List alerts, newest first", 0, func(c *cobra.Command) func() (map[string]any, error) {
		state := c.Flags().String("state", "open", "open, acknowledged, resolved, silenced or all")
		severity := c.Flags().String("severity", "", "critical, warning or info")
		return func() (map[string]any, error) {
			q := url.Values{}
			switch *state {
			case "all":
			case "silenced":
				q.Set("silenced", "true")
			case "open", "acknowledged", "resolved":
				q.Set("state", *state)
			default:
				return nil, usage{fmt.Errorf("--state is open, acknowledged, resolved, silenced or all, not %q", *state)}
			}
			if *severity != "" {
				q.Set("severity", *severity)
			}
			return map[string]any{"query": q.Encode()}, nil
		}
	}, listAlerts)
}

// alertLine is an alert as far as the table shows it.
type alertLine struct {
	ID, Rule, Title, Text, Severity, State, Note string
	Count                                        int64
	OpenedAt                                     time.Time  `json:"opened_at"`
	LastAt                                       time.Time  `json:"last_at"`
	SilencedUntil                                *time.Time `json:"silenced_until"`
	AcknowledgedBy                               string     `json:"acknowledged_by"`
}

func listAlerts(ctx context.Context, c call) error {
	var list struct{ Items []alertLine }
	if done, err := c.raw(ctx, http.MethodGet, "/admin/alerts?"+c.in["query"].(string), nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(list.Items) == 0 {
		fmt.Fprintln(t, "No alert.")
	} else {
		fmt.Fprintln(t, "SEVERITY\tSTATE\tTITLE\tTIMES\tOPENED\tLAST\tID")
	}
	for _, a := range list.Items {
		state := a.State
		if a.SilencedUntil != nil {
			state += ", silenced"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", a.Severity, state, plain(a.Title), a.Count, a.OpenedAt.UTC().Format(time.RFC3339), a.LastAt.UTC().Format(time.RFC3339), a.ID)
	}
	return t.Flush()
}

func showAlert(ctx context.Context, c call) error {
	var is struct {
		Alert   alertLine
		Notices []struct {
			Channel, Event, Error string
			SentAt                *time.Time `json:"sent_at"`
		}
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/alerts/"+url.PathEscape(c.args[0]), nil, &is); done || err != nil {
		return err
	}
	a := is.Alert
	fmt.Fprintf(c.out, "%s (%s, %s)\n%s\nOpened %s, last %s, %d times, rule %s.\n", plain(a.Title), a.Severity, a.State, plain(a.Text), a.OpenedAt.UTC().Format(time.RFC3339), a.LastAt.UTC().Format(time.RFC3339), a.Count, a.Rule)
	if a.AcknowledgedBy != "" {
		fmt.Fprintf(c.out, "Acknowledged by %s: %s\n", plain(a.AcknowledgedBy), plain(a.Note))
	}
	for _, n := range is.Notices {
		fmt.Fprintf(c.out, "%s, %s: %s\n", n.Channel, n.Event, cmp.Or(instant(n.SentAt), plain(n.Error), "waits"))
	}
	return nil
}

func listSilences(ctx context.Context, c call) error {
	var list struct {
		Items []struct {
			ID, Reason, By string
			RuleName       string `json:"rule_name"`
			Key            *string
			Until          time.Time
		}
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/alerts/silences", nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(list.Items) == 0 {
		fmt.Fprintln(t, "Nothing is silenced.")
	} else {
		fmt.Fprintln(t, "RULE\tABOUT\tREASON\tUNTIL\tBY\tID")
	}
	for _, q := range list.Items {
		about := "everything"
		if q.Key != nil {
			about = cmp.Or(plain(*q.Key), "–")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(q.RuleName), about, plain(q.Reason), q.Until.UTC().Format(time.RFC3339), plain(q.By), q.ID)
	}
	return t.Flush()
}

func listAlertRules(ctx context.Context, c call) error {
	var list struct {
		Items []struct {
			ID, Name, Severity string
			Enabled, Builtin   bool
			Changed            bool
			Channels           []string
		}
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/alerts/rules", nil, &list); done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tSEVERITY\tON\tCHANNELS\tFROM")
	for _, r := range list.Items {
		from := "people"
		switch {
		case r.Builtin && r.Changed:
			from = "shipped, changed"
		case r.Builtin:
			from = "shipped"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, plain(r.Name), r.Severity, map[bool]string{true: "yes", false: "no"}[r.Enabled], cmp.Or(strings.Join(r.Channels, ","), "console"), from)
	}
	return t.Flush()
}

// ruleAt returns a rule as it is, to be sent back changed.
func ruleAt(ctx context.Context, c call) (map[string]any, error) {
	var rule map[string]any
	err := c.client.do(ctx, http.MethodGet, "/admin/alerts/rules/"+url.PathEscape(c.args[0]), nil, &rule)
	for _, kept := range []string{"id", "builtin", "changed", "changed_by", "changed_at"} {
		delete(rule, kept)
	}
	return rule, err
}

func switchRule(ctx context.Context, c call, on bool) error {
	rule, err := ruleAt(ctx, c)
	if err != nil {
		return err
	}
	rule["enabled"] = on
	return c.told(ctx, http.MethodPut, "/admin/alerts/rules/"+url.PathEscape(c.args[0]), rule, map[bool]string{true: "It is on.", false: "It is off."}[on])
}

func tryRule(ctx context.Context, c call) error {
	rule, err := ruleAt(ctx, c)
	if err != nil {
		return err
	}
	delete(rule, "version")
	rule["days"] = c.in["days"]
	var did struct {
		Records, Matching, Total int64
		Partly                   bool
		Alerts                   []struct {
			Title   string
			Count   int64
			FirstAt time.Time `json:"first_at"`
			LastAt  time.Time `json:"last_at"`
		}
	}
	if done, err := c.raw(ctx, http.MethodPost, "/admin/alerts/rules/try", rule, &did); done || err != nil {
		return err
	}
	of := strconv.FormatInt(did.Records, 10) + " records"
	if did.Partly {
		of = "the newest " + of
	}
	fmt.Fprintf(c.out, "Of %s %d match; it would have opened %d alerts.\n", of, did.Matching, did.Total)
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, a := range did.Alerts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d times\n", a.FirstAt.UTC().Format(time.RFC3339), a.LastAt.UTC().Format(time.RFC3339), plain(a.Title), a.Count)
	}
	return t.Flush()
}
