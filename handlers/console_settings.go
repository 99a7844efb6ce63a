package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleSettings are the pages of the installation's settings and secrets.
func (s *Server) consoleSettings() []route {
	view, write, chief := []trait.ID{trait.Viewer}, []trait.ID{trait.ConfigManager}, []trait.ID{trait.Admin}
	const key = views.PathConfig + "/keys/:key"
	return []route{
		{method: get, path: views.PathConfig, who: users, needs: view, action: "config.read", handler: s.settingsPage},
		{method: get, path: views.PathConfigHistory, who: users, needs: view, action: "config.read", handler: s.settingHistoryPage},
		{method: get, path: key, who: users, needs: view, action: "config.read", handler: s.settingPage},
		{method: post, path: key, who: users, needs: view, action: "config.write", handler: s.saveSetting, body: form, fresh: true},
		{method: post, path: views.PathConfigHistory + "/:id/restore", who: users, needs: view, action: "config.write", handler: s.restoreSetting, body: form, fresh: true},
		{method: get, path: views.PathSecrets, who: users, needs: write, action: "config.read", handler: s.secretsPage},
		{method: get, path: views.PathSecrets + "/rotate", who: users, needs: chief, action: "master_key.view", handler: s.askRotateMaster},
		{method: post, path: views.PathSecrets + "/rotate", who: users, needs: chief, action: "master_key.rotate", handler: s.rotateMaster, body: form, slow: true, fresh: true},
	}
}

// settingTabs are the views of the settings.
func settingTabs(current string) []views.Tab {
	return []views.Tab{
		{Label: "Settings", Href: views.PathConfig, Current: current == views.PathConfig},
		{Label: "Changes", Href: views.PathConfigHistory, Current: current == views.PathConfigHistory},
	}
}

func settingsFrame(way ...string) frame {
	return at(views.PathConfig, append([]string{"System", "", "Configuration", views.PathConfig}, way...)...)
}

// settingsPerPage is how many settings end a page: it goes on to the end of the
// group, so that a page stays below 60 KB.
const settingsPerPage = 36

// settingsPage handles GET /console/configuration.
func (s *Server) settingsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props := views.Settings{Tabs: settingTabs(views.PathConfig), Query: strings.TrimSpace(c.QueryParam("q"))}
	from, shown := c.QueryParam("from"), 0
	for _, value := range s.Settings.List(v.who.Traits) {
		d := value.Definition
		if from != "" && d.Group != from {
			continue
		}
		from = ""
		if q := strings.ToLower(props.Query); q != "" && !strings.Contains(strings.ToLower(d.Name+" "+d.Env+" "+d.Group+" "+d.Description), q) {
			continue
		}
		line := v.settingLine(ctx, value, false)
		if n := len(props.Groups); n == 0 || props.Groups[n-1].Name != d.Group {
			if shown >= settingsPerPage {
				props.More = views.PathConfig + "?" + url.Values{"from": {d.Group}, "q": {props.Query}}.Encode()
				break
			}
			props.Groups = append(props.Groups, views.SettingGroup{Name: d.Group})
		}
		group := &props.Groups[len(props.Groups)-1]
		group.Lines = append(group.Lines, line)
		shown++
	}
	return answer(c, v, http.StatusOK, settingsFrame(), props, views.SettingsPage, views.SettingsBody)
}

// settingLine is a setting as it is shown; layers: each of them, too.
func (v *visit) settingLine(ctx context.Context, value settings.Value, layers bool) views.SettingLine {
	d := value.Definition
	line := views.SettingLine{
		Key: d.Name, Description: d.Description, Value: asTyped(value.Value), Secret: d.Secret, Origin: views.Origin(value.Origin.Layer.String()),
		At: value.Origin.SetAt, Reason: value.Origin.Reason, Pending: value.Pending, Ignored: value.Ignored,
	}
	if !layers {
		return line
	}
	for _, l := range value.Layers {
		by := l.SetBy
		if l.Layer == settings.Database {
			by = v.nameOf(ctx, by)
		}
		line.Layers = append(line.Layers, views.LayerLine{Origin: views.Origin(l.Layer.String()), Value: asTyped(l.Value), By: by, At: l.SetAt})
	}
	return line
}

// asTyped writes a value as a person would type it: texts without quotes.
func asTyped(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	return string(raw)
}

// settingOf returns the setting of the address that whoever looks may see.
func (v *visit) settingOf(c echo.Context) (settings.Value, error) {
	for _, value := range v.Settings.List(v.who.Traits) {
		if value.Key.String() == c.Param("key") {
			return value, nil
		}
	}
	return settings.Value{}, fault.New(fault.NotFound, "settings.unknown", "There is no such setting.")
}

// settingPage handles GET /console/configuration/keys/:key.
func (s *Server) settingPage(c echo.Context) error {
	v := s.visit(c.Request())
	value, err := v.settingOf(c)
	if err != nil {
		return err
	}
	return answerSetting(c, v, http.StatusOK, value, nil, nil)
}

func answerSetting(c echo.Context, v *visit, status int, value settings.Value, typed url.Values, refused *fault.Fault) error {
	props := v.settingForm(c.Request().Context(), value, typed)
	if refused != nil {
		props.Field.Error = refused.Sentence
		if len(refused.Violations) > 0 {
			props.Field.Error = refused.Violations[0].Message
		}
		props.Errors = views.Errors("Nothing was saved", props.Field)
	}
	return answer(c, v, status, settingsFrame(value.Key.String(), ""), props, views.SettingFormPage, views.SettingFormBody)
}

// settingForm asks for a setting, as its type is typed.
func (v *visit) settingForm(ctx context.Context, value settings.Value, typed url.Values) views.SettingForm {
	d := value.Definition
	f := views.SettingForm{
		Line: v.settingLine(ctx, value, true), Version: strconv.FormatInt(value.Version, 10), Unset: value.Version > 0,
		Field:  views.Field{Name: "value", Label: "Value", Value: asTyped(value.Value), Origin: views.Origin(value.Origin.Layer.String()), Mono: true, Autocomplete: "off"},
		Reason: views.Field{Name: "reason", Label: "Reason", MaxLength: 500, Placeholder: "Why, for those who wonder later"},
	}
	switch d.Type {
	case settings.TypeBool:
		f.Field.Type, f.Field.Checked = views.Switch, f.Field.Value == "true"
	case settings.TypeEnum:
		f.Field.Type = views.Select
		for _, choice := range d.Choices {
			f.Field.Options = append(f.Field.Options, views.Option{Value: choice, Label: choice})
		}
	case settings.TypeJSON:
		f.Field.Type = views.Area
	case settings.TypeDuration:
		f.Field.Help, f.Field.Short = "With its unit, such as 30s, 15m, 12h or 30d.", true
	case settings.TypeStrings:
		f.Field.Help = "Separated by commas."
	}
	if d.Secret {
		f.Field.Type, f.Field.Value, f.Field.Autocomplete = views.Password, "", "new-password"
		f.Field.Help = "Blank keeps the present one. It is never shown again."
	}
	if d.Default != "" {
		f.Field.Help = strings.TrimSpace(f.Field.Help + " The default is " + d.Default + ".")
	}
	if typed != nil && !d.Secret {
		f.Field.Value, f.Reason.Value = typed.Get("value"), typed.Get("reason")
	}
	if !value.Editable {
		f.Field.Locked = d.DatabaseRefusal()
		if why := v.why(ctx, d.Edit, "Changing it needs the trait "+v.snap.Traits().Get(d.Edit).Name+"."); f.Field.Locked == "" && why != nil {
			f.Field.Locked = why.Text
		}
	}
	return f
}

// saveSetting handles POST /console/configuration/keys/:key.
func (s *Server) saveSetting(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v, ctx := s.visit(c.Request()), c.Request().Context()
	value, err := v.settingOf(c)
	if err != nil {
		return err
	}
	key, back := value.Key, views.ConfigPath(value.Key.String())
	if err := s.Gate.Admit(ctx, "config.write", key.String(), settings.Requires(key)); err != nil {
		return err
	}
	texts := in["value"]
	change := settings.Change{Key: key, Version: number64(in.Get("version"))}
	if in.Get("unset") == "" && len(texts) > 0 {
		text := texts[len(texts)-1]
		if value.Definition.Secret && text == "" {
			return s.done(c, flash{Text: key.String() + " stays as it was."}, back)
		}
		change.Value = value.Definition.FromText(text)
	}
	if err := s.Settings.Set(ctx, []settings.Change{change}, strings.TrimSpace(in.Get("reason"))); err != nil {
		if f := fault.Of(err); isForm(f) || f.Kind == fault.Conflict {
			return answerSetting(c, v, http.StatusUnprocessableEntity, value, in, f)
		}
		return err
	}
	text := key.String() + " is saved."
	if value.Definition.Restart {
		text = key.String() + " is saved; what runs reads it at its next start."
	}
	return s.done(c, flash{Text: text}, back)
}

// settingHistoryPage handles GET /console/configuration/history.
func (s *Server) settingHistoryPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props := views.SettingHistory{Tabs: settingTabs(views.PathConfigHistory), Key: c.QueryParam("key")}
	var keys []settings.Key
	if props.Key != "" {
		key, err := settings.ParseKey(props.Key)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	var before int64
	if at := number64(c.QueryParam("before")); at != nil {
		before = *at
	}
	past, err := s.Settings.History(ctx, v.who.Traits, before, views.VersionsPerPage, keys...)
	if err != nil {
		return err
	}
	for _, change := range past {
		line := v.past(ctx, change)
		if key, err := settings.ParseKey(change.Key); err == nil && (!change.Secret || change.After == nil) && v.who.Traits.Covers(settings.Requires(key)) {
			line.Restore = &views.Action{Label: "Restore", Object: change.Key, Icon: "undo-2", Href: views.PathConfigHistory + "/" + line.ID + "/restore"}
		}
		props.Past = append(props.Past, line)
	}
	if len(past) == views.VersionsPerPage {
		props.Older = views.PathConfigHistory + "?" + url.Values{"key": {props.Key}, "before": {props.Past[len(past)-1].ID}}.Encode()
	}
	return answer(c, v, http.StatusOK, settingsFrame("Changes", views.PathConfigHistory), props, views.SettingHistoryPage, views.SettingHistoryBody)
}

// restoreSetting handles POST /console/configuration/history/:id/restore.
func (s *Server) restoreSetting(c echo.Context) error {
	id := number64(c.Param("id"))
	if id == nil {
		return fault.New(fault.NotFound, "settings.history", "There is no such change.")
	}
	if err := s.Settings.Restore(c.Request().Context(), *id, ""); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The setting is what that change made it."}, views.PathConfigHistory)
}

// staleSecret is when a secret is shown as old.
const staleSecret = 365 * 24 * time.Hour

// secretsShown is how many secrets the page lists.
const secretsShown = 100

// secretsPage handles GET /console/secrets.
func (s *Server) secretsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	list, err := s.Settings.Secrets(ctx, v.who.Traits)
	if err != nil {
		return err
	}
	props := views.Secrets{More: max(0, len(list)-secretsShown)}
	for _, p := range list[:len(list)-props.More] {
		row := views.SecretRow{Key: p.Key, Href: views.ConfigPath(p.Key), By: v.nameOf(ctx, p.SetBy), At: p.SetAt, Stale: v.reader.Now.Sub(p.SetAt) > staleSecret}
		if p.Plugin != "" {
			row.Of, row.Href = v.plugin(p.Plugin), views.PluginPath(p.Plugin, "configuration")
		}
		props.Rows = append(props.Rows, row)
	}
	if v.has(trait.Admin) {
		if props.Custody, err = v.custody(ctx); err != nil {
			return err
		}
	}
	return answer(c, v, http.StatusOK, secretsFrame(), props, views.SecretsPage, views.SecretsBody)
}

func secretsFrame() frame { return at(views.PathSecrets, "System", "", "Secrets", views.PathSecrets) }

// custody is what keeps the secrets.
func (v *visit) custody(ctx context.Context) (*views.Custody, error) {
	is, err := v.Keyring.Custody(ctx)
	if err != nil {
		return nil, err
	}
	c := &views.Custody{Source: is.Source, Master: is.Master, Pending: is.Unused,
		Rotate: views.Action{Label: "Rotate the master key", Icon: "rotate-ccw", Ask: true, Href: views.PathSecrets + "/rotate"}}
	for _, k := range is.Keys {
		c.Keys = append(c.Keys, views.SealingKey{ID: k.ID, Master: k.Master, Made: k.MadeAt, Wrapped: k.WrappedAt, Seals: k.Seals})
	}
	return c, nil
}

// askRotateMaster handles GET /console/secrets/rotate.
func (s *Server) askRotateMaster(c echo.Context) error {
	v := s.visit(c.Request())
	custody, err := v.custody(c.Request().Context())
	if err != nil {
		return err
	}
	return ask(c, v, http.StatusOK, secretsFrame(), views.Confirm{
		Title: "Rotate the master key?", Text: "Every sealing key is wrapped under another master key, in one transaction, while everything runs. A copy you keep of the present one opens nothing after that: copy the new one.",
		Reach: []views.KV{{Label: "Comes from", Value: custody.Source, Mono: true}, {Label: "In use", Value: custody.Master, Mono: true}}, Back: views.PathSecrets,
		Action: views.Action{Label: "Rotate", Icon: "rotate-ccw", Primary: true, Href: views.PathSecrets + "/rotate"},
	})
}

// rotateMaster handles POST /console/secrets/rotate.
func (s *Server) rotateMaster(c echo.Context) error {
	is, err := s.Keyring.Rotate(c.Request().Context())
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: "Every secret is kept by the master key " + is.Master + " now. Keep a copy of it."}, views.PathSecrets)
}
