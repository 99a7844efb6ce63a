package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

// mailConfig is the form of a plugin with one of everything, one of it wrong.
func mailConfig() views.PluginConfig {
	field := func(kind, pointer, label, value string) views.ConfigField {
		return views.ConfigField{Kind: kind, Pointer: pointer, Given: value != "", Field: views.Field{Name: pointer, ID: "c-" + pointer[1:], Label: label, Value: value}}
	}
	provider := field("choice", "/provider", "Provider", "smtp")
	provider.Field.Type, provider.Steers, provider.Restart = views.Select, true, true
	provider.Field.Options = []views.Option{{Value: `"smtp"`, Label: "SMTP relay", Selected: true}, {Value: `"http"`, Label: "HTTP API"}}
	port := field("number", "/port", "Port", "70000")
	port.Field.Error, port.Field.Placeholder, port.Field.Help = "port must be at most 65535.", "587", "Blank uses the default: 587."
	password := field("secret", "/password", "Password", "")
	password.Field.Type, password.Set, password.SetAt, password.Field.Wanted = views.Password, true, ago(9000*time.Hour), true
	domains := field("list", "/domains", "Sender domains", "")
	domains.More, domains.Items = true, []views.ConfigField{field("text", "/domains/0", "Sender domains 1", "northgate.example")}
	labels := field("map", "/labels", "Labels", "")
	label := field("text", "/labels/+0", "team", "mail")
	label.Key = "team"
	labels.Items = []views.ConfigField{label}
	hold := field("switch", "/hold", "Hold messages", "")
	hold.Field.Type, hold.Field.Checked = views.Switch, true
	auth := field("group", "/auth", "Sign-in", "")
	auth.Items = []views.ConfigField{field("text", "/auth/realm", "Realm", "r")}
	limit := field("number", "/limit", "Largest message", "10")
	limit.Field.Locked, limit.Because = "Set by the installer.", "Asked because hold is on."
	return views.PluginConfig{
		Head: configHead(), Version: "3", Tries: true, Dirty: true, Fields: []views.ConfigField{provider, port, password, domains, labels, hold, auth, limit},
		Errors: views.Errors("1 value needs a correction; nothing was saved", port.Field), Past: pastChanges(),
		Tried: &views.Banner{Tone: views.Warn, Title: "It does not work.", Text: "The relay does not know this user."},
	}
}

func pastChanges() []views.ConfigPast {
	return []views.ConfigPast{
		{ID: "4", Key: "/port", Version: "3", By: "Mara Lindqvist", At: ago(time.Hour), Reason: "the new relay", Changes: []views.Change{{Name: "/port", Before: "25", After: "587"}},
			Restore: &views.Action{Label: "Restore version 2", Icon: "undo-2", Href: views.PluginPath("hello-lurker", "configuration", "restore", "2")}},
		{ID: "3", Key: "/password", Version: "2", By: "Mara Lindqvist", At: ago(2 * time.Hour), Changes: []views.Change{{Name: "/password", Added: true, Before: "a secret", After: "another secret"}}},
	}
}

func jsonConfig() views.PluginConfig {
	return views.PluginConfig{Head: configHead(), AsJSON: true, JSON: "{\n  \"host\": \"mx\"\n}", Version: "1", Missing: []string{"Password"}}
}

func settingLine() views.SettingLine {
	return views.SettingLine{Key: "metrics_token", Description: "Bearer token that reads /metrics.", Value: "set", Secret: true, Origin: views.FromDatabase, By: "Mara Lindqvist", At: ago(time.Hour), Pending: true,
		Ignored: "The value in the database does not count.", Layers: []views.LayerLine{
			{Origin: views.FromDatabase, Value: "set", By: "Mara Lindqvist", At: ago(time.Hour)}, {Origin: views.FromEnvironment, Value: "set", By: "VIVIFIED_METRICS_TOKEN"}, {Origin: views.FromDefault},
		}}
}

func allSettings() views.Settings {
	return views.Settings{Tabs: []views.Tab{{Label: "Settings", Href: views.PathConfig, Current: true}, {Label: "Changes", Href: views.PathConfigHistory}},
		Groups: []views.SettingGroup{{Name: "Serving", Lines: []views.SettingLine{settingLine(), {Key: "log_level", Description: "Least severe message.", Value: "info", Origin: views.FromDefault}}}}}
}

func settingForm() views.SettingForm {
	f := views.SettingForm{Line: settingLine(), Version: "2", Unset: true, Reason: views.Field{Name: "reason", Label: "Reason"},
		Field: views.Field{Name: "value", Label: "Value", Type: views.Password, Error: "must be given", Origin: views.FromDatabase}}
	f.Errors = views.Errors("Nothing was saved", f.Field)
	return f
}

func settingChanges() views.SettingHistory {
	return views.SettingHistory{Tabs: allSettings().Tabs, Key: "log_level", Past: pastChanges(), Older: views.PathConfigHistory + "?before=3"}
}

func secrets() views.Secrets {
	return views.Secrets{More: 3,
		Rows: []views.SecretRow{{Key: "metrics_token", Href: views.ConfigPath("metrics_token"), By: "Mara Lindqvist", At: ago(time.Hour)},
			{Of: lurker, Key: "/password", Href: views.PluginPath("hello-lurker", "configuration"), By: "Joel Whitaker", At: ago(9000 * time.Hour), Stale: true}},
		Custody: &views.Custody{Source: "/srv/vivified/master.key", Master: "5b0c8f1e2d3a4c6b", Pending: true, Rotate: views.Action{Label: "Rotate the master key", Icon: "rotate-ccw", Ask: true, Href: views.PathSecrets + "/rotate"},
			Keys: []views.SealingKey{{ID: "0d9a1c7e44b2f3a1", Master: "5b0c8f1e2d3a4c6b", Made: ago(99 * time.Hour), Wrapped: ago(time.Hour)}, {ID: "77aa1c7e44b2f3a1", Master: "5b0c8f1e2d3a4c6b", Made: ago(time.Hour), Wrapped: ago(time.Hour), Seals: true}}},
	}
}

func configHead() views.PluginHead {
	return views.PluginHead{ID: "hello-lurker", Name: "Hello Lurker", Version: "1.0.0", State: views.Active, Health: views.Healthy, Tabs: views.PluginTabs("hello-lurker", "configuration", 0)}
}
