package views

import "time"

// PluginConfig is the configuration tab of a plugin's page.
type PluginConfig struct {
	Head    PluginHead
	Fields  []ConfigField
	JSON    string // the twin of the form; shown when AsJSON
	AsJSON  bool
	Whole   bool   // there is no form: the schema says what none is made for
	Empty   bool   // the plugin has no settings
	Version string // that the author saw
	Missing []string
	Errors  ErrorList
	Tried   *Banner // what the plugin said of the values
	Tries   bool    // the plugin can try values
	Dirty   bool    // what is shown is not what is stored
	Why     *Why    // set when this person may not change it
	Past    []ConfigPast
	Older   string // address of the changes before those
}

// ConfigField is one place of a plugin's settings.
type ConfigField struct {
	Field   Field // named by its pointer
	Kind    string
	Pointer string
	Items   []ConfigField
	Key     string // the name of an entry of a map
	Set     bool
	SetAt   time.Time
	Restart bool
	Given   bool
	More    bool
	Fixed   bool // an item that has to stay
	Steers  bool
	Because string
	Test    bool
	Unit    string
}

// ConfigPast is one change of a setting.
type ConfigPast struct {
	ID      string
	Key     string
	Version string
	By      string
	At      time.Time
	Reason  string
	Changes []Change
	Restore *Action
}

// Settings are the settings of the installation.
type Settings struct {
	Groups []SettingGroup
	Tabs   []Tab
	Query  string
	More   string // address of the groups that follow
}

// SettingGroup is those that belong together.
type SettingGroup struct {
	Name  string
	Lines []SettingLine
}

// SettingLine is one setting with what every layer says of it.
type SettingLine struct {
	Key         string
	Description string
	Value       string
	Secret      bool
	Origin      Origin
	By          string // who, or which variable or line
	At          time.Time
	Reason      string
	Layers      []LayerLine
	Pending     bool
	Ignored     string
}

// LayerLine is what one layer says.
type LayerLine struct {
	Origin Origin
	Value  string
	By     string
	At     time.Time
}

// SettingForm asks for one setting.
type SettingForm struct {
	Line    SettingLine
	Field   Field
	Reason  Field
	Version string
	Unset   bool // the database has a value to take away
	Errors  ErrorList
}

// SettingHistory is what was changed.
type SettingHistory struct {
	Tabs  []Tab
	Key   string // of these alone, or ""
	Past  []ConfigPast
	Older string
}

// PathConfig leads to the settings of the installation.
const (
	PathConfig        = "/console/configuration"
	PathConfigHistory = PathConfig + "/history"
	PathConfigExport  = PathConfig + "/export"
	PathSecrets       = "/console/secrets"
)

// ConfigPath returns the address below a setting.
func ConfigPath(key string, below ...string) string { return join(PathConfig+"/keys", key, below) }

func (c PluginConfig) path(below ...string) string {
	return PluginPath(c.Head.ID, append([]string{"configuration"}, below...)...)
}

// twin is the address of the form, or of its JSON.
func (c PluginConfig) twin(asJSON bool) string {
	if asJSON {
		return c.path() + "?as=json"
	}
	return c.path()
}

// do is the value of a button that does something to a place of the form.
func (f ConfigField) do(verb string) string { return verb + ":" + f.Pointer }

// resets reports whether there is a default to go back to.
func (f ConfigField) resets() bool {
	return f.Given && f.Field.Placeholder != "" && f.Field.Locked == "" && (f.Kind == "text" || f.Kind == "number")
}

// origin is the layer of a plugin's setting, "" when none says anything.
func (f ConfigField) origin() Origin {
	switch {
	case f.Kind == "group" || f.Kind == "list" && len(f.Items) == 0:
		return ""
	case f.Given || f.Set:
		return FromDatabase
	case f.Field.Origin == FromDefault:
		return FromDefault
	}
	return ""
}

func jsonHelp(whole bool) string {
	help := "The same document as the form. A secret shows as {\"set\": true}: leave that to keep it, write a text to replace it, null to clear it."
	if whole {
		help = "The plugin's schema is more than a form can show. A secret shows as {\"set\": true}: leave that to keep it, write a text to replace it, null to clear it."
	}
	return help
}

// jsonError says under the JSON that it was refused; the summary says why.
func (c PluginConfig) jsonError() string {
	if len(c.Errors.Errors) > 0 {
		return "See above."
	}
	return ""
}
