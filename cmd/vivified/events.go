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

// eventInfo is what the commands show of an event.
type eventInfo struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Source   string          `json:"source"`
	Time     time.Time       `json:"time"`
	Classes  []string        `json:"classification"`
	Data     json.RawMessage `json:"data"`
	Redacted []string        `json:"redacted"`
	Withheld string          `json:"withheld"`
}

func eventsCommand() *cobra.Command {
	return parent("events", "Watch, publish and replay events", tailCommand(), searchCommand(), publishCommand(), replayCommand(), lettersCommand())
}

// talk returns a command that talks to a core; do gets what was asked for.
func talk(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, c call) error) *cobra.Command {
	var server, output string
	c := &cobra.Command{Use: use, Short: short, Args: args}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		return do(c.Context(), call{client: cl, args: args, json: output == "json", stdin: c.InOrStdin(), out: c.OutOrStdout()})
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	return c
}

func tailCommand() *cobra.Command {
	q, last, most := url.Values{}, 0, 0
	var typ, plugin, subject, trace string
	c := talk("tail", "Show events as they are published, as far as you may see them", exactly(0), func(ctx context.Context, c call) error {
		for name, value := range map[string]string{"type": typ, "plugin": plugin, "subject": subject, "trace": trace} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return tail(ctx, c, q, last, most)
	})
	c.Flags().StringVar(&typ, "type", "", "only events of this type, or of all that begin so: user.*")
	c.Flags().StringVar(&plugin, "plugin", "", "only events of this publisher")
	c.Flags().StringVar(&trace, "trace", "", "only events of this trace")
	c.Flags().StringVar(&subject, "subject", "", "only events about this")
	c.Flags().IntVar(&last, "last", 10, "begin with so many that were published before, at most 200")
	c.Flags().IntVar(&most, "count", 0, "end after so many (default: go on until interrupted)")
	return c
}

// tail shows the newest events, then each new one, until most were shown. Those
// that come while the first are shown are not shown twice.
func tail(ctx context.Context, c call, q url.Values, last, most int) error {
	if last < 0 || last > 200 {
		return usage{fmt.Errorf("--last is a number from 0 to 200, not %d", last)}
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	seen, shown := map[string]bool{}, 0
	show := func(raw []byte) error {
		var e eventInfo
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		if seen[e.ID] || ctx.Err() != nil {
			return nil
		}
		if shown++; shown == most {
			end()
		}
		return showEvent(c, e, raw)
	}
	return c.client.events(ctx, "/messaging/events/tail?"+q.Encode(), func() error {
		if last == 0 {
			return nil
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		older := url.Values{"limit": {fmt.Sprint(last)}}
		for name := range q {
			older.Set(name, q.Get(name))
		}
		if err := c.client.do(ctx, http.MethodGet, "/messaging/events?"+older.Encode(), nil, &page); err != nil {
			return err
		}
		for i := len(page.Items) - 1; i >= 0; i-- {
			if err := show(page.Items[i]); err != nil {
				return err
			}
			var e eventInfo
			if json.Unmarshal(page.Items[i], &e) == nil {
				seen[e.ID] = true
			}
		}
		return nil
	}, show)
}

func showEvent(c call, e eventInfo, raw []byte) error {
	if c.json {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	data := string(e.Data)
	switch {
	case e.Withheld != "":
		data = "(" + e.Withheld + ")"
	case len(e.Redacted) > 0:
		data += "  without " + strings.Join(e.Redacted, ", ")
	}
	_, err := fmt.Fprintf(c.out, "%s  %s  %s  %s  %s\n", e.Time.UTC().Format(time.RFC3339Nano), plain(e.Type), plain(e.Source), plain(e.ID), plain(data))
	return err
}

func publishCommand() *cobra.Command {
	var id, subject string
	var labels []string
	c := talk("publish TYPE DATA", "Publish an event, with a plugin's token in VIVIFIED_TOKEN", exactly(2), func(ctx context.Context, c call) error {
		data := []byte(c.args[1])
		if c.args[1] == "-" {
			var err error
			if data, err = io.ReadAll(io.LimitReader(c.stdin, 2<<20)); err != nil {
				return err
			}
		}
		if !json.Valid(data) {
			return usage{fmt.Errorf("the data of an event is JSON; %q is not", plain(c.args[1]))}
		}
		c.in = map[string]any{"event_type": c.args[0], "payload": json.RawMessage(data)}
		for name, value := range map[string]string{"id": id, "subject": subject} {
			if value != "" {
				c.in[name] = value
			}
		}
		if len(labels) > 0 {
			c.in["data_traits"] = labels
		}
		return publishEvent(ctx, c)
	})
	c.Long = "Publish an event. The credential is that of the plugin whose manifest declares the type: set VIVIFIED_TOKEN to its token.\nDATA is JSON; - reads it from the standard input."
	c.Flags().StringVar(&id, "id", "", "the event's own id; published twice under one id, it is delivered once")
	c.Flags().StringVar(&subject, "subject", "", "what it is about; events about the same keep their order")
	c.Flags().StringSliceVar(&labels, "class", nil, "classes of its data, separated by commas, such as pii")
	return c
}

func publishEvent(ctx context.Context, c call) error {
	var done struct {
		EventID   string `json:"event_id"`
		Duplicate bool   `json:"duplicate"`
		Waiting   bool   `json:"waiting"`
	}
	if over, err := c.raw(ctx, http.MethodPost, "/messaging/events", c.in, &done); over || err != nil {
		return err
	}
	word := "is published"
	switch {
	case done.Duplicate:
		word = "was published before; nothing is delivered twice"
	case done.Waiting:
		word = "is kept, and delivered once the bus answers"
	}
	_, err := fmt.Fprintf(c.out, "%s %s.\n", plain(done.EventID), word)
	return err
}

func replayCommand() *cobra.Command {
	var to, consumer, since, reason string
	var beginning bool
	c := talk("replay [EVENT]", "Deliver an event once more, or everything from some point on", atMost(1), func(ctx context.Context, c call) error {
		in := map[string]any{"reason": reason, "consumer": consumer}
		path := "/messaging/consumers/" + url.PathEscape(to) + "/replay"
		switch {
		case to == "":
			return usage{fmt.Errorf("--to says which plugin is to receive it")}
		case len(c.args) == 1 && since == "" && !beginning:
			in["plugin"], path = to, "/messaging/events/"+url.PathEscape(c.args[0])+"/replay"
		case len(c.args) == 0 && since != "" && !beginning:
			if at, err := time.Parse(time.RFC3339, since); err == nil {
				in["time"] = at
			} else {
				in["event_id"] = since
			}
		case len(c.args) == 0 && since == "" && beginning:
			in["beginning"] = true
		default:
			return usage{fmt.Errorf("name one EVENT, or --since, or --beginning")}
		}
		var done struct {
			Status string `json:"status"`
		}
		if over, err := c.raw(ctx, http.MethodPost, path, in, &done); over || err != nil {
			return err
		}
		what := "Everything from there on is"
		if len(c.args) == 1 {
			what = plain(c.args[0]) + " is"
		}
		_, err := fmt.Fprintf(c.out, "%s on the way to %s once more.\n", what, plain(to))
		return err
	})
	c.Flags().StringVar(&to, "to", "", "the plugin that is to receive it")
	c.Flags().StringVar(&consumer, "consumer", "", "the name of the plugin's stream, where it gave it one")
	c.Flags().StringVar(&since, "since", "", "everything from a time (2026-03-17T14:00:00Z) or from the event of an id on")
	c.Flags().BoolVar(&beginning, "beginning", false, "everything that is kept")
	c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
	return c
}

// letterInfo is what the commands show of a dead letter.
type letterInfo struct {
	ID       string    `json:"id"`
	Plugin   string    `json:"plugin"`
	EventID  string    `json:"event_id"`
	Type     string    `json:"event_type"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
	State    string    `json:"state"`
}

func lettersCommand() *cobra.Command {
	var plugin, typ, state, reason, allOf string
	list := talk("list", "List deliveries that were given up", exactly(0), func(ctx context.Context, c call) error {
		q := url.Values{"limit": {"500"}}
		for name, value := range map[string]string{"plugin": plugin, "type": typ, "state": state} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return listLetters(ctx, c, q)
	})
	list.Flags().StringVar(&plugin, "plugin", "", "only those of this receiver")
	list.Flags().StringVar(&typ, "type", "", "only those of events of this type")
	list.Flags().StringVar(&state, "state", "waiting", "waiting, replayed, discarded, or empty for all")
	replay := talk("replay [ID]", "Deliver one once more, or all that wait for a plugin", atMost(1), func(ctx context.Context, c call) error {
		if (len(c.args) == 1) == (allOf != "") {
			return usage{fmt.Errorf("name one dead letter, or the plugin with --all-of")}
		}
		if allOf != "" {
			var done struct {
				Replayed int `json:"replayed"`
			}
			if over, err := c.raw(ctx, http.MethodPost, "/messaging/dead-letters/replay", map[string]any{"plugin": allOf, "reason": reason}, &done); over || err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.out, "%d on the way to %s once more.\n", done.Replayed, plain(allOf))
			return err
		}
		return settleLetter(ctx, c, "replay", reason)
	})
	replay.Flags().StringVar(&allOf, "all-of", "", "all that wait for this plugin")
	discard := talk("discard ID", "Settle one that is not to be delivered", exactly(1), func(ctx context.Context, c call) error {
		return settleLetter(ctx, c, "discard", reason)
	})
	for _, c := range []*cobra.Command{replay, discard} {
		c.Flags().StringVar(&reason, "reason", "", "why, for those who wonder later")
	}
	return parent("dead-letters", "See and settle deliveries that were given up", list, replay, discard)
}

func listLetters(ctx context.Context, c call, q url.Values) error {
	var page struct {
		Items []letterInfo `json:"items"`
	}
	if done, err := c.raw(ctx, http.MethodGet, "/messaging/dead-letters?"+q.Encode(), nil, &page); done || err != nil {
		return err
	}
	if len(page.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "No dead letter fits.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tGIVEN UP\tEVENT\tRECEIVER\tTRIES\tSTATE\tREASON")
	for _, l := range page.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, l.Time.UTC().Format(time.RFC3339), plain(l.Type), plain(l.Plugin), l.Attempts, l.State, plain(l.Reason))
	}
	return t.Flush()
}

func settleLetter(ctx context.Context, c call, verb, reason string) error {
	var l letterInfo
	path := "/messaging/dead-letters/" + url.PathEscape(c.args[0]) + "/" + verb
	if done, err := c.raw(ctx, http.MethodPost, path, map[string]any{"reason": reason}, &l); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s for %s is %s.\n", plain(l.Type), plain(l.Plugin), l.State)
	return err
}
