package settings

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
)

// Key names a setting. The constants are all there are, so a name that nobody
// declared does not compile.
type Key uint8

// String returns the key's name, in lower case with underscores, as in the
// file, in the API and in the console.
func (k Key) String() string { return definitions[k].Name }

// MarshalText returns the key's name.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Definition returns what was declared for the key.
func (k Key) Definition() Definition {
	d := definitions[k]
	d.Choices = slices.Clone(d.Choices)
	return d
}

// Definition declares a setting.
type Definition struct {
	Name        string
	Group       string // heading in the console
	Env         string // environment variable; the name in upper case behind VIVIFIED_ where this is empty in the table
	Type        Type
	Choices     []string // TypeEnum: the values allowed
	Min, Max    int64    // TypeInt: bounds; TypeDuration: bounds in nanoseconds; Max 0: the bound of the type
	Default     string   // as in the environment
	Description string   // one sentence, with the unit
	Class       trait.Class
	Secret      bool // sealed in the database, never shown
	Restart     bool // what runs reads it once, at start
	Reach       Reach
	See, Edit   trait.ID // which trait shows it, which one changes it
	TwoPeople   string   // while it has this value, as in the environment, two people change it

	check func(v any) string // more than the type can say: "" or what it must be
}

// DatabaseRefusal returns the sentence that says why the key cannot be set
// while the core runs, or "".
func (d Definition) DatabaseRefusal() string {
	if d.Reach.Allows(Database) {
		return ""
	}
	how := "set " + d.Env + " or " + d.Name + " in vivified.yaml"
	if !d.Reach.Allows(File) {
		how = "set " + d.Env
	}
	return d.Name + " cannot be changed here, because " + reaches[d.Reach].why + "; " + how + " and restart."
}

// Keys returns every key, in the order of the table.
func Keys() []Key {
	keys := make([]Key, keyCount)
	for i := range keys {
		keys[i] = Key(i)
	}
	return keys
}

// ParseKey returns the key of that exact name, or an Unprocessable fault
// that suggests the nearest one.
func ParseKey(name string) (Key, error) {
	if k, ok := keyByName(name); ok {
		return k, nil
	}
	return 0, fault.New(fault.Unprocessable, "settings.unknown", "There is no setting %q.%s", clip(name), didYouMean(name, keyNames()))
}

func keyByName(name string) (Key, bool) {
	return keyWhere(func(d Definition) bool { return d.Name == name })
}

func keyByEnv(env string) (Key, bool) {
	return keyWhere(func(d Definition) bool { return d.Env == env })
}

func keyWhere(match func(Definition) bool) (Key, bool) {
	i := slices.IndexFunc(definitions[:], match)
	return Key(max(i, 0)), i >= 0
}

func keyNames() []string {
	names := make([]string, 0, keyCount)
	for _, d := range definitions {
		names = append(names, d.Name)
	}
	return names
}

// definitions is the table with what follows from the rest filled in.
var definitions = complete(declared)

func complete(table [keyCount]Definition) [keyCount]Definition {
	for i := range table {
		d := &table[i]
		d.Env = cmp.Or(d.Env, "VIVIFIED_"+strings.ToUpper(d.Name))
	}
	return table
}
