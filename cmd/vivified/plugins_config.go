package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// configurePlugin shows a plugin's settings, or changes those that it was told to.
func configurePlugin(ctx context.Context, c call) error {
	set, _ := c.in["set"].([]string)
	unset, _ := c.in["unset"].([]string)
	reason, _ := c.in["reason"].(string)
	if len(set)+len(unset) == 0 {
		return showPluginConfig(ctx, c)
	}
	return changePluginConfig(ctx, c, set, unset, reason)
}

// pluginSettings is what the core says of a plugin's settings.
type pluginSettings struct {
	Settings map[string]any `json:"settings"`
	Version  int64          `json:"version"`
}

func showPluginConfig(ctx context.Context, c call) error {
	var conf struct {
		Settings json.RawMessage `json:"settings"`
		Version  int64           `json:"version"`
	}
	if done, err := c.raw(ctx, http.MethodGet, configOf(c.args[0]), nil, &conf); done || err != nil {
		return err
	}
	return writeJSON(c.out, conf.Settings)
}

func configOf(id string) string { return "/plugins/" + url.PathEscape(id) + "/config" }

// changePluginConfig reads the settings, changes what it was told to, and writes
// them, unless somebody else did meanwhile.
func changePluginConfig(ctx context.Context, c call, set, unset []string, reason string) error {
	conf, schema, err := readPluginConfig(ctx, c)
	if err != nil {
		return err
	}
	for _, pair := range set {
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return usage{fmt.Errorf("--set takes key=value, not %q", pair)}
		}
		if text == "-" {
			data, err := io.ReadAll(io.LimitReader(c.stdin, 64<<10))
			if err != nil {
				return err
			}
			text = strings.TrimRight(string(data), "\r\n")
		}
		put(conf.Settings, schema, strings.Split(key, "."), text)
	}
	for _, key := range unset {
		put(conf.Settings, schema, strings.Split(key, "."), nil)
	}
	in := map[string]any{"settings": conf.Settings, "version": conf.Version, "reason": reason}
	var now pluginSettings
	if done, err := c.raw(ctx, http.MethodPut, configOf(c.args[0]), in, &now); done || err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "The settings of %s have version %d; it has them within a second.\n", plain(c.args[0]), now.Version)
	return err
}

// readPluginConfig returns a plugin's settings with their numbers as they are, and
// the schema of them.
func readPluginConfig(ctx context.Context, c call) (conf pluginSettings, schema map[string]any, err error) {
	var raw json.RawMessage
	if err := c.client.do(ctx, http.MethodGet, configOf(c.args[0]), nil, &raw); err != nil {
		return conf, nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&conf); err != nil {
		return conf, nil, err
	}
	if conf.Settings == nil {
		conf.Settings = map[string]any{}
	}
	var plugin struct {
		Manifest struct {
			Schema map[string]any `json:"config_schema"`
		} `json:"manifest"`
	}
	err = c.client.do(ctx, http.MethodGet, "/plugins/"+url.PathEscape(c.args[0]), nil, &plugin)
	return conf, plugin.Manifest.Schema, err
}

// put sets, or with nil takes away, a place of a document. Where the schema wants
// a string the text is one; elsewhere it is JSON if it reads as such.
func put(doc, schema map[string]any, path []string, value any) {
	name := path[0]
	members, _ := schema["properties"].(map[string]any)
	member, _ := members[name].(map[string]any)
	if len(path) > 1 {
		below, ok := doc[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			doc[name] = below
		}
		put(below, member, path[1:], value)
		return
	}
	text, is := value.(string)
	shown, _ := doc[name].(map[string]any)
	switch {
	case !is && shown["set"] == true: // a secret is cleared by null
		doc[name] = nil
	case !is:
		delete(doc, name)
	case member["type"] != "string" && member["enum"] == nil && json.Valid([]byte(text)):
		doc[name] = json.RawMessage(text)
	default:
		doc[name] = text
	}
}
