package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func searchCommand() *cobra.Command {
	var most int
	asked := map[string]*string{}
	c := talk("search", "Find events that are kept, as far as you may see them, the newest first", exactly(0), func(ctx context.Context, c call) error {
		q := url.Values{}
		for name, value := range asked {
			if *value == "" {
				continue
			}
			at := *value
			if name == "since" || name == "until" {
				moment, err := momentOf(at, time.Now())
				if err != nil {
					return usage{fmt.Errorf("--%s: %w", name, err)}
				}
				at = moment.UTC().Format(time.RFC3339Nano)
			}
			q.Set(name, at)
		}
		return search(ctx, c, q, most)
	})
	for _, f := range []struct{ name, text string }{
		{"id", "the event of this id"},
		{"type", "only events of this type, or of all that begin so: user.*"},
		{"plugin", "only events of this publisher"},
		{"subject", "only events about this"},
		{"trace", "only events of this trace"},
		{"class", "only events that carry this class, such as pii"},
		{"since", "only events from a time on: 2026-03-17T14:00:00Z, or 2h for the last two hours"},
		{"until", "only events before a time"},
	} {
		asked[f.name] = c.Flags().String(f.name, "", f.text)
	}
	c.Flags().IntVar(&most, "count", 50, "end after so many; 0: all")
	return c
}

// momentOf reads a time, or how long before now.
func momentOf(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("a time is written 2026-03-17T14:00:00Z, or 2h for two hours ago, not %q", text)
	}
	return at, nil
}

// search shows page after page until most events were shown, or all of them.
func search(ctx context.Context, c call, q url.Values, most int) error {
	if most < 0 {
		return usage{fmt.Errorf("--count is 0 or more, not %d", most)}
	}
	for shown := 0; ; {
		const page = 200
		q.Set("limit", fmt.Sprint(page))
		if most > 0 {
			q.Set("limit", fmt.Sprint(min(page, most-shown)))
		}
		var found struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := c.client.do(ctx, http.MethodGet, "/messaging/events?"+q.Encode(), nil, &found); err != nil {
			return err
		}
		for _, raw := range found.Items {
			var e eventInfo
			if err := json.Unmarshal(raw, &e); err != nil {
				return err
			}
			if err := showEvent(c, e, raw); err != nil {
				return err
			}
		}
		if shown += len(found.Items); found.Next == "" || most > 0 && shown >= most {
			return nil
		}
		q.Set("cursor", found.Next)
	}
}
