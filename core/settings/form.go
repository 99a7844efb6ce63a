package settings

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// FieldKind is how one place of a plugin's settings is asked for.
type FieldKind string

// The kinds.
const (
	TextField   FieldKind = "text"   // a string
	NumberField FieldKind = "number" // a number or an integer
	SwitchField FieldKind = "switch" // a boolean
	ChoiceField FieldKind = "choice" // one of Choices: an enum, or the forms of a oneOf whose Items follow
	SecretField FieldKind = "secret" // never shown
	GroupField  FieldKind = "group"  // an object: Items
	ListField   FieldKind = "list"   // an array: Items
	MapField    FieldKind = "map"    // names of one's own choice: Items
	JSONField   FieldKind = "json"   // what no control is made for: JSON, so that nothing is dropped
)

// Form is the settings of a plugin as people edit them.
type Form struct {
	Fields  []*FormField
	Whole   bool   // the schema is too large, or says what no form is made for: edit the JSON
	JSON    string // the twin: the same document, secrets as they are shown
	Version int64
}

// FormField is one place of the settings with what its schema says of it.
type FormField struct {
	Pointer     string // JSON Pointer into the settings; also the name of the input
	Kind        FieldKind
	Label, Help string
	Placeholder string
	Text        string // value of a text, number or JSON field
	On          bool   // of a switch
	Set         bool   // of a secret: it has a value
	SetAt       string // RFC 3339
	Choices     []FormChoice
	Items       []*FormField
	Key         string // of an entry of a map
	More        bool   // a list or map may take another
	Least       int    // items a list must keep
	Required    bool
	Given       bool   // it has a value of its own, not the default
	Default     string // as it would be typed; "" without one
	Min, Max    string
	MaxLength   int
	Format      string
	Long        bool   // asks for several lines
	Restart     bool   // the plugin restarts when it changes
	Locked      string // why this person cannot change it, or ""
	Because     string // why it is asked for: what another field says
	Steers      bool   // what is asked for besides depends on it
	Test        bool   // its values can be tried
}

// FormChoice is one of several values. Value is what the input sends.
type FormChoice struct {
	Value, Label string
	Chosen       bool
}

// What one form may hold. Beyond, all of it is JSON, so that a hostile schema
// costs its plugin a nice form and the console nothing.
const (
	maxFormFields = 250
	maxFormDepth  = 8   // levels there may be values in
	maxBlankDepth = 3   // levels that are asked for before there are
	maxFormText   = 300 // bytes of a label or help
	maxChoices    = 100
)

// PluginForm returns the form of a plugin's settings for a person with the
// traits, filled in with doc, a document as people are shown it, or with what is
// stored when doc is nil.
func (s *Settings) PluginForm(ctx context.Context, m *manifest.Manifest, doc json.RawMessage, who trait.Set) (*Form, error) {
	now, err := s.PluginConfig(ctx, m.ID, m)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		doc = now.Settings
	}
	f, err := buildForm(m.ConfigSchema, doc, who)
	if err != nil {
		return nil, err
	}
	f.Version = now.Version
	return f, nil
}

// buildForm makes the form of a schema and a document.
func buildForm(schema, doc json.RawMessage, who trait.Set) (*Form, error) {
	raw, err := decodeSchema(schema)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(doc)
	if err != nil {
		return nil, err
	}
	b := &formBuilder{root: raw, who: who}
	whole, _ := v.(map[string]any)
	f := &Form{JSON: indented(v)}
	at := b.node(raw)
	if b.kindAt(at, "", true) != GroupField {
		f.Whole = len(schema) > 0
		return f, nil
	}
	f.Fields = b.members(at, whole, "", "")
	if b.fields > maxFormFields {
		f.Whole, f.Fields = true, nil
	}
	return f, nil
}

func decodeSchema(schema json.RawMessage) (map[string]any, error) {
	if len(schema) == 0 {
		return map[string]any{"type": "object"}, nil
	}
	v, err := decodeJSON(schema)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

// indented writes JSON for people.
func indented(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // v was decoded from JSON
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
}

// formBuilder makes fields.
type formBuilder struct {
	root   map[string]any
	who    trait.Set
	fields int
}

// members returns the fields of an object. locked is why all of them are.
func (b *formBuilder) members(at node, in map[string]any, pointer, locked string) []*FormField {
	var list []*FormField
	steering := at.steering()
	for _, name := range at.ordered() {
		if b.fields > maxFormFields {
			return nil
		}
		member := b.node(at.property(name))
		if at.ruledOut(name) || member.constant() {
			continue
		}
		because, shown := at.shows(name, in)
		if !shown {
			continue
		}
		value, given := in[name]
		f := b.field(member, value, given, pointer+"/"+escape(name), label(member, name), locked)
		f.Required = slices.Contains(at.strings("required"), name)
		f.Because, f.Steers = because, steering[name]
		list = append(list, f)
	}
	if forms := at.forms(b); forms != nil {
		list = append(list, b.oneOf(at, forms, in, pointer, locked)...)
	}
	if at.open() {
		list = append(list, b.entries(at, in, pointer, locked))
	}
	return list
}

// oneOf asks which form an object has, and for the members of that one.
func (b *formBuilder) oneOf(at node, forms []form, in map[string]any, pointer, locked string) []*FormField {
	choice := &FormField{Pointer: pointer + formMark, Kind: ChoiceField, Label: "Kind", Steers: true, Locked: locked, Required: true}
	chosen := chosenForm(forms, in)
	if chosen < 0 {
		choice.Choices = append(choice.Choices, FormChoice{"", "–", true})
	}
	for i, f := range forms {
		choice.Choices = append(choice.Choices, FormChoice{itoa(i), f.label, i == chosen})
	}
	choice.Given = chosen >= 0
	list := []*FormField{choice}
	if chosen >= 0 {
		list = append(list, b.members(forms[chosen].node, in, pointer, locked)...)
	}
	return list
}

// field returns the field of one place.
func (b *formBuilder) field(at node, v any, given bool, pointer, name, locked string) *FormField {
	b.fields++
	f := &FormField{
		Pointer: pointer, Label: name, Help: clipText(at.text("description")), Placeholder: clipText(at.text("ui:placeholder")),
		Given: given, Restart: at.flag("x-restart"), Locked: locked, Test: at.flag("x-test"),
	}
	if help := at.text("ui:help"); help != "" {
		f.Help = clipText(help)
	}
	if f.Locked == "" {
		f.Locked = b.locked(at)
	}
	f.Kind = b.kindAt(at, pointer, given)
	if d, ok := at.m["default"]; ok && f.Kind != SecretField {
		f.Default = typed(d)
		if !given {
			v = d
		}
	}
	if shown, ok := v.(map[string]any); ok && isShown(shown) {
		f.Kind = SecretField // sealed, whatever the schema says of it now
	}
	b.fill(f, at, v)
	return f
}

// fill puts a value into its field.
func (b *formBuilder) fill(f *FormField, at node, v any) {
	switch f.Kind {
	case SecretField:
		if shown, ok := v.(map[string]any); ok && isShown(shown) {
			f.Set = shown["set"] == true
			f.SetAt, _ = shown["set_at"].(string)
		}
	case SwitchField:
		f.On = v == true
	case ChoiceField:
		b.choices(f, at, v)
	case GroupField:
		in, _ := v.(map[string]any)
		f.Items = b.members(at, in, f.Pointer, f.Locked)
	case ListField:
		items, _ := v.([]any)
		f.Least = at.count("minItems", 0)
		f.More = len(items) < min(at.count("maxItems", maxChoices), maxChoices)
		item := b.node(at.items())
		for i, value := range items {
			f.Items = append(f.Items, b.field(item, value, true, f.Pointer+"/"+itoa(i), f.Label+" "+itoa(i+1), f.Locked))
		}
	case MapField:
		in, _ := v.(map[string]any)
		*f = *b.mapped(f, at, in)
	case JSONField:
		f.Text, f.Long = "", true
		if v != nil {
			f.Text = indented(v)
		}
	case TextField, NumberField:
		f.Text = typed(v)
		if at.text("ui:widget") == "textarea" {
			f.Long = true
		}
		f.Min, f.Max = typed(at.m["minimum"]), typed(at.m["maximum"])
		f.MaxLength, f.Format = at.count("maxLength", 0), at.text("format")
	}
}

// choices are the values of an enum.
func (b *formBuilder) choices(f *FormField, at node, v any) {
	values, _ := at.m["enum"].([]any)
	labels, _ := at.m["ui:options"].(map[string]any)
	names, _ := labels["labels"].(map[string]any)
	chosen := ""
	if v != nil {
		chosen = string(encodeJSON(v))
	}
	if chosen == "" || !f.Given {
		word := "–"
		if f.Default != "" {
			word = "Default: " + f.Default
		}
		f.Choices = append(f.Choices, FormChoice{"", word, !f.Given})
	}
	for _, value := range values[:min(len(values), maxChoices)] {
		c := FormChoice{Value: string(encodeJSON(value)), Label: clipText(typed(value))}
		if text, ok := names[typed(value)].(string); ok {
			c.Label = clipText(text)
		}
		c.Chosen = f.Given && c.Value == chosen
		f.Choices = append(f.Choices, c)
	}
}

// entries is the field of the members of an object that have names of their own.
func (b *formBuilder) entries(at node, in map[string]any, pointer, locked string) *FormField {
	rest := maps.Clone(in)
	for _, name := range at.ordered() {
		delete(rest, name)
	}
	return b.mapped(&FormField{Pointer: pointer, Kind: MapField, Label: "Others", Locked: locked}, at, rest)
}

func (b *formBuilder) mapped(f *FormField, at node, in map[string]any) *FormField {
	value := b.node(at.values())
	for i, name := range slices.Sorted(maps.Keys(in)) {
		item := b.field(value, in[name], true, f.Pointer+entryMark+itoa(i), name, f.Locked)
		item.Key = name
		f.Items = append(f.Items, item)
	}
	f.More = len(in) < min(at.count("maxProperties", maxChoices), maxChoices)
	return f
}

// locked says why the person cannot change a place, or "".
func (b *formBuilder) locked(at node) string {
	switch lock := at.m["x-lock"].(type) {
	case string:
		return clipText(lock)
	case bool:
		if lock {
			return "The plugin's author has fixed it."
		}
	}
	if name := at.text("x-trait"); name != "" && !holds(b.who, name) {
		return "Needs the trait " + clipText(name) + "."
	}
	return ""
}

// holds reports whether a set has the built-in trait of that name. A trait
// nobody knows is nobody's.
func holds(who trait.Set, name string) bool {
	need, unknown := trait.Builtin().Parse([]string{name})
	return len(unknown) == 0 && who.Covers(need)
}

// label names a field: its title, or its name in words.
func label(at node, name string) string {
	if title := at.text("title"); title != "" {
		return clipText(title)
	}
	words := strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(name))
	if words == "" {
		return name
	}
	return clipText(strings.ToUpper(words[:1]) + words[1:])
}

func clipText(s string) string {
	if len(s) > maxFormText {
		return strings.ToValidUTF8(s[:maxFormText], "") + "…"
	}
	return s
}

// typed writes a scalar as a person would type it.
func typed(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "on"
		}
		return "off"
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return string(encodeJSON(v))
}
