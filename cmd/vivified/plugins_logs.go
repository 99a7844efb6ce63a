package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// lineInfo is what the commands show of a line that a plugin wrote.
type lineInfo struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Stream string    `json:"stream"`
	Text   string    `json:"text"`
}

func logsCommand() *cobra.Command {
	var follow bool
	var search, stream string
	var most int
	var since time.Duration
	c := talk("logs ID", "Show what a plugin wrote that the core runs", exactly(1), func(ctx context.Context, c call) error {
		q := url.Values{"limit": {strconv.Itoa(most)}}
		for name, value := range map[string]string{"q": search, "stream": stream} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if since > 0 {
			q.Set("since", time.Now().Add(-since).UTC().Format(time.RFC3339))
		}
		return showLogs(ctx, c, q, follow)
	})
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what it writes, until interrupted")
	c.Flags().StringVar(&search, "search", "", "only lines that hold this text")
	c.Flags().StringVar(&stream, "stream", "", "only lines of stdout or stderr")
	c.Flags().IntVar(&most, "last", 100, "at most so many lines, the newest; up to 1000")
	c.Flags().DurationVar(&since, "since", 0, "only lines of the last so long, such as 15m")
	return c
}

// showLogs shows the newest lines, and with follow each new one. Between the two
// nothing is lost: the stream begins after the last line that was shown.
func showLogs(ctx context.Context, c call, q url.Values, follow bool) error {
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := c.client.do(ctx, http.MethodGet, pluginPath(c.args[0], "/logs?", q.Encode()), nil, &page); err != nil {
		return err
	}
	var last uint64
	show := func(raw []byte) error {
		var l lineInfo
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		last = l.Seq
		if c.json {
			_, err := fmt.Fprintf(c.out, "%s\n", raw)
			return err
		}
		return writeLine(c.out, l)
	}
	for _, raw := range page.Items {
		if err := show(raw); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	q.Del("limit")
	if last > 0 {
		q.Set("after", strconv.FormatUint(last, 10))
	}
	return c.client.events(ctx, pluginPath(c.args[0], "/logs/stream?", q.Encode()), func() error { return nil }, show)
}

func writeLine(w io.Writer, l lineInfo) error {
	_, err := fmt.Fprintf(w, "%s  %s  %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), l.Stream, plain(l.Text))
	return err
}

func runsCommand() *cobra.Command {
	return talk("runs ID", "Show the runs of a plugin that the core starts, and what it uses now", exactly(1), func(ctx context.Context, c call) error {
		var answer struct {
			Items []struct {
				Instance string     `json:"instance"`
				Version  string     `json:"version"`
				Started  time.Time  `json:"started_at"`
				Ended    *time.Time `json:"ended_at"`
				Cause    string     `json:"cause"`
				Words    string     `json:"words"`
			} `json:"items"`
			Uses *struct {
				CPU    float64 `json:"cpu_seconds"`
				Memory int64   `json:"memory_bytes"`
				PIDs   int     `json:"processes"`
			} `json:"uses"`
		}
		if done, err := c.raw(ctx, http.MethodGet, pluginPath(c.args[0], "/runs"), nil, &answer); done || err != nil {
			return err
		}
		if u := answer.Uses; u != nil {
			fmt.Fprintf(c.out, "It uses %.1f MiB of memory, %d processes, and used %.2f s of a processor.\n", float64(u.Memory)/(1<<20), u.PIDs, u.CPU)
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "INSTANCE\tVERSION\tSTARTED\tENDED\tHOW")
		for _, r := range answer.Items {
			ended := "-"
			if r.Ended != nil {
				ended = r.Ended.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", plain(r.Instance), plain(r.Version), r.Started.UTC().Format(time.RFC3339), ended, plain(r.Words))
		}
		return t.Flush()
	})
}
