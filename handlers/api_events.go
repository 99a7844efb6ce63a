package handlers

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// eventID is what a publisher may call an event.
var eventID = regexp.MustCompile(`^[!-~]{1,128}$`)

// published is what a publisher is told about one event.
type published struct {
	EventID   string     `json:"event_id,omitempty"`
	Status    string     `json:"status"` // published or, in a batch, refused
	TraceID   string     `json:"trace_id"`
	Duplicate bool       `json:"duplicate,omitempty"`
	Waiting   bool       `json:"waiting,omitempty"` // durable, and delivered once the bus answers again
	Refused   *refusedAs `json:"error,omitempty"`
}

// refusedAs is why one event of a batch was refused.
type refusedAs struct {
	Status   int               `json:"status"`
	Code     string            `json:"code"`
	Detail   string            `json:"detail"`
	Decision string            `json:"decision_id,omitempty"`
	Errors   []fault.Violation `json:"errors,omitempty"`
}

// publish handles POST /messaging/events.
func (s *Server) publish(c echo.Context) error {
	r := c.Request()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	events, err := canonical.ReadPublications(r.Header, body)
	if err != nil {
		return err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" && len(events) == 1 && events[0].ID == "" {
		if !eventID.MatchString(key) {
			return fault.New(fault.Invalid, "event.id", "An Idempotency-Key becomes the event's id: at most 128 printable ASCII characters without spaces.")
		}
		events[0].ID = key
	}
	if len(events) > 1 {
		return s.publishBatch(c, events)
	}
	done, err := s.publishOne(r.Context(), events[0])
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, done)
}

func (s *Server) publishOne(ctx context.Context, p canonical.Publication) (published, error) {
	if p.Refused != nil {
		return published{}, p.Refused
	}
	receipt, err := s.Events.Publish(ctx, p)
	if err != nil {
		return published{}, err
	}
	return published{EventID: receipt.EventID, Status: "published", TraceID: actor.Trace(ctx), Duplicate: receipt.Duplicate, Waiting: receipt.Waiting}, nil
}

// publishBatch publishes each event by itself, in their order: one that is refused
// keeps none of the others back.
func (s *Server) publishBatch(c echo.Context, events []canonical.Publication) error {
	ctx := c.Request().Context()
	all, refused := make([]published, len(events)), 0
	for i, p := range events {
		done, err := s.publishOne(ctx, p)
		if err != nil {
			refused++
			if done, err = s.refusedOne(ctx, p, err); err != nil {
				return err
			}
		}
		all[i] = done
	}
	status, word := http.StatusAccepted, "published"
	if refused > 0 {
		status, word = http.StatusMultiStatus, "partial"
	}
	if refused == len(events) {
		word = "refused"
	}
	return c.JSON(status, map[string]any{"events": all, "status": word, "trace_id": actor.Trace(ctx)})
}

// refusedOne says why one event of a batch was refused. A denial that no gate
// recorded is recorded here, as that of a single event would be.
func (s *Server) refusedOne(ctx context.Context, p canonical.Publication, err error) (published, error) {
	f := fault.Of(err)
	if f.Kind == fault.Denied && f.Decision == "" {
		if recorded := fault.Of(s.Gate.Refuse(ctx, "event.publish", p.Type, f)); recorded.Kind != fault.Denied {
			return published{}, recorded
		} else {
			f = recorded
		}
	}
	return published{EventID: p.ID, Status: "refused", TraceID: actor.Trace(ctx), Refused: &refusedAs{
		Status: statuses[f.Kind], Code: f.Code, Detail: f.Sentence, Decision: f.Decision, Errors: f.Violations,
	}}, nil
}

// listening reads what a plugin wants to hear.
func listening(c echo.Context) canonical.Listening {
	how := canonical.Listening{Consumer: c.QueryParam("consumer")}
	for part := range strings.SplitSeq(c.QueryParam("types"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			how.Types = append(how.Types, part)
		}
	}
	return how
}

// eventStream handles GET /messaging/events/stream.
func (s *Server) eventStream(c echo.Context) error {
	r, how := c.Request(), listening(c)
	how.Explicit, how.LastID = c.QueryParam("ack") == "explicit", r.Header.Get("Last-Event-ID")
	out := sse(c)
	ctx, stop := s.whileGood(r.Context())
	defer stop()
	return s.Events.Listen(ctx, how, func(e *canonical.Sent) error {
		if e == nil {
			return out.comment("alive")
		}
		body, err := e.JSON()
		if err != nil {
			return err
		}
		return out.send(e.ID, e.Type, body)
	})
}

// settleEvent handles POST /messaging/events/:id/ack and nak.
func (s *Server) settleEvent(c echo.Context) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := s.Events.Ack(c.Request().Context(), c.Param("id"), c.QueryParam("consumer"), strings.HasSuffix(c.Path(), "/ack"), in.Reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok", "event_id": c.Param("id")})
}

// messagingStats handles GET /messaging/stats.
func (s *Server) messagingStats(c echo.Context) error {
	stats, err := s.Events.Stats(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"bus": stats, "publish": flowView(s.Gate, "event.publish"), "deliver": flowView(s.Gate, "event.deliver")})
}
