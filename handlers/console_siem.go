package handlers

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// sinkWords are the kinds of sinks as people call them.
var sinkWords = map[siem.Kind]struct{ name, text, address, example, secret, help string }{
	siem.Syslog: {"Syslog", "RFC 5424 messages over TLS. The text of each is the record as JSON.", "Server", "logs.example.org:6514",
		"Private key", "In PEM, of the certificate above. Only where the server asks for one."},
	siem.Webhook: {"Webhook", "A signed POST of JSON for up to 1,000 records at a time.", "URL", "https://siem.example.org/vivified",
		"Signing key", "Give it to the receiver, which verifies the header Webhook-Signature with it."},
	siem.OTLP: {"OpenTelemetry", "Log records for a collector, OTLP over HTTP as JSON.", "URL", "https://collector.example.org/v1/logs",
		"Bearer token", "Sent in the header Authorization, if the collector asks for one."},
}

// consoleSIEM are the pages of what the audit is forwarded to.
func (s *Server) consoleSIEM() []route {
	read, write := []trait.ID{trait.AuditViewer}, []trait.ID{trait.AuditViewer, trait.ConfigManager}
	const one = views.PathForwarding + "/:id"
	return []route{
		{method: get, path: views.PathForwarding, who: users, needs: read, action: "audit.read", handler: s.forwardingPage},
		{method: post, path: views.PathForwarding, who: users, needs: write, action: "audit.forward", handler: s.makeSink, body: 256 << 10, fresh: true},
		{method: get, path: views.PathForwarding + "/new", who: users, needs: write, action: "audit.forward", handler: s.newSinkPage},
		{method: get, path: one, who: users, needs: write, action: "audit.read", handler: s.sinkPage},
		{method: post, path: one, who: users, needs: write, action: "audit.forward", handler: s.saveSink, body: 256 << 10, fresh: true},
		{method: post, path: one + "/try", who: users, needs: write, action: "audit.forward", handler: s.trySinkNow, body: form, slow: true},
		{method: get, path: one + "/remove", who: users, needs: write, action: "audit.forward", handler: s.askRemoveSink},
		{method: post, path: one + "/remove", who: users, needs: write, action: "audit.forward", handler: s.removeSinkNow, body: form, fresh: true},
	}
}

func forwardingFrame(way ...string) frame {
	return at(views.PathAudit, append([]string{"Govern", "", "Audit", views.PathAudit, "Forwarding", views.PathForwarding}, way...)...)
}

// forwardingPage handles GET /console/audit/forwarding.
func (s *Server) forwardingPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	sinks, err := s.SIEM.Sinks(ctx)
	if err != nil {
		return err
	}
	why := v.why(ctx, trait.ConfigManager, "Only configuration managers may change where the audit goes.")
	props := views.Forwarding{Add: views.Action{Label: "Add a sink", Icon: "plus", Primary: true, Get: true, Href: views.PathForwarding + "/new", Why: why}}
	for _, one := range sinks {
		id := one.ID.String()
		row := views.SinkRow{
			ID: id, Name: one.Name, Kind: sinkWords[one.Kind].name, Address: one.Address, State: views.Active, Error: one.LastError, Waiting: one.Behind, Oldest: one.Oldest,
			Sent: one.Sent, Refused: one.Rejected, Missed: one.Missed,
			Actions: []views.Action{
				{Label: "Try", Object: one.Name, Icon: "send", Href: views.SinkPath(id, "try"), Why: why},
				{Label: "Change", Object: one.Name, Icon: "pencil", Get: true, Href: views.SinkPath(id), Why: why},
				{Label: "Remove", Object: one.Name, Icon: "trash-2", Danger: true, Ask: true, Href: views.SinkPath(id, "remove"), Why: why},
			},
		}
		if one.SentAt != nil {
			row.SentAt = *one.SentAt
		}
		switch {
		case !one.Enabled:
			row.State, row.Error = views.Disabled, ""
		case one.Failing != nil:
			row.State, row.Since = views.Failing, *one.Failing
		}
		props.Sinks = append(props.Sinks, row)
	}
	return answer(c, v, http.StatusOK, forwardingFrame(), props, views.ForwardingPage, views.ForwardingBody)
}

// sinkFields are the fields of a form for a kind of sink.
func sinkFields(kind siem.Kind, in url.Values) []views.Field {
	words := sinkWords[kind]
	fields := []views.Field{
		{Name: "name", Label: "Name", Value: in.Get("name"), Required: true, MaxLength: 100, Autocomplete: "off", Focus: true},
		{Name: "address", Label: words.address, Value: in.Get("address"), Required: true, MaxLength: 2000, Placeholder: words.example, Mono: true, Autocomplete: "off"},
		{Name: "ca", Label: "Authority", Type: views.Area, Value: in.Get("ca"), Mono: true, Help: "The certificate in PEM that the other side's leads to. Empty: the authorities of this machine."},
	}
	if kind == siem.Syslog {
		fields = append(fields, views.Field{Name: "certificate", Label: "Certificate", Type: views.Area, Value: in.Get("certificate"), Mono: true, Help: "The core's own in PEM, where the server asks for one."})
	}
	secret := views.Field{Name: "secret", Label: words.secret, Type: views.Password, Autocomplete: "off", Help: words.help}
	switch kind {
	case siem.Syslog:
		secret.Type = views.Area // more than one line
	case siem.Webhook:
		if key := in.Get("offer"); key != "" {
			secret.Type, secret.Value, secret.Mono = views.Text, key, true // just made, for the receiver to copy
		}
	}
	return append(fields, secret, views.Field{Name: "enabled", Label: "Send to it", Type: views.Switch, Checked: in.Get("enabled") == "on"})
}

// sinkSpec reads a form. An empty secret is none that is new.
func sinkSpec(kind siem.Kind, in url.Values) siem.Spec {
	s := siem.Spec{Name: in.Get("name"), Kind: kind, Address: in.Get("address"), CA: in.Get("ca"), Certificate: in.Get("certificate"), Enabled: in.Get("enabled") == "on", FromStart: in.Get("from") == "start"}
	switch secret := in.Get("secret"); {
	case in.Get("clear") == "on":
		s.Secret = new(string)
	case secret != "":
		s.Secret = &secret
	}
	return s
}

// newSinkForm is the form for a new sink.
func newSinkForm(kind siem.Kind, in url.Values) views.SinkForm {
	f := views.SinkForm{
		Title: "Add a sink", Text: sinkWords[kind].text, Path: views.PathForwarding, Verb: "Add the sink", Fields: sinkFields(kind, in), Hidden: []views.Hidden{{Name: "kind", Value: string(kind)}},
	}
	from := views.Field{Name: "from", Label: "Begin with", Type: views.Select, Value: in.Get("from"), Options: []views.Option{{Value: "", Label: "what is recorded from now on"}, {Value: "start", Label: "everything there is"}}}
	f.Fields = slices.Insert(f.Fields, len(f.Fields)-1, from)
	for _, k := range siem.Kinds() {
		f.Kinds = append(f.Kinds, views.Tab{Label: sinkWords[k].name, Href: views.PathForwarding + "/new?kind=" + string(k), Current: k == kind})
	}
	return f
}

func answerSink(c echo.Context, v *visit, status int, f views.SinkForm) error {
	return answer(c, v, status, forwardingFrame(f.Title, ""), f, views.SinkFormPage, views.SinkFormBody)
}

// newSinkPage handles GET /console/audit/forwarding/new.
func (s *Server) newSinkPage(c echo.Context) error {
	kind := siem.Kind(cmp.Or(c.QueryParam("kind"), string(siem.Syslog)))
	if !slices.Contains(siem.Kinds(), kind) {
		kind = siem.Syslog
	}
	in := url.Values{"enabled": {"on"}}
	if kind == siem.Webhook {
		var key [32]byte
		rand.Read(key[:])
		in.Set("offer", "whsec_"+base64.StdEncoding.EncodeToString(key[:]))
	}
	return answerSink(c, s.visit(c.Request()), http.StatusOK, newSinkForm(kind, in))
}

// makeSink handles POST /console/audit/forwarding.
func (s *Server) makeSink(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	kind := siem.Kind(in.Get("kind"))
	one, err := s.SIEM.Add(c.Request().Context(), sinkSpec(kind, in))
	if err == nil {
		return s.done(c, flash{Text: one.Name + " is added. Try it, to see whether it takes a record."}, views.PathForwarding)
	}
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	if _, ok := sinkWords[kind]; !ok {
		return f
	}
	asked := newSinkForm(kind, in)
	asked.Errors = corrections(f, pointers(asked.Fields)...)
	return answerSink(c, s.visit(c.Request()), http.StatusUnprocessableEntity, asked)
}

// sinkForm is the form that changes a sink.
func sinkForm(one siem.Sink, in url.Values) views.SinkForm {
	f := views.SinkForm{
		Title: "Change " + one.Name, Text: sinkWords[one.Kind].text, Path: views.SinkPath(one.ID.String()), Verb: "Save the sink", Fields: sinkFields(one.Kind, in),
		Hidden: []views.Hidden{{Name: "version", Value: cmp.Or(in.Get("version"), strconv.FormatInt(one.Version, 10))}},
	}
	if one.SecretSet != nil {
		i := slices.IndexFunc(f.Fields, func(f views.Field) bool { return f.Name == "secret" })
		f.Fields[i].Help = "Set on " + one.SecretSet.UTC().Format("2 January 2006") + ". Empty keeps it."
		if one.Kind != siem.Webhook {
			f.Fields = slices.Insert(f.Fields, i+1, views.Field{Name: "clear", Label: "Remove the " + sinkWords[one.Kind].secret, Type: views.Switch})
		}
	}
	return f
}

// sinkPage handles GET /console/audit/forwarding/:id.
func (s *Server) sinkPage(c echo.Context) error {
	one, err := s.sinkAt(c)
	if err != nil {
		return err
	}
	in := url.Values{"name": {one.Name}, "address": {one.Address}, "ca": {one.CA}, "certificate": {one.Certificate}}
	if one.Enabled {
		in.Set("enabled", "on")
	}
	return answerSink(c, s.visit(c.Request()), http.StatusOK, sinkForm(one, in))
}

func (s *Server) sinkAt(c echo.Context) (siem.Sink, error) {
	id, err := sinkID(c)
	if err != nil {
		return siem.Sink{}, err
	}
	return s.SIEM.Sink(c.Request().Context(), id)
}

// saveSink handles POST /console/audit/forwarding/:id.
func (s *Server) saveSink(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	one, err := s.sinkAt(c)
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(in.Get("version"), 10, 64) // none is no version, and refused
	changed, err := s.SIEM.Change(c.Request().Context(), one.ID, version, sinkSpec(one.Kind, in))
	if err == nil {
		return s.done(c, flash{Text: changed.Name + " is saved."}, views.PathForwarding)
	}
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	asked := sinkForm(one, in)
	asked.Errors = corrections(f, pointers(asked.Fields)...)
	return answerSink(c, s.visit(c.Request()), http.StatusUnprocessableEntity, asked)
}

// trySinkNow handles POST /console/audit/forwarding/:id/try.
func (s *Server) trySinkNow(c echo.Context) error {
	one, err := s.sinkAt(c)
	if err != nil {
		return err
	}
	if err := s.SIEM.Try(c.Request().Context(), one.ID); err != nil {
		f := fault.Of(err)
		if f.Kind != fault.BadGateway {
			return err
		}
		return s.done(c, flash{Tone: views.Warn, Text: f.Sentence}, views.PathForwarding)
	}
	return s.done(c, flash{Text: one.Name + " took a trial record."}, views.PathForwarding)
}

// askRemoveSink handles GET /console/audit/forwarding/:id/remove.
func (s *Server) askRemoveSink(c echo.Context) error {
	one, err := s.sinkAt(c)
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Remove " + one.Name + "?", Text: "Nothing more is sent to it. What it has it keeps; the audit here stays whole.", Back: views.PathForwarding,
		Reach:  []views.KV{{Label: "Sent", Value: count(int(one.Sent), "record", "records")}, {Label: "Waiting", Value: count(int(one.Behind), "record", "records")}},
		Action: views.Action{Label: "Remove", Icon: "trash-2", Danger: true, Primary: true, Href: views.SinkPath(one.ID.String(), "remove")},
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, forwardingFrame(), q)
}

// removeSinkNow handles POST /console/audit/forwarding/:id/remove.
func (s *Server) removeSinkNow(c echo.Context) error {
	one, err := s.sinkAt(c)
	if err != nil {
		return err
	}
	if err := s.SIEM.Remove(c.Request().Context(), one.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: one.Name + " is removed."}, views.PathForwarding)
}

func pointers(fields []views.Field) []*views.Field {
	out := make([]*views.Field, len(fields))
	for i := range fields {
		out[i] = &fields[i]
	}
	return out
}
