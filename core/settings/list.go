package settings

import (
	"encoding/json"
	"slices"

	"github.com/vivified/vivified/core/trait"
)

// Value is a setting as one person may see it.
type Value struct {
	Key        Key
	Definition Definition
	Value      json.RawMessage // in force; of a secret: "set", or null
	Version    int64           // of the database's value, for compare-and-set; 0: the database has none
	Origin     Origin
	Layers     []LayerValue // what each layer says, the one in force first
	Editable   bool         // this person may change it now
	Pending    bool         // a restart is needed until it is in force everywhere
	Ignored    string       // why what the database holds does not count, or ""
}

// LayerValue is what one layer says of a key.
type LayerValue struct {
	Origin
	Value json.RawMessage `json:"value"` // of a secret: "set", or null
}

// MarshalJSON returns the value as the API shows it, with what was declared for
// its key beside it.
func (v Value) MarshalJSON() ([]byte, error) {
	d := v.Definition
	return json.Marshal(struct {
		Key         Key             `json:"key"`
		Value       json.RawMessage `json:"value"`
		Version     int64           `json:"version"`
		Origin                      // layer, set_by, set_at, reason
		Layers      []LayerValue    `json:"layers"`
		Editable    bool            `json:"editable"`
		Pending     bool            `json:"pending"`
		Ignored     string          `json:"ignored,omitempty"`
		Group       string          `json:"group"`
		Description string          `json:"description"`
		Type        Type            `json:"type"`
		Choices     []string        `json:"choices,omitempty"`
		Default     string          `json:"default"`
		Class       string          `json:"class"`
		Secret      bool            `json:"secret"`
		Restart     bool            `json:"restart"`
		Env         string          `json:"env"`
		EditedBy    string          `json:"edited_by"` // the trait that changes it
	}{
		v.Key, v.Value, v.Version, v.Origin, v.Layers, v.Editable, v.Pending, v.Ignored, d.Group, d.Description, d.Type, d.Choices,
		d.Default, d.Class.String(), d.Secret, d.Restart, d.Env, trait.Builtin().Get(d.Edit).Name,
	})
}

// Shown stands for a secret that has a value, wherever people look.
const Shown = "set"

// List returns the settings that a person with the traits may see or change, in
// the order of the table. No secret is among the values.
func (s *Settings) List(who trait.Set) []Value {
	now := s.current.Load()
	start, b := now, s.backing.Load()
	if b != nil {
		start = b.start
	}
	values := make([]Value, 0, keyCount)
	for _, k := range Keys() {
		if Visible(k, who) {
			values = append(values, now.value(k, start, who, b != nil))
		}
	}
	return values
}

// Visible reports whether a person with the traits may see k.
func Visible(k Key, who trait.Set) bool {
	d := &definitions[k]
	return who.Has(d.See) || who.Has(d.Edit)
}

// Requires returns the traits that are needed to change all of keys.
func Requires(keys ...Key) trait.Set {
	var need trait.Set
	for _, k := range keys {
		need = need.With(definitions[k].Edit)
	}
	return need
}

func (n *snapshot) value(k Key, start *snapshot, who trait.Set, attached bool) Value {
	d := k.Definition()
	in := n.effective(k)
	v := Value{
		Key: k, Definition: d, Value: shown(d, in), Origin: in.origin, Ignored: n.ignored[k],
		Editable: attached && who.Has(d.Edit) && d.Reach.Allows(Database),
		Pending:  d.Restart && !same(in.value, start.effective(k).value),
	}
	if row := n.layers[k][Database]; row != nil {
		v.Version = row.version
	}
	for _, l := range slices.Backward(n.layers[k][:]) {
		if l != nil {
			v.Layers = append(v.Layers, LayerValue{Origin: l.origin, Value: shown(d, l)})
		}
	}
	return v
}

// shown returns the value for people.
func shown(d Definition, s *setting) json.RawMessage {
	if !d.Secret {
		return marshal(s.value)
	}
	if s.value == "" {
		return json.RawMessage("null")
	}
	return marshal(Shown)
}
