package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func callCommand() *cobra.Command {
	var method string
	c := remote("call PLUGIN OPERATION", "Call an operation of a plugin, as yourself", 2, func(c *cobra.Command) func() (map[string]any, error) {
		var data string
		var query []string
		var timeout time.Duration
		c.Flags().StringVar(&data, "data", "", "the body, as JSON")
		c.Flags().StringArrayVar(&query, "query", nil, "a parameter, as name=value; may be repeated")
		c.Flags().StringVar(&method, "method", "", "the method where the operation declares none (default POST with --data, else GET)")
		c.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait for the answer, such as 5s")
		return func() (map[string]any, error) {
			q := url.Values{}
			for _, pair := range query {
				name, value, ok := strings.Cut(pair, "=")
				if !ok || name == "" {
					return nil, usage{fmt.Errorf("--query takes name=value, not %q", pair)}
				}
				q.Add(name, value)
			}
			if timeout < 0 {
				return nil, usage{errors.New("--timeout is a time to come")}
			}
			if timeout > 0 {
				q.Set("timeout", strconv.FormatFloat(timeout.Seconds(), 'f', -1, 64))
			}
			in := map[string]any{"query": q.Encode()}
			if c.Flags().Changed("data") {
				in["data"] = data
			}
			return in, nil
		}
	}, func(ctx context.Context, c call) error {
		data, given := c.in["data"].(string)
		usual := http.MethodGet
		if given {
			usual = http.MethodPost
		}
		path := "/gateway/" + url.PathEscape(c.args[0]) + "/" + url.PathEscape(c.args[1])
		if q := c.in["query"].(string); q != "" {
			path += "?" + q
		}
		return c.client.carry(ctx, strings.ToUpper(cmp.Or(method, usual)), path, data, given, c.out)
	})
	c.Long = "Writes the plugin's answer to standard output as it comes. What the core refuses is said as for every command."
	c.Example = "  vivified call stock get_item --query id=7\n  vivified call stock add_item --data '{\"name\":\"tea\"}'"
	return c
}

// carry sends one request and writes the answer as it comes. An answer of 400 and
// above that is no refusal of the core is an error too, after it was written.
func (c *client) carry(ctx context.Context, method, path, data string, given bool, out io.Writer) error {
	var body io.Reader
	if given {
		body = strings.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return usage{err}
	}
	if given {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("no core answers at %s; start it with `vivified serve`, or say where it is with --server or VIVIFIED_SERVER (%w)", c.server, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 && strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return err
		}
		return c.refused(answer.StatusCode, text)
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return fmt.Errorf("the answer ended early: %w", err)
	}
	if answer.StatusCode >= 400 {
		return fmt.Errorf("the plugin answered %d", answer.StatusCode)
	}
	return nil
}
