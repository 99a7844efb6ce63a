package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func policyCommand() *cobra.Command {
	return parent("policy", "Read, check and publish the rules",
		policySub("show", "Show the rules in force; --text: as they are written", exactly(0), showPolicy),
		policySub("validate FILE", "Compile a file of rules and say what is wrong with it", exactly(1), validatePolicy),
		policySub("test [FILE]", "Run the tests kept with the draft on it, or on a file of rules", upTo(1), testPolicy),
		policySub("explain DECISION", "Say why something was allowed or denied", exactly(1), explainDecision),
		policySub("publish FILE", "Make a file the draft, and publish it when its tests pass", exactly(1), publishPolicy),
		policySub("versions", "List what was published", exactly(0), listVersions),
		policySub("diff [FROM [TO]]", "Compare versions; without names, what is published with the draft", upTo(2), diffPolicy),
		policySub("restore VERSION", "Publish an old version again", exactly(1), restorePolicy),
		policySub("shadow", "Replay recorded decisions under the draft", exactly(0), shadowPolicy),
	)
}

// policyCall is what one policy command works with.
type policyCall struct {
	call
	flags struct {
		comment string
		days    int
		limit   int
		source  bool
	}
}

func policySub(use, short string, args cobra.PositionalArgs, do func(context.Context, policyCall) error) *cobra.Command {
	var server, output string
	var p policyCall
	c := &cobra.Command{Use: use, Short: short, Args: args}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		p.call = call{client: cl, args: args, json: output == "json", out: c.OutOrStdout()}
		return do(c.Context(), p)
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	switch c.Name() {
	case "show":
		c.Flags().BoolVar(&p.flags.source, "text", false, "the administrators' rules as they are written")
	case "publish", "restore":
		c.Flags().StringVar(&p.flags.comment, "comment", "", "for those who read the versions later")
	case "shadow":
		c.Flags().IntVar(&p.flags.days, "days", 7, "how far back, 1 to 90")
		c.Flags().IntVar(&p.flags.limit, "limit", 20_000, "decisions at most, the newest first")
	}
	return c
}

// upTo wants at most n arguments, none of them empty.
func upTo(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return usage{fmt.Errorf("an argument of %s is empty", c.CommandPath())}
		}
		if len(args) > n {
			return usage{fmt.Errorf("%s takes at most %s, not %d; see %s --help", c.CommandPath(), arguments(n), len(args), c.CommandPath())}
		}
		return nil
	}
}

// maxRules is how much of a file is sent, in bytes; the core refuses less than that.
const maxRules = 1 << 20

// readRules reads a file of rules.
func readRules(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", usage{err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRules))
	if err != nil {
		return "", usage{err}
	}
	return string(text), nil
}

// policyRule is a rule as the core lists it.
type policyRule struct {
	ID       string   `json:"id"`
	Builtin  bool     `json:"builtin"`
	Effect   string   `json:"effect"`
	Sentence string   `json:"sentence"`
	Actions  []string `json:"actions"`
	Line     int      `json:"line"`
}

// standing is which version is in force.
type standing struct {
	Version   int64  `json:"version"`
	Published int64  `json:"published"`
	Broken    string `json:"broken"`
}

func showPolicy(ctx context.Context, c policyCall) error {
	var list struct {
		Items []policyRule `json:"items"`
		Now   standing     `json:"in_force"`
	}
	if c.flags.source {
		return showSource(ctx, c)
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/policies", nil, &list); done || err != nil {
		return err
	}
	if list.Now.Version == 0 {
		fmt.Fprintln(c.out, "The built-in rules are in force alone.")
	} else {
		fmt.Fprintf(c.out, "Version %d is in force.\n", list.Now.Version)
	}
	if list.Now.Broken != "" {
		fmt.Fprintf(c.out, "Version %d is not: %s\n", list.Now.Published, plain(list.Now.Broken))
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tEFFECT\tWHAT IT SAYS")
	for _, r := range list.Items {
		effect := r.Effect
		if r.Builtin {
			effect = "built in"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", plain(r.ID), effect, plain(r.Sentence))
	}
	return t.Flush()
}

// showSource writes the text of the newest version, as a file would hold it.
func showSource(ctx context.Context, c policyCall) error {
	var list struct {
		Now standing `json:"in_force"`
	}
	if err := c.client.do(ctx, http.MethodGet, "/admin/policies", nil, &list); err != nil {
		return err
	}
	if list.Now.Version == 0 {
		return nil
	}
	var v struct {
		Text string `json:"text"`
	}
	if done, err := c.raw(ctx, http.MethodGet, fmt.Sprintf("/admin/policies/versions/%d", list.Now.Version), nil, &v); done || err != nil {
		return err
	}
	return writeLines(c.out, v.Text)
}

// writeLines writes text of people line by line, each as a terminal may show it.
func writeLines(w io.Writer, text string) error {
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")
		if _, err := fmt.Fprintln(w, plain(line)); err != nil {
			return err
		}
	}
	return nil
}

// finding is what is wrong at a place of a text.
type finding struct {
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
}

func validatePolicy(ctx context.Context, c policyCall) error {
	text, err := readRules(c.args[0])
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.client.do(ctx, http.MethodPost, "/admin/policies/validate", map[string]string{"text": text}, &raw); err != nil {
		return err
	}
	var got struct {
		OK       bool         `json:"ok"`
		Findings []finding    `json:"findings"`
		Rules    []policyRule `json:"rules"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if c.json {
		if err := writeJSON(c.out, raw); err != nil {
			return err
		}
	} else {
		for _, f := range got.Findings { // as compilers write it, so that editors find the place
			fmt.Fprintf(c.out, "%s:%d:%d: %s: %s\n", plain(c.args[0]), f.Line, f.Column, f.Severity, plain(strings.TrimSpace(f.Message+" "+f.Fix)))
		}
		if got.OK {
			fmt.Fprintf(c.out, "%s compiles: %s.\n", plain(c.args[0]), counted(len(got.Rules), "rule", "rules"))
		}
	}
	if !got.OK {
		return exitCode(1)
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func testPolicy(ctx context.Context, c policyCall) error {
	in := map[string]any{"against": "draft"}
	if len(c.args) > 0 {
		text, err := readRules(c.args[0])
		if err != nil {
			return err
		}
		in["text"] = text
	}
	var raw json.RawMessage
	if err := c.client.do(ctx, http.MethodPost, "/admin/policies/test", in, &raw); err != nil {
		return err
	}
	var got struct {
		Results []struct {
			Name string `json:"name"`
			Pass bool   `json:"pass"`
			Why  string `json:"why"`
		} `json:"results"`
		Failing int `json:"failing"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if c.json {
		if err := writeJSON(c.out, raw); err != nil {
			return err
		}
	} else {
		for _, r := range got.Results {
			word := "pass"
			if !r.Pass {
				word = "FAIL"
			}
			fmt.Fprintf(c.out, "%s  %s: %s\n", word, plain(r.Name), plain(r.Why))
		}
		fmt.Fprintf(c.out, "%s, %d failing.\n", counted(len(got.Results), "test", "tests"), got.Failing)
	}
	if got.Failing > 0 {
		return exitCode(1)
	}
	return nil
}

// explainDecision writes a decision with the word of every rule on it.
func explainDecision(ctx context.Context, c policyCall) error {
	var d struct {
		At      time.Time `json:"at"`
		Action  string    `json:"action"`
		Object  string    `json:"object"`
		Outcome string    `json:"outcome"`
		Rule    string    `json:"rule"`
		Actor   struct {
			Name string `json:"name"`
			ID   string `json:"id"`
		} `json:"actor"`
		Detail struct {
			Reasons []struct {
				Rule     string   `json:"rule"`
				Outcome  string   `json:"outcome"`
				Sentence string   `json:"sentence"`
				Missing  []string `json:"missing"`
				Grantors []string `json:"grantors"`
			} `json:"reasons"`
		} `json:"detail"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/decisions/"+url.PathEscape(c.args[0]), nil, &d); done || err != nil {
		return err
	}
	who := d.Actor.Name
	if who == "" {
		who = d.Actor.ID
	}
	fmt.Fprintf(c.out, "%s asked for %s of %s at %s: %s by %s.\n", plain(who), plain(d.Action), plain(d.Object), d.At.UTC().Format(time.RFC3339), d.Outcome, plain(d.Rule))
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, r := range d.Detail.Reasons {
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Outcome, plain(r.Rule), plain(r.Sentence))
		if len(r.Missing) > 0 {
			fmt.Fprintf(t, "\t\tmissing: %s; to be asked: %s\n", plainAll(r.Missing, ", "), plainAll(r.Grantors, ", "))
		}
	}
	return t.Flush()
}
