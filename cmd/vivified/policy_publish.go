package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"
)

// published is what came of asking to publish.
type published struct {
	Version *struct {
		Number int64 `json:"version"`
	} `json:"version"`
	Waiting *struct {
		ID        string    `json:"id"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"waiting"`
}

// tell says what came of it.
func (p published) tell(c policyCall) error {
	if p.Version != nil {
		_, err := fmt.Fprintf(c.out, "Version %d is in force.\n", p.Version.Number)
		return err
	}
	if p.Waiting != nil {
		_, err := fmt.Fprintf(c.out, "It waits for a second person until %s.\n", p.Waiting.ExpiresAt.UTC().Format(time.RFC3339))
		return err
	}
	return nil
}

// publishPolicy makes a file the draft and publishes it. Somebody else's edit of
// the draft meanwhile is refused, not overwritten.
func publishPolicy(ctx context.Context, c policyCall) error {
	text, err := readRules(c.args[0])
	if err != nil {
		return err
	}
	var draft struct {
		Text     string `json:"text"`
		Revision int64  `json:"revision"`
		Changed  bool   `json:"changed"`
		EditedAs string `json:"edited_as"`
	}
	if err := c.client.do(ctx, http.MethodGet, "/admin/policies/draft", nil, &draft); err != nil {
		return err
	}
	if err := c.client.do(ctx, http.MethodPut, "/admin/policies/draft", map[string]any{"text": text, "revision": draft.Revision}, &draft); err != nil {
		return err
	}
	var out published
	if done, err := c.raw(ctx, http.MethodPost, "/admin/policies/publish", map[string]any{"revision": draft.Revision, "comment": c.flags.comment}, &out); done || err != nil {
		return err
	}
	return out.tell(c)
}

func restorePolicy(ctx context.Context, c policyCall) error {
	n, err := strconv.ParseInt(c.args[0], 10, 64)
	if err != nil || n < 1 {
		return usage{fmt.Errorf("%q is not the number of a version", c.args[0])}
	}
	var out published
	path := fmt.Sprintf("/admin/policies/versions/%d/restore", n)
	if done, err := c.raw(ctx, http.MethodPost, path, map[string]string{"comment": c.flags.comment}, &out); done || err != nil {
		return err
	}
	return out.tell(c)
}

func listVersions(ctx context.Context, c policyCall) error {
	var list struct {
		Items []struct {
			Number   int64     `json:"version"`
			Comment  string    `json:"comment"`
			Author   string    `json:"author_name"`
			Approver string    `json:"approver_name"`
			At       time.Time `json:"published_at"`
			Restored int64     `json:"restored"`
			Tests    int       `json:"tests"`
		} `json:"items"`
		Next string   `json:"next_cursor"`
		Now  standing `json:"in_force"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/policies/versions?limit=200", nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing was published yet.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tPUBLISHED\tBY\tTESTS\tCOMMENT")
	for _, v := range list.Items {
		number, by, comment := strconv.FormatInt(v.Number, 10), v.Author, v.Comment
		if v.Number == list.Now.Version {
			number += " *"
		}
		if v.Approver != "" {
			by += ", " + v.Approver
		}
		if v.Restored > 0 {
			comment = fmt.Sprintf("brings back %d. %s", v.Restored, comment)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", number, v.At.UTC().Format(time.RFC3339), plain(by), v.Tests, plain(comment))
	}
	if list.Next != "" {
		fmt.Fprintln(t, "…\tolder ones: GET /admin/policies/versions?cursor="+plain(list.Next)+"\t\t\t")
	}
	return t.Flush()
}

func diffPolicy(ctx context.Context, c policyCall) error {
	q := url.Values{}
	for i, name := range []string{"from", "to"} {
		if i < len(c.args) {
			q.Set(name, c.args[i])
		}
	}
	var d struct {
		From    string `json:"from"`
		To      string `json:"to"`
		Unified string `json:"unified"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/admin/policies/diff?"+q.Encode(), nil, &d); done || err != nil {
		return err
	}
	if d.Unified == "" {
		_, err := fmt.Fprintf(c.out, "%s and %s do not differ.\n", plain(d.From), plain(d.To))
		return err
	}
	return writeLines(c.out, d.Unified)
}

// shadowRun is a replay as the core tells of it.
type shadowRun struct {
	Shadow struct {
		ID       string  `json:"id"`
		State    string  `json:"state"`
		Why      string  `json:"why"`
		Replayed int64   `json:"replayed"`
		Skipped  int64   `json:"skipped"`
		Flips    int64   `json:"flips"`
		Drifts   int64   `json:"drifts"`
		Progress float64 `json:"progress"`
	} `json:"shadow"`
	Flips []struct {
		Kind     string `json:"kind"`
		Was      string `json:"was"`
		Now      string `json:"now"`
		Action   string `json:"action"`
		Caller   string `json:"caller"`
		Target   string `json:"target"`
		Count    int64  `json:"count"`
		Decision string `json:"decision_id"`
	} `json:"flips"`
}

// flipWords says what a kind of flip means.
var flipWords = map[string]string{"denied": "would be denied", "allowed": "would be allowed", "rule": "another rule"}

// shadowPolicy starts a replay and waits for its end; interrupted, it cancels it.
func shadowPolicy(ctx context.Context, c policyCall) error {
	var begun struct {
		ID string `json:"id"`
	}
	if err := c.client.do(ctx, http.MethodPost, "/admin/policies/shadow", map[string]int{"days": c.flags.days, "limit": c.flags.limit}, &begun); err != nil {
		return err
	}
	path := "/admin/policies/shadow/" + url.PathEscape(begun.ID)
	var raw json.RawMessage
	var run shadowRun
	for {
		if err := c.client.do(ctx, http.MethodGet, path, nil, &raw); err != nil {
			return err
		}
		run = shadowRun{}
		if err := json.Unmarshal(raw, &run); err != nil {
			return err
		}
		if run.Shadow.State != "running" {
			break
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return c.client.do(last, http.MethodDelete, path, nil, nil)
		case <-time.After(250 * time.Millisecond):
		}
	}
	if c.json {
		if err := writeJSON(c.out, raw); err != nil {
			return err
		}
	} else if err := run.tell(c); err != nil {
		return err
	}
	if run.Shadow.State != "done" {
		return exitCode(1)
	}
	return nil
}

func (r shadowRun) tell(c policyCall) error {
	s := r.Shadow
	fmt.Fprintf(c.out, "%s: %s replayed, %d would come out otherwise; %d have changed already since they were recorded. %s\n",
		s.State, counted(int(s.Replayed), "decision", "decisions"), s.Flips, s.Drifts, plain(s.Why))
	if len(r.Flips) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIMES\tWHAT\tCALLER\tACTION\tTARGET\tWAS\tWOULD BE\tDECISION")
	for _, f := range r.Flips {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Count, flipWords[f.Kind], plain(f.Caller), plain(f.Action), plain(f.Target), plain(f.Was), plain(f.Now), f.Decision)
	}
	return t.Flush()
}
