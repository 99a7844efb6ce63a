package handlers

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/views"
)

// How pages keep themselves current: at most once a second, and now and then
// also when nothing happened, because ages grow and sessions end.
const (
	livePause  = time.Second
	liveAnyway = 15 * time.Second
)

// overviewLive handles GET /console/live: the parts of the overview.
func (s *Server) overviewLive(c echo.Context) error {
	return s.redrawn(c, func(v *visit, ctx context.Context) (templ.Component, error) {
		props, err := v.overview(ctx)
		return views.OverviewLive(props), err
	})
}

// redrawn sends the parts of a page, drawn anew whenever something has changed,
// until the session ends.
func (s *Server) redrawn(c echo.Context, parts func(*visit, context.Context) (templ.Component, error)) error {
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	r := c.Request().WithContext(ctx)
	out := sse(c)
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	tick := time.NewTicker(livePause)
	defer tick.Stop()
	var seen drawnFrom
	for last := time.Now(); ; {
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
		}
		is, err := s.changedSince(r.Context(), &seen)
		if err != nil || !is && time.Since(last) < liveAnyway {
			continue // the database is away; pages stay as they are
		}
		last = time.Now()
		r, ok := s.still(r)
		if !ok {
			return nil
		}
		if err := s.redraw(r, out, parts); err != nil {
			return nil
		}
	}
}

// redraw draws parts for whoever sent r, and sends them.
func (s *Server) redraw(r *http.Request, out *stream, parts func(*visit, context.Context) (templ.Component, error)) error {
	v := s.visit(r)
	drawn, err := parts(v, r.Context())
	if err != nil {
		return out.comment("later")
	}
	var message bytes.Buffer
	if err := v.render(r.Context(), &message, drawn); err != nil {
		return err
	}
	return out.send("", "", message.Bytes())
}

// still returns the request of a stream with its sender as they are now: traits
// may be gone, and a session may have ended. ok is false when it has.
func (s *Server) still(r *http.Request) (_ *http.Request, ok bool) {
	who, err := s.Identity.Recheck(r.Context(), actor.From(r.Context()))
	if err != nil || who.Kind != actor.User {
		return r, false
	}
	return r.WithContext(actor.With(r.Context(), who)), true
}

// drawnFrom is what pages were drawn from last.
type drawnFrom struct {
	plugins <-chan struct{} // closed at the next snapshot of the plugins
	heads   []audit.Head
}

// changedSince reports whether plugins or the audit have moved on since seen was
// noted, and notes them.
func (s *Server) changedSince(ctx context.Context, seen *drawnFrom) (bool, error) {
	heads, err := s.Audit.Heads(ctx)
	if err != nil {
		return false, err
	}
	moved := !slices.EqualFunc(heads, seen.heads, func(a, b audit.Head) bool { return a.Chain == b.Chain && a.Seq == b.Seq })
	select {
	case <-seen.plugins:
		moved = true
	default:
		moved = moved || seen.plugins == nil
	}
	*seen = drawnFrom{s.Registry.Changed(), heads}
	return moved, nil
}
