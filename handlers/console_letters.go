package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/views"
)

// lettersPage handles GET /console/events/dead-letters.
func (s *Server) lettersPage(c echo.Context) error {
	v := s.visit(c.Request())
	shown := views.ReadLetterFilter(c.QueryParams())
	props, err := s.letters(c, v, shown, shown.Bar(views.PathLetters, v.eventTypes(), v.pluginOptions()))
	if err != nil {
		return err
	}
	waiting, err := v.waitingLetters(c.Request().Context(), "")
	if err != nil {
		return err
	}
	props.Tabs = views.EventTabs(views.PathLetters, waiting)
	f := at(views.PathEvents, "Traffic", "", "Events", views.PathEvents, "Dead letters", "")
	return answer(c, v, http.StatusOK, f, props, views.LettersPage, views.LettersBody)
}

// pluginLettersPage handles GET /console/plugins/:id/dead-letters.
func (s *Server) pluginLettersPage(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	shown := views.ReadLetterFilter(c.QueryParams())
	shown.Plugin = p.ID
	props, err := s.letters(c, v, shown, shown.Bar(views.PluginPath(p.ID, "dead-letters"), v.eventTypes(), nil))
	if err != nil {
		return err
	}
	head := v.head(c.Request().Context(), p, "dead-letters")
	props.Head = &head
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.LettersPage, views.LettersBody)
}

// letters is a page of dead letters.
func (s *Server) letters(c echo.Context, v *visit, shown views.LetterFilter, bar views.Filter) (views.Letters, error) {
	f := canonical.LetterFilter{Plugin: shown.Plugin, Type: shown.Type, State: shown.State, Search: shown.Text, Most: views.LettersPerPage + 1}
	props := views.Letters{Filter: bar}
	if raw := c.QueryParam("cursor"); raw != "" {
		var err error
		if f.After, err = readPlace(raw); err != nil {
			return props, err
		}
		props.Pager.Newer = bar.Link(bar.Path, nil)
	}
	found, err := s.Events.DeadLetters(c.Request().Context(), f)
	if err != nil {
		return props, err
	}
	if len(found) > views.LettersPerPage {
		found = found[:views.LettersPerPage]
		last := found[len(found)-1]
		props.Pager.Older = bar.Link(bar.Path, url.Values{"cursor": {writePlace(canonical.Place{At: last.DiedAt, ID: last.ID})}})
	}
	waiting := 0
	for _, d := range found {
		props.Rows = append(props.Rows, v.letterRow(d))
		if d.State == canonical.LetterWaiting {
			waiting++
		}
	}
	if waiting > 1 {
		all := url.Values{}
		for name, value := range map[string]string{"plugin": shown.Plugin, "type": shown.Type} {
			if value != "" {
				all.Set(name, value)
			}
		}
		props.All = &views.Action{Label: "Replay all that wait", Icon: "rotate-ccw", Ask: true, Href: views.PathLetters + "/replay?" + all.Encode()}
	}
	return props, nil
}

func (v *visit) letterRow(d canonical.DeadLetter) views.LetterRow {
	id := d.ID.String()
	row := views.LetterRow{
		ID: id, At: d.DiedAt, Type: d.EventType, Event: d.EventID, Source: v.plugin(d.Publisher), Receiver: v.plugin(d.Plugin),
		Attempts: d.Attempts, Reason: d.Reason, State: views.Status(d.State),
	}
	if d.SettledAt != nil {
		row.SettleAt, row.Settled = *d.SettledAt, "by "+d.SettledBy
		if d.SettledWhy != "" {
			row.Settled += ": " + d.SettledWhy
		}
		return row
	}
	of := d.EventType + " for " + row.Receiver.Name
	row.Actions = []views.Action{
		{Label: "Replay", Object: of, Icon: "rotate-ccw", Href: views.LetterPath(id, "replay")},
		{Label: "Discard", Object: of, Ask: true, Danger: true, Href: views.LetterPath(id, "discard")},
	}
	return row
}

// waitingLetters counts the dead letters of a plugin, or of all, that nobody settled.
func (v *visit) waitingLetters(ctx context.Context, plugin string) (int, error) {
	counts, err := v.Events.WaitingLetters(ctx)
	if plugin != "" {
		return counts[plugin], err
	}
	n := 0
	for _, one := range counts {
		n += one
	}
	return n, err
}

// lettersTab is the tab of a plugin's dead letters. A count that cannot be had now
// is left out.
func (v *visit) lettersTab(ctx context.Context, p *registry.Plugin, current string) views.Tab {
	waiting, _ := v.waitingLetters(ctx, p.ID)
	return views.Tab{Label: "Dead letters", Href: views.PluginPath(p.ID, "dead-letters") + "?state=waiting", Current: current == "dead-letters", Count: waiting}
}

// died notes which deliveries of an event were given up, and wait for somebody.
func (v *visit) died(ctx context.Context, e canonical.Event, rs receipts) error {
	letters, err := v.Events.DeadLetters(ctx, canonical.LetterFilter{Event: e.ID, State: canonical.LetterWaiting, Most: 500})
	if err != nil {
		return err
	}
	for _, d := range letters {
		got, ok := rs[d.Plugin]
		if !ok {
			got = &receipt{}
			rs[d.Plugin] = got
		}
		got.status, got.at, got.failure, got.attempts = views.Dead, d.DiedAt, d.Reason, d.Attempts
	}
	return nil
}

// hearers are the plugins that subscribe to a type, by name.
func (v *visit) hearers(typ string) []views.Option {
	var options []views.Option
	for _, o := range v.pluginOptions() {
		if p, ok := v.snap.Plugin(o.Value); ok && p.Manifest.Events.Subscribed(typ) {
			o.Note = p.ID
			options = append(options, o)
		}
	}
	return options
}

// whyField is the field that asks for a reason.
func whyField(required bool) views.Field {
	return views.Field{Name: "reason", Label: "Reason", Help: "Kept in the audit.", MaxLength: 500, Required: required}
}

// askReplayEvent handles GET /console/events/:event/replay.
func (s *Server) askReplayEvent(c echo.Context) error {
	v := s.visit(c.Request())
	e, err := s.Events.Find(c.Request().Context(), c.Param("event"))
	if err != nil {
		return err
	}
	to := views.EventPath(e.ID)
	q := views.Confirm{
		Title: "Replay " + e.Type + "?", Text: "One receiver gets it once more, as far as policy lets it see the event now.", Back: to,
		Fields: []views.Field{{Name: "plugin", Label: "Receiver", Type: views.Select, Options: v.hearers(e.Type), Required: true}, whyField(false)},
		Action: views.Action{Label: "Replay", Icon: "rotate-ccw", Primary: true, Href: to + "/replay", Fields: []views.Hidden{{Name: "back", Value: to}}},
	}
	return ask(c, v, http.StatusOK, at(views.PathEvents, "Traffic", "", "Events", views.PathEvents, e.Type, to), q)
}

// replayOneEvent handles POST /console/events/:event/replay.
func (s *Server) replayOneEvent(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	if err := s.Events.ReplayEvent(c.Request().Context(), c.Param("event"), in.Get("plugin"), "", in.Get("reason")); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The event is on its way to " + s.visit(c.Request()).plugin(in.Get("plugin")).Name + "."}, back(c, views.EventPath(c.Param("event"))))
}

// replayOneLetter handles POST /console/events/dead-letters/:id/replay.
func (s *Server) replayOneLetter(c echo.Context) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	if err := s.Events.ReplayLetter(c.Request().Context(), id, ""); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The event is on its way once more."}, back(c, views.PathLetters))
}

// askDiscardLetter handles GET /console/events/dead-letters/:id/discard.
func (s *Server) askDiscardLetter(c echo.Context) error {
	d, err := s.letterIn(c)
	if err != nil {
		return err
	}
	return s.confirmDiscardLetter(c, http.StatusOK, d, "")
}

func (s *Server) confirmDiscardLetter(c echo.Context, status int, d canonical.DeadLetter, wrong string) error {
	v, to := s.visit(c.Request()), back(c, views.PathLetters)
	q := views.Confirm{
		Title: "Discard this dead letter?", Back: to, Error: wrong,
		Text:   v.plugin(d.Plugin).Name + " will not get this " + d.EventType + ". The event itself stays, and so does the record of what became of it.",
		Fields: []views.Field{whyField(true)},
		Action: views.Action{Label: "Discard", Danger: true, Href: views.LetterPath(d.ID.String(), "discard"), Fields: []views.Hidden{{Name: "back", Value: to}}},
	}
	return ask(c, v, status, at(views.PathEvents, "Traffic", "", "Events", views.PathEvents, "Dead letters", views.PathLetters), q)
}

// discardOneLetter handles POST /console/events/dead-letters/:id/discard.
func (s *Server) discardOneLetter(c echo.Context) error {
	d, err := s.letterIn(c)
	if err != nil {
		return err
	}
	in, err := formOf(c)
	if err != nil {
		return err
	}
	if strings.TrimSpace(in.Get("reason")) == "" {
		return s.confirmDiscardLetter(c, http.StatusUnprocessableEntity, d, "Say why; the audit keeps it.")
	}
	if err := s.Events.DiscardLetter(c.Request().Context(), d.ID, in.Get("reason")); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The dead letter is discarded."}, back(c, views.PathLetters))
}

func (s *Server) letterIn(c echo.Context) (canonical.DeadLetter, error) {
	id, err := letterID(c)
	if err != nil {
		return canonical.DeadLetter{ID: uuid.Nil}, err
	}
	return s.Events.DeadLetter(c.Request().Context(), id)
}

// askReplayLetters handles GET /console/events/dead-letters/replay.
func (s *Server) askReplayLetters(c echo.Context) error {
	v, to := s.visit(c.Request()), back(c, views.PathLetters)
	plugin, typ := c.QueryParam("plugin"), c.QueryParam("type")
	reach := []views.KV{{Label: "Type", Value: cmp.Or(typ, "any")}, {Label: "Receiver", Value: "any"}}
	if plugin != "" {
		reach[1].Value = v.plugin(plugin).Name
	}
	q := views.Confirm{
		Title: "Replay all that wait?", Text: "Each receiver gets what it did not get, the oldest first, at most 500 at once. Policy is asked anew for each.", Reach: reach, Back: to,
		Fields: []views.Field{whyField(false)},
		Action: views.Action{Label: "Replay all", Icon: "rotate-ccw", Primary: true, Href: views.PathLetters + "/replay", Fields: []views.Hidden{
			{Name: "back", Value: to}, {Name: "plugin", Value: plugin}, {Name: "type", Value: typ},
		}},
	}
	return ask(c, v, http.StatusOK, at(views.PathEvents, "Traffic", "", "Events", views.PathEvents, "Dead letters", views.PathLetters), q)
}

// replayAllLetters handles POST /console/events/dead-letters/replay.
func (s *Server) replayAllLetters(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	n, err := s.Events.ReplayLetters(c.Request().Context(), canonical.LetterFilter{Plugin: in.Get("plugin"), Type: in.Get("type")}, in.Get("reason"))
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: count(n, "delivery is", "deliveries are") + " on the way once more."}, back(c, views.PathLetters))
}
