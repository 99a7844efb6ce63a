package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// maxImport bounds a document to import, in bytes.
const maxImport = 1 << 20

// Exported is what the database says, to be kept, compared, or brought to another
// installation. Of a secret it says that it is set: {"set": true}.
type Exported struct {
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	Plugins  map[string]json.RawMessage `json:"plugins,omitempty"`
}

// Export returns as YAML what the database sets and a person with the traits may
// see: settings of the installation, and all of plugins.
func (s *Settings) Export(ctx context.Context, who trait.Set, plugins []*manifest.Manifest) ([]byte, error) {
	doc := Exported{Settings: map[string]json.RawMessage{}, Plugins: map[string]json.RawMessage{}}
	for _, v := range s.List(who) {
		switch row := s.current.Load().layers[v.Key][Database]; {
		case row == nil:
		case v.Definition.Secret:
			doc.Settings[v.Key.String()] = json.RawMessage(`{"set":true}`)
		default:
			doc.Settings[v.Key.String()] = marshal(row.value)
		}
	}
	for _, m := range plugins {
		c, err := s.PluginConfig(ctx, m.ID, m)
		if err != nil {
			return nil, err
		}
		if c.Version > 0 {
			doc.Plugins[m.ID] = c.Settings
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("export the settings: %w", err)
	}
	return toYAML(raw)
}

// toYAML writes JSON as YAML, its numbers as they were.
func toYAML(raw json.RawMessage) ([]byte, error) {
	var n yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(raw, &n); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	block(&n)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), enc.Close()
}

// block writes what was JSON the way people write YAML.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	} else if n.Style == yaml.DoubleQuotedStyle && n.Tag == "!!str" {
		n.Style = 0 // quotes only where it would be read as something else
	}
	for _, c := range n.Content {
		block(c)
	}
}

// Imported says what an import changed, or would.
type Imported struct {
	Settings []string `json:"settings"` // keys
	Plugins  []string `json:"plugins"`  // ids
}

// ReadImport reads a document that [Settings.Export] wrote. Unprocessable
// settings.import with everything wrong: names nobody knows, with a suggestion.
func (s *Settings) ReadImport(text []byte) (Exported, error) {
	if len(text) > maxImport {
		return Exported{}, fault.New(fault.TooLarge, "settings.import_size", "An import is at most %d bytes.", maxImport)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return Exported{}, fault.New(fault.Unprocessable, "settings.import", "The document is not YAML.")
	}
	raw, err := yamlToJSON(&node)
	if err != nil {
		return Exported{}, fault.New(fault.Unprocessable, "settings.import", "The document has what JSON does not have, such as keys that are no text.")
	}
	var doc Exported
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return Exported{}, fault.New(fault.Unprocessable, "settings.import", "The document holds settings and plugins, each a mapping, and nothing else.")
	}
	var p problems
	for name := range doc.Settings {
		if _, ok := keyByName(name); !ok {
			p.add("settings.unknown", "/settings/"+escape(name), "There is no setting %q.%s", clip(name), didYouMean(name, keyNames()))
		}
	}
	slices.SortFunc(p, func(a, b fault.Violation) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return doc, p.err(fault.Unprocessable, "settings.import")
}

// Changes returns what of an import would be set anew for the installation.
// Secrets that are only said to be set stay as they are here.
func (s *Settings) Changes(doc Exported) []Change {
	var list []Change
	for _, k := range Keys() {
		value, ok := doc.Settings[k.String()]
		if !ok {
			continue
		}
		if v, err := decodeJSON(value); err != nil || isShown(v) {
			continue
		}
		if row := s.current.Load().layers[k][Database]; row != nil && !definitions[k].Secret && bytes.Equal(marshal(row.value), value) {
			continue
		}
		list = append(list, Change{Key: k, Value: value})
	}
	return list
}
