package handlers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/views"
)

// errEnded ends a tail whose reader may not go on.
var errEnded = errors.New("the session ended")

// eventsTail handles GET /console/events/stream: rows of new events that fit the
// filter, newest first, gathered for a moment so that they come with what became
// of them. A reader that was cut off gets what it missed.
func (s *Server) eventsTail(c echo.Context) error {
	r := c.Request()
	shown := views.ReadEventFilter(c.QueryParams())
	shown.Range = views.Range{Value: "custom"} // what is new fits any time
	q, err := s.visit(r).eventQuery(shown)
	if err != nil {
		return err
	}
	good, stop := s.whileGood(r.Context())
	defer stop()
	ctx, end := context.WithCancelCause(good)
	defer end(nil)
	r = r.WithContext(ctx)
	out, gathered := sse(c), &gathering{fits: q.Fits}
	if err := s.missed(ctx, r, gathered); err != nil {
		return err
	}
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	var work sync.WaitGroup
	work.Go(func() { end(s.sendGathered(r, out, gathered)) })
	err = s.Events.Tail(ctx, gathered.add)
	end(err)
	work.Wait()
	return nil
}

// missed gathers the events after the last one that the reader says it has.
func (s *Server) missed(ctx context.Context, r *http.Request, g *gathering) error {
	last, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		return nil // it has none
	}
	events, err := s.Events.Recent(ctx, mostEvents)
	if err != nil {
		return err
	}
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Sequence > last {
			_ = g.add(events[i])
		}
	}
	return nil
}

// sendGathered sends what was gathered, once a moment, until the reader has gone
// or may see no events any more. What it returns says why it ended.
func (s *Server) sendGathered(r *http.Request, out *stream, g *gathering) error {
	tick := time.NewTicker(livePause)
	defer tick.Stop()
	for quiet := time.Now(); ; {
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
		}
		events := g.take()
		if len(events) == 0 && time.Since(quiet) < liveAnyway {
			continue
		}
		quiet = time.Now()
		now, ok := s.still(r)
		v := s.visit(now)
		if !ok || !v.has(trait.EventViewer) {
			return errEnded
		}
		if err := s.sendRows(now, v, out, events); err != nil {
			return err
		}
	}
}

// sendRows sends events as rows, the newest on top; without any it keeps the
// connection alive.
func (s *Server) sendRows(r *http.Request, v *visit, out *stream, events []canonical.Event) error {
	if len(events) == 0 {
		return out.comment("alive")
	}
	rows, err := v.eventRows(r.Context(), events)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := v.render(r.Context(), &html, views.EventRows(rows)); err != nil {
		return err
	}
	return out.send(strconv.FormatUint(events[0].Sequence, 10), "", html.Bytes())
}

// gathering holds events until they are sent, the newest first. Of more than a
// page holds, the oldest are left out: who wants them all reads the list.
type gathering struct {
	fits   func(canonical.Event) bool
	mu     sync.Mutex
	events []canonical.Event
	last   uint64
}

func (g *gathering) add(e canonical.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.Sequence > g.last && g.fits(e) {
		g.last, e.Data = e.Sequence, nil // rows show none of it
		g.events = append([]canonical.Event{e}, g.events[:min(len(g.events), views.EventsPerPage-1)]...)
	}
	return nil
}

func (g *gathering) take() []canonical.Event {
	g.mu.Lock()
	defer g.mu.Unlock()
	events := g.events
	g.events = nil
	return events
}
