package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// pastShown is how many changes stand below a plugin's settings.
const pastShown = 10

// configBody bounds a form of settings: what the document may have, encoded.
const configBody = 1 << 20

// consoleConfig are the pages of a plugin's settings.
func (s *Server) consoleConfig() []route {
	write := []trait.ID{trait.ConfigManager}
	const tab = views.PathPlugins + "/:id/configuration"
	return []route{
		{method: get, path: tab, who: users, needs: write, action: "config.read", handler: s.configTab},
		{method: post, path: tab, who: users, needs: write, action: "config.write", handler: s.saveConfig, body: configBody, fresh: true},
		{method: post, path: tab + "/form", who: users, needs: write, action: "config.read", handler: s.drawConfig, body: configBody, slow: true},
		{method: post, path: tab + "/restore/:version", who: users, needs: write, action: "config.write", handler: s.restoreConfigTab, body: form, fresh: true},
	}
}

// configTab handles GET /console/plugins/:id/configuration.
func (s *Server) configTab(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	return s.answerConfig(c, http.StatusOK, p, nil, "", nil)
}

// saveConfig handles POST /console/plugins/:id/configuration.
func (s *Server) saveConfig(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	in, err := formOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	doc, err := s.typedConfig(ctx, p, in, settings.FormDo{})
	if err == nil {
		_, err = s.Settings.SetPluginConfig(ctx, p.Manifest, doc, number64(in.Get("version")), strings.TrimSpace(in.Get("reason")))
	}
	if f := fault.Of(err); err != nil {
		if !isForm(f) && f.Kind != fault.Conflict && f.Code != "config.locked" {
			return err
		}
		return s.answerConfig(c, http.StatusUnprocessableEntity, p, doc, in.Get("json"), f)
	}
	return s.done(c, flash{Text: "The settings of " + p.Name + " are saved; it has them within a second."}, views.PluginPath(p.ID, "configuration"))
}

// drawConfig handles POST /console/plugins/:id/configuration/form: the form again
// with one thing done to it, and nothing saved. Or the values are tried.
func (s *Server) drawConfig(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	in, err := formOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	verb, pointer, _ := strings.Cut(in.Get("do"), ":")
	if verb == "" {
		verb = "show"
	}
	doc, err := s.typedConfig(ctx, p, in, settings.FormDo{Verb: verb, Pointer: pointer})
	if err != nil && !isForm(fault.Of(err)) {
		return err
	}
	if verb == "try" && err == nil {
		return s.tryConfig(c, p, doc, in.Get("json"))
	}
	var refused *fault.Fault
	if err != nil {
		refused = fault.Of(err)
	}
	return s.answerConfig(c, http.StatusOK, p, doc, in.Get("json"), refused)
}

// typedConfig reads the form, or the JSON beside it.
func (s *Server) typedConfig(ctx context.Context, p *registry.Plugin, in url.Values, do settings.FormDo) (json.RawMessage, error) {
	if in.Get("as") == "json" {
		return json.RawMessage(in.Get("json")), nil
	}
	now, err := s.Settings.PluginConfig(ctx, p.ID, p.Manifest)
	if err != nil {
		return nil, err
	}
	return settings.ReadForm(p.Manifest, now.Settings, in, do, s.whoTypes(ctx))
}

// answerConfig draws the tab: what is stored, or doc where somebody has typed.
func (s *Server) answerConfig(c echo.Context, status int, p *registry.Plugin, doc json.RawMessage, typed string, refused *fault.Fault) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props, err := v.config(ctx, p, doc, typed, refused)
	if err != nil {
		return err
	}
	if c.QueryParam("as") == "json" {
		props.AsJSON = true
	}
	return answer(c, v, status, pluginFrame(p), props, views.PluginConfigPage, views.PluginConfigBody)
}

// config is the tab's content.
func (v *visit) config(ctx context.Context, p *registry.Plugin, doc json.RawMessage, typed string, refused *fault.Fault) (views.PluginConfig, error) {
	props := views.PluginConfig{Head: v.head(ctx, p, "configuration"), AsJSON: typed != "", Dirty: doc != nil, Empty: len(p.Manifest.ConfigSchema) == 0}
	for i := range props.Head.Actions {
		props.Head.Actions[i].Primary = false // saving is what this tab is for
	}
	shown := doc
	if typed != "" {
		shown = nil // it may not even be JSON
	}
	f, err := v.Settings.PluginForm(ctx, p.Manifest, shown, v.who.Traits)
	if err != nil {
		return props, err
	}
	props.JSON, props.Whole, props.Version = orElse(typed, f.JSON), f.Whole, strconv.FormatInt(f.Version, 10)
	fields := &fieldList{}
	props.Fields, props.Tries = fields.of(f.Fields), fields.tries
	if refused != nil {
		props.Errors = fields.corrections(refused)
	}
	missing, err := v.Settings.MissingRequired(ctx, p.ID, p.Manifest)
	if err != nil {
		return props, err
	}
	for _, pointer := range missing {
		props.Missing = append(props.Missing, fields.label(pointer))
	}
	past, err := v.Settings.PluginHistory(ctx, p.ID, 0, pastShown)
	if err != nil {
		return props, err
	}
	for _, change := range past {
		line := v.past(ctx, change)
		if !change.Secret && change.Version > 1 {
			before := strconv.FormatInt(change.Version-1, 10)
			line.Restore = &views.Action{Label: "Restore version " + before, Icon: "undo-2", Href: views.PluginPath(p.ID, "configuration", "restore", before)}
		}
		props.Past = append(props.Past, line)
	}
	return props, nil
}

// past is a change of a setting as it is shown.
func (v *visit) past(ctx context.Context, p settings.Past) views.ConfigPast {
	line := views.ConfigPast{ID: strconv.FormatInt(p.ID, 10), Key: p.Key, Version: strconv.FormatInt(p.Version, 10), By: v.nameOf(ctx, p.SetBy), At: p.SetAt, Reason: p.Reason}
	change := views.Change{Name: p.Key, Added: p.Before == nil, Gone: p.After == nil, Before: string(p.Before), After: string(p.After)}
	if p.Secret { // digests say nothing to people
		change.Before, change.After = "a secret", "another secret"
		if change.Added {
			change.After = "a secret"
		}
	}
	line.Changes = []views.Change{change}
	return line
}

// restoreConfigTab handles POST /console/plugins/:id/configuration/restore/:version.
func (s *Server) restoreConfigTab(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	version := number64(c.Param("version"))
	if version == nil {
		return fault.New(fault.NotFound, "settings.history", "There is no such version.")
	}
	ctx := c.Request().Context()
	if _, err := s.Settings.RestorePluginConfig(ctx, p.Manifest, *version, ""); err != nil {
		if f := fault.Of(err); isForm(f) {
			return s.answerConfig(c, http.StatusUnprocessableEntity, p, nil, "", f)
		}
		return err
	}
	return s.done(c, flash{Text: "Version " + c.Param("version") + " of the settings is restored; secrets stayed as they were."}, views.PluginPath(p.ID, "configuration"))
}

// tryConfig has the plugin try the values, and says what it said.
func (s *Server) tryConfig(c echo.Context, p *registry.Plugin, doc json.RawMessage, typed string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	said, err := s.tried(ctx, p, doc)
	if f, ok := errors.AsType[*fault.Fault](err); ok && isForm(f) {
		return s.answerConfig(c, http.StatusUnprocessableEntity, p, doc, typed, f)
	}
	props, ferr := v.config(ctx, p, doc, typed, nil)
	if ferr != nil {
		return ferr
	}
	props.Tried = &views.Banner{Tone: views.OK, Title: "It works.", Text: said}
	if err != nil {
		props.Tried = &views.Banner{Tone: views.Warn, Title: "It does not work.", Text: fault.Of(err).Sentence}
	}
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.PluginConfigPage, views.PluginConfigBody)
}

// number64 reads a version that was sent along, or nil.
func number64(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// fieldList turns fields of a form into those of the page, and knows them by
// their pointers.
type fieldList struct {
	all   []placed
	tries bool
}

type placed struct {
	pointer, id, label string
	field              *views.ConfigField
}

func (l *fieldList) of(fields []*settings.FormField) []views.ConfigField {
	list := make([]views.ConfigField, len(fields))
	for i, f := range fields {
		list[i] = l.one(f)
	}
	for i := range list {
		for j := range l.all {
			if l.all[j].id == list[i].Field.ID {
				l.all[j].field = &list[i]
			}
		}
	}
	return list
}

// controls says how each kind is asked for.
var controls = map[settings.FieldKind]views.FieldType{
	settings.NumberField: views.Text, settings.SwitchField: views.Switch, settings.ChoiceField: views.Select, settings.SecretField: views.Password, settings.JSONField: views.Area,
}

// formats are the inputs a browser has for a format.
var formats = map[string]views.FieldType{"email": views.Email}

func (l *fieldList) one(f *settings.FormField) views.ConfigField {
	field := views.Field{
		Name: f.Pointer, ID: "c-" + strconv.Itoa(len(l.all)), Label: f.Label, Type: controls[f.Kind], Value: f.Text, Checked: f.On, Placeholder: f.Placeholder, Help: f.Help,
		Required: f.Required, Locked: f.Locked, MaxLength: f.MaxLength, Mono: f.Kind == settings.JSONField, Short: f.Kind == settings.NumberField, Autocomplete: "off",
	}
	if field.Type == "" && f.Long {
		field.Type = views.Area
	} else if field.Type == "" {
		field.Type = formats[f.Format]
	}
	out := views.ConfigField{Kind: string(f.Kind), Pointer: f.Pointer, Key: f.Key, Set: f.Set, Restart: f.Restart, Given: f.Given, More: f.More, Steers: f.Steers, Because: f.Because}
	if f.Kind == settings.SecretField {
		field.Autocomplete, field.Required, field.Placeholder = "new-password", false, orElse(f.Placeholder, "New value")
		field.Help = strings.TrimSpace(f.Help + " It is never shown again.")
		if f.Set {
			field.Help = strings.TrimSpace(f.Help + " Blank keeps the present one. It is never shown again.")
		}
		out.SetAt, _ = time.Parse(time.RFC3339, f.SetAt)
	} else if f.Default != "" && (f.Kind == settings.TextField || f.Kind == settings.NumberField) {
		field.Placeholder, field.Required = f.Default, false
		if !f.Given {
			field.Value, field.Help = "", strings.TrimSpace(f.Help+" Blank uses the default: "+f.Default+".")
		}
	}
	if f.Min != "" && f.Max != "" {
		field.Help = strings.TrimSpace(field.Help + " From " + f.Min + " to " + f.Max + ".")
	}
	for _, c := range f.Choices {
		field.Options = append(field.Options, views.Option{Value: c.Value, Label: c.Label, Selected: c.Chosen})
	}
	if f.Default != "" {
		field.Origin = views.FromDefault
	}
	field.Wanted = f.Required
	out.Field = field
	l.tries = l.tries || f.Test
	l.all = append(l.all, placed{pointer: f.Pointer, id: field.ID, label: f.Label})
	out.Items = l.of(f.Items)
	for i := range out.Items {
		out.Items[i].Fixed = i < f.Least && len(out.Items) <= f.Least
	}
	return out
}

// at returns the field of a pointer, or the nearest one that holds it.
func (l *fieldList) at(pointer string) *placed {
	for ; pointer != ""; pointer = pointer[:strings.LastIndexByte(pointer, '/')] {
		for i := range l.all {
			if l.all[i].pointer == pointer {
				return &l.all[i]
			}
		}
	}
	return nil
}

func (l *fieldList) label(pointer string) string {
	if n := l.at(pointer); n != nil {
		return n.label
	}
	return strings.TrimPrefix(pointer, "/")
}

// corrections writes into each field what is wrong with it, and returns the summary.
func (l *fieldList) corrections(f *fault.Fault) views.ErrorList {
	list := views.ErrorList{}
	broken := f.Violations
	if len(broken) == 0 {
		broken = []fault.Violation{{Message: f.Sentence}}
	}
	for _, b := range broken {
		e := views.FieldError{Text: strings.TrimSpace(b.Message + " " + b.Fix)}
		if n := l.at(b.Path); n != nil && n.field != nil {
			n.field.Field.Error, e.Field = e.Text, n.id
		}
		list.Errors = append(list.Errors, e)
	}
	list.Title = corrected(len(list.Errors))
	return list
}

// whoTypes are the traits of whoever fills in a form.
func (s *Server) whoTypes(ctx context.Context) trait.Set { return actor.From(ctx).Traits }

// tried asks the plugin whether a document would work, and returns what it said.
func (s *Server) tried(ctx context.Context, p *registry.Plugin, doc json.RawMessage) (string, error) {
	whole, err := s.Settings.Candidate(ctx, p.Manifest, doc)
	if err != nil {
		return "", err
	}
	return s.Plugins.TryConfig(ctx, p.ID, whole)
}
