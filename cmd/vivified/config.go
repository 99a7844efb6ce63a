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
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// settingShown is what the commands show of a setting.
type settingShown struct {
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value"`
	Layer    string          `json:"layer"`
	SetBy    string          `json:"set_by"`
	Pending  bool            `json:"pending"`
	Type     string          `json:"type"`
	Secret   bool            `json:"secret"`
	Version  int64           `json:"version"`
	Describe string          `json:"description"`
}

func configCommand() *cobra.Command {
	return parent("config", "See and change the settings of the installation",
		configSub("list", "List the settings, and which layer gives each its value", 0, listSettings),
		configSub("get KEY", "Print one setting", 1, getSetting),
		configSub("set KEY VALUE", "Change a setting in the database; - as the value reads it from standard input", 2, setSetting),
		configSub("unset KEY", "Take a setting out of the database, so that the layers below count", 1, unsetSetting),
		configSub("history", "List what was changed, by whom and why", 0, settingHistory),
		configSub("restore CHANGE", "Set a key to what that change made it", 1, restoreSetting),
		configSub("export", "Write what the database sets as YAML, secrets left out", 0, exportSettings),
		configSub("import FILE", "Set what a YAML file says; - reads standard input", 1, importSettings),
	)
}

// configCall is what one config command works with.
type configCall struct {
	call
	reason, key, plugin string
	dryRun              bool
}

func configSub(use, short string, args int, do func(context.Context, configCall) error) *cobra.Command {
	var server, output string
	var k configCall
	c := &cobra.Command{Use: use, Short: short, Args: exactly(args)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := connect(server, environment())
		if err != nil {
			return err
		}
		k.call = call{client: cl, args: args, json: output == "json", stdin: c.InOrStdin(), out: c.OutOrStdout()}
		return do(c.Context(), k)
	}
	serverFlag(c, &server)
	outputFlag(c, &output)
	switch f := c.Flags(); c.Name() {
	case "set", "unset", "restore", "import":
		f.StringVar(&k.reason, "reason", "", "why, for those who wonder later")
		if c.Name() == "import" {
			f.BoolVar(&k.dryRun, "dry-run", false, "check and say what would change, and change nothing")
		}
	case "history":
		f.StringVar(&k.key, "key", "", "of this setting alone")
		f.StringVar(&k.plugin, "plugin", "", "of this plugin's settings")
	}
	return c
}

func (c configCall) settings(ctx context.Context) (list []settingShown, done bool, err error) {
	var answer struct {
		Items []settingShown `json:"items"`
	}
	done, err = c.raw(ctx, http.MethodGet, "/admin/config?origin=1", nil, &answer)
	return answer.Items, done, err
}

func listSettings(ctx context.Context, c configCall) error {
	list, done, err := c.settings(ctx)
	if done || err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tVALUE\tFROM\tBY")
	for _, s := range list {
		from := s.Layer
		if s.Pending {
			from += " (after a restart)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", plain(s.Key), plain(shownValue(s.Value)), plain(from), plain(s.SetBy))
	}
	return t.Flush()
}

// shownValue writes a value as it is typed.
func shownValue(raw json.RawMessage) string {
	var text string
	var list []string
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, ",")
	}
	return string(raw)
}

func (c configCall) one(ctx context.Context, key string) (settingShown, error) {
	var answer struct {
		Items []settingShown `json:"items"`
	}
	if err := c.client.do(ctx, http.MethodGet, "/admin/config?origin=1", nil, &answer); err != nil {
		return settingShown{}, err
	}
	i := slices.IndexFunc(answer.Items, func(s settingShown) bool { return s.Key == key })
	if i < 0 { // the core knows a better name, or that it may not be seen
		return settingShown{}, c.client.do(ctx, http.MethodGet, "/admin/config/history?"+url.Values{"key": {key}}.Encode(), nil, nil)
	}
	return answer.Items[i], nil
}

func getSetting(ctx context.Context, c configCall) error {
	s, err := c.one(ctx, c.args[0])
	if err != nil {
		return err
	}
	if s.Key == "" {
		return fmt.Errorf("%s is not yours to see", plain(c.args[0]))
	}
	if c.json {
		raw, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return writeJSON(c.out, raw)
	}
	_, err = fmt.Fprintln(c.out, plain(shownValue(s.Value)))
	return err
}

func setSetting(ctx context.Context, c configCall) error {
	text := c.args[1]
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(c.stdin, 64<<10))
		if err != nil {
			return err
		}
		text = strings.TrimRight(string(data), "\r\n")
	}
	s, err := c.one(ctx, c.args[0])
	if err != nil {
		return err
	}
	return c.change(ctx, typedValue(s.Type, text))
}

// typedValue is text as the JSON that a setting of a type takes.
func typedValue(kind, text string) json.RawMessage {
	switch kind {
	case "int", "bool", "json":
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case "strings":
		list := []string{}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		raw, _ := json.Marshal(list)
		return raw
	}
	raw, _ := json.Marshal(text) // a string always is JSON
	return raw
}

func unsetSetting(ctx context.Context, c configCall) error {
	return c.change(ctx, json.RawMessage("null"))
}

func (c configCall) change(ctx context.Context, value json.RawMessage) error {
	var answer json.RawMessage
	in := map[string]any{"key": c.args[0], "value": value, "reason": c.reason}
	if err := c.client.do(ctx, http.MethodPut, "/admin/config", in, &answer); err != nil {
		return err
	}
	if c.json {
		return writeJSON(c.out, answer)
	}
	now, err := c.one(ctx, c.args[0])
	if err != nil {
		return err
	}
	word := ""
	if now.Pending {
		word = " after a restart"
	}
	_, err = fmt.Fprintf(c.out, "%s is %s%s (%s).\n", plain(now.Key), plain(shownValue(now.Value)), word, plain(now.Layer))
	return err
}

func settingHistory(ctx context.Context, c configCall) error {
	path := "/admin/config/history?" + url.Values{"key": {c.key}}.Encode()
	if c.plugin != "" {
		path = "/plugins/" + url.PathEscape(c.plugin) + "/config/history"
	}
	var list struct {
		Items []struct {
			ID      int64           `json:"id"`
			Key     string          `json:"key"`
			Before  json.RawMessage `json:"before"`
			After   json.RawMessage `json:"after"`
			Secret  bool            `json:"secret"`
			Version int64           `json:"version"`
			SetBy   string          `json:"set_by"`
			SetAt   time.Time       `json:"set_at"`
			Reason  string          `json:"reason"`
		} `json:"items"`
	}
	if done, err := c.raw(ctx, http.MethodGet, path, nil, &list); done || err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing has changed yet.")
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHANGE\tWHEN\tKEY\tVERSION\tBEFORE\tAFTER\tBY\tREASON")
	for _, p := range list.Items {
		before, after := shownValue(p.Before), shownValue(p.After)
		if p.Secret {
			before, after = "secret", "secret"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", p.ID, moment(&p.SetAt), plain(p.Key), p.Version, plain(before), plain(after), plain(p.SetBy), plain(p.Reason))
	}
	return t.Flush()
}

func restoreSetting(ctx context.Context, c configCall) error {
	if _, err := strconv.ParseInt(c.args[0], 10, 64); err != nil {
		return usage{fmt.Errorf("a change is a number, as `vivified config history` lists them")}
	}
	if err := c.client.do(ctx, http.MethodPost, "/admin/config/history/"+c.args[0]+"/restore", map[string]any{"reason": c.reason}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, "The setting is what that change made it.")
	return err
}

func exportSettings(ctx context.Context, c configCall) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.client.server+"/admin/config/export", nil)
	if err != nil {
		return usage{err}
	}
	if c.client.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.client.token)
	}
	answer, err := c.client.http.Do(r)
	if err != nil {
		return fmt.Errorf("no core answers at %s (%w)", c.client.server, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		return c.client.refused(answer.StatusCode, text)
	}
	_, err = c.out.Write(text)
	return err
}

func importSettings(ctx context.Context, c configCall) error {
	in := c.stdin
	if c.args[0] != "-" {
		f, err := os.Open(c.args[0])
		if err != nil {
			return usage{err}
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 1<<20+1))
	if err != nil {
		return err
	}
	var done struct {
		Settings []string `json:"settings"`
		Plugins  []string `json:"plugins"`
	}
	ask := map[string]any{"document": string(text), "dry_run": c.dryRun, "reason": c.reason}
	if end, err := c.raw(ctx, http.MethodPost, "/admin/config/import", ask, &done); end || err != nil {
		return err
	}
	word := "Set"
	if c.dryRun {
		word = "It would set"
	}
	if len(done.Settings)+len(done.Plugins) == 0 {
		_, err = fmt.Fprintln(c.out, "There is nothing to change.")
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s: %s\n", word, plainAll(append(done.Settings, done.Plugins...), ", "))
	return err
}
