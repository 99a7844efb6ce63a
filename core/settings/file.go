package settings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vivified/vivified/core/fault"
)

// maxFile bounds the settings file in bytes.
const maxFile = 1 << 20

// ReadFile returns the content of the settings file that env names: that of
// VIVIFIED_CONFIG, which must exist then, else of vivified.yaml in the data
// directory of env, nil when there is none.
func ReadFile(env map[string]string) ([]byte, error) {
	path, named := env[ConfigFile.Definition().Env], true
	if path == "" {
		data := DataDir.Definition()
		path, named = filepath.Join(cmp.Or(env[data.Env], data.Default), "vivified.yaml"), false
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	unreadable := fault.New(fault.Invalid, "settings.file", "The settings file %s cannot be read.", path)
	if err != nil {
		return nil, unreadable.Because(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable.Because(err)
	}
	if len(text) > maxFile {
		return nil, fault.New(fault.Invalid, "settings.file", "The settings file %s is larger than %d bytes.", path, maxFile)
	}
	return text, nil
}

// fileLayer reads the settings file: one YAML mapping from names to values.
func (p *problems) fileLayer(file []byte, into *layers) {
	dec := yaml.NewDecoder(bytes.NewReader(file))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF:
		return
	case err != nil:
		p.add("settings.file", "", "The settings file is not YAML: %v.", err)
		return
	}
	if err := dec.Decode(&more); err != io.EOF {
		p.add("settings.file", "", "The settings file must hold one YAML document.")
		return
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		p.add("settings.file", "", "The settings file must be a mapping of names to values.")
		return
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		p.fileSetting(name, value, into)
	}
}

func (p *problems) fileSetting(name, value *yaml.Node, into *layers) {
	where := fmt.Sprintf("line %d", name.Line)
	k, ok := keyByName(name.Value)
	d := definitions[k]
	switch {
	case name.Kind != yaml.ScalarNode:
		p.add("settings.file", "", "The settings file has a name on %s that is not text.", where)
		return
	case slices.Contains(masterKeyNames, "VIVIFIED_"+upper(name.Value)):
		p.add("settings.unknown", "/"+name.Value, "A master key is no setting: remove %s from the settings file (%s) and use the environment.", name.Value, where)
		return
	case !ok:
		p.add("settings.unknown", "/"+clip(name.Value), "The settings file names an unknown setting %q on %s.%s", clip(name.Value), where, didYouMean(name.Value, keyNames()))
		return
	case into[k][File] != nil:
		p.add("settings.twice", "/"+d.Name, "The settings file sets %s twice; the second time on %s.", d.Name, where)
		return
	case !d.Reach.Allows(File):
		p.add("settings.reach", "/"+d.Name, "%s cannot be set in the settings file (%s), because %s; set %s.", d.Name, where, reaches[d.Reach].why, d.Env)
		return
	}
	raw, err := yamlToJSON(value)
	if err != nil {
		p.add("settings.value", "/"+d.Name, "%s, in the settings file on %s, cannot be read as YAML.", d.Name, where)
		return
	}
	if string(raw) == "null" {
		return // "name:" with nothing behind it says nothing
	}
	v, must := d.parseJSON(raw)
	if must != "" {
		p.add("settings.value", "/"+d.Name, "%s, in the settings file on %s, %s.", d.Name, where, must)
		return
	}
	into[k][File] = &setting{value: v, origin: Origin{Layer: File, SetBy: where}}
}

// yamlToJSON returns a YAML value as JSON. Aliases are followed within the
// decoder's own limits; what JSON does not have is an error.
func yamlToJSON(n *yaml.Node) (json.RawMessage, error) {
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
