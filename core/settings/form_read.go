package settings

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// FormDo is what a button of a form asks for besides saving.
type FormDo struct{ Verb, Pointer string }

// What a FormDo may ask for.
const (
	DoAdd    = "add"    // another item in the list or map at the pointer
	DoRemove = "remove" // the item at the pointer
	DoReset  = "reset"  // the default of the place
)

// ReadForm returns the document that a person typed into the form of a plugin's
// settings: before, as it was shown, with what the inputs say. Secrets that were
// left blank stay away or as they are shown, which keeps them; see
// [Settings.SetPluginConfig]. What the person may not change, what was not asked
// for and what no control is made for stays as it was.
//
// do, unless it is zero, is done to the document; then blank items stay.
// Text that no value can be read from is Unprocessable config.invalid.
func ReadForm(m *manifest.Manifest, before json.RawMessage, in url.Values, do FormDo, who trait.Set) (json.RawMessage, error) {
	root, err := decodeSchema(m.ConfigSchema)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(before)
	if err != nil {
		return nil, fault.New(fault.Invalid, "config.malformed", "The settings cannot be read as JSON.").Because(err)
	}
	r := &formReader{formBuilder: formBuilder{root: root, who: who}, in: in, do: do, keep: do.Verb != ""}
	whole, _ := v.(map[string]any)
	next := r.members(r.node(root), whole, "", "")
	if err := r.problems.err(fault.Unprocessable, "config.invalid"); err != nil {
		return encodeJSON(next), err
	}
	return encodeJSON(next), nil
}

// formReader reads what was typed.
type formReader struct {
	formBuilder
	in       url.Values
	do       FormDo
	keep     bool // blank items too
	problems problems
}

// members reads an object.
func (r *formReader) members(at node, before map[string]any, pointer, locked string) map[string]any {
	next := maps.Clone(before)
	if next == nil {
		next = map[string]any{}
	}
	for _, name := range at.ordered() {
		member := r.node(at.property(name))
		if at.ruledOut(name) || member.constant() {
			continue
		}
		was, had := before[name]
		value, ok := r.value(member, was, had, pointer+"/"+escape(name), locked)
		if ok {
			next[name] = value
		} else {
			delete(next, name)
		}
	}
	if forms := at.forms(&r.formBuilder); forms != nil && locked == "" {
		next = r.oneOf(at, forms, next, before, pointer)
	}
	if at.open() {
		r.entries(at, next, pointer, at.ordered(), locked)
	}
	return next
}

// oneOf reads which form was chosen, and its members.
func (r *formReader) oneOf(at node, forms []form, next, before map[string]any, pointer string) map[string]any {
	was := chosenForm(forms, before)
	chosen := was
	if text := r.in.Get(pointer + formMark); text != "" {
		if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < len(forms) {
			chosen = i
		}
	}
	if chosen < 0 {
		return next
	}
	if chosen != was && was >= 0 {
		for name := range forms[was].properties() {
			if _, stays := forms[chosen].properties()[name]; !stays && at.property(name) == nil {
				delete(next, name)
			}
		}
	}
	next = r.members(forms[chosen].node, next, pointer, "")
	maps.Copy(next, forms[chosen].fixed)
	return next
}

// value reads one place, and whether there is a value.
func (r *formReader) value(at node, was any, had bool, pointer, locked string) (any, bool) {
	if locked == "" {
		locked = r.locked(at)
	}
	if locked != "" {
		return was, had
	}
	if r.do == (FormDo{DoReset, pointer}) {
		return nil, false
	}
	kind := r.kindAt(at, pointer, had)
	if shown, ok := was.(map[string]any); ok && isShown(shown) {
		kind = SecretField
	}
	switch kind {
	case GroupField:
		if !had && !r.typed(pointer) {
			return nil, false
		}
		before, _ := was.(map[string]any)
		next := r.members(at, before, pointer, "")
		return next, had || len(next) > 0
	case ListField:
		return r.list(at, was, had, pointer)
	case MapField:
		return r.mapping(at, was, had, pointer)
	}
	texts, asked := r.in[pointer]
	switch {
	case !asked && kind != SecretField, len(texts) == 0:
		return was, had
	case kind == SecretField && r.in.Get(pointer+clearMark) != "":
		return nil, true
	}
	text := texts[len(texts)-1]
	if text == "" && kind != SwitchField {
		if kind == SecretField {
			return was, had
		}
		return nil, false
	}
	return r.scalar(at, kind, text, pointer, had)
}

// typed reports whether the form has an input below a pointer.
func (r *formReader) typed(pointer string) bool {
	for name := range r.in {
		if strings.HasPrefix(name, pointer) && len(name) > len(pointer) && strings.ContainsRune("/#", rune(name[len(pointer)])) {
			return true
		}
	}
	return false
}

// scalar reads a value from a text that is not empty.
func (r *formReader) scalar(at node, kind FieldKind, text, pointer string, had bool) (any, bool) {
	switch kind {
	case SwitchField:
		on := text == "on"
		_, byDefault := at.m["default"]
		return on, on || had || byDefault
	case NumberField:
		if n := json.Number(text); isNumber(text) {
			return n, true
		}
		return text, true // the schema says what it must be
	case ChoiceField, JSONField:
		v, err := decodeJSON([]byte(text))
		if err != nil {
			r.problems.add("config.malformed", pointer, "%s cannot be read as JSON.", title(strings.Split(strings.TrimPrefix(pointer, "/"), "/")))
			return nil, false
		}
		return v, true
	case SecretField:
		if t := at.text("type"); t != "" && t != "string" {
			if v, err := decodeJSON([]byte(text)); err == nil {
				return v, true
			}
		}
		return text, true
	}
	return strings.ReplaceAll(text, "\r\n", "\n"), true
}

// isNumber reports whether text is a JSON number.
func isNumber(text string) bool {
	v, err := decodeJSON([]byte(text))
	_, ok := v.(json.Number)
	return err == nil && ok
}

// list reads the items of a list, as many as the form said it has.
func (r *formReader) list(at node, was any, had bool, pointer string) (any, bool) {
	n, err := strconv.Atoi(r.in.Get(pointer + countMark))
	if err != nil || n < 0 || n > maxChoices {
		return was, had
	}
	before, _ := was.([]any)
	item := r.node(at.items())
	next := []any{}
	for i := range n {
		below := pointer + "/" + itoa(i)
		if r.do == (FormDo{DoRemove, below}) {
			continue
		}
		var old any
		if i < len(before) {
			old = before[i]
		}
		v, ok := r.value(item, old, true, below, "")
		if m, is := v.(map[string]any); is && len(m) == 0 {
			ok = false
		}
		if ok || r.keep {
			next = append(next, v)
		}
	}
	if r.do == (FormDo{DoAdd, pointer}) && len(next) < maxChoices {
		next = append(next, blank(item))
	}
	return next, had || len(next) > 0
}

// blank is the value of an item that nothing was typed into yet.
func blank(at node) any {
	if at.kind() == GroupField {
		return map[string]any{}
	}
	return nil
}

// mapping reads an object whose members are all named by the person.
func (r *formReader) mapping(at node, was any, had bool, pointer string) (any, bool) {
	if r.in.Get(pointer+countMark) == "" {
		return was, had
	}
	before, _ := was.(map[string]any)
	next := maps.Clone(before)
	if next == nil {
		next = map[string]any{}
	}
	r.entries(at, next, pointer, nil, "")
	return next, had || len(next) > 0
}

// entries reads the members that people name, into next. declared are not among them.
func (r *formReader) entries(at node, next map[string]any, pointer string, declared []string, locked string) {
	n, err := strconv.Atoi(r.in.Get(pointer + countMark))
	if err != nil || n < 0 || n > maxChoices || locked != "" {
		return
	}
	value, old := r.node(at.values()), maps.Clone(next)
	maps.DeleteFunc(next, func(name string, _ any) bool { return !slices.Contains(declared, name) })
	names := slices.Sorted(maps.Keys(old))
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(declared, name) })
	for i := range n {
		below := pointer + entryMark + itoa(i)
		name := strings.TrimSpace(r.in.Get(below + keyMark))
		if r.do == (FormDo{DoRemove, below}) || slices.Contains(declared, name) || name == "" && !r.keep {
			continue
		}
		var was any
		if i < len(names) {
			was = old[names[i]]
		}
		v, ok := r.value(value, was, true, below, "")
		if _, twice := next[name]; twice && name != "" {
			r.problems.add("config.twice", pointer, "The name %s stands twice.", title([]string{name}))
		}
		if ok {
			next[name] = v
		} else if r.keep {
			next[name] = ""
		}
	}
	if r.do == (FormDo{DoAdd, pointer}) {
		if _, there := next[""]; !there {
			next[""] = blank(value)
		}
	}
}
