package job_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/db/dbtest"
)

// world is a database with cores on it that do jobs.
type world struct {
	t    *testing.T
	db   *dbtest.DB
	ctx  context.Context
	mu   sync.Mutex
	done []string // what the steps did, in order
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Name: "Ada", Tenant: actor.DefaultTenant})
	return &world{t: t, db: dbtest.New(t), ctx: ctx}
}

func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, what)
}

func (w *world) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.done, " ")
}

// core starts a core and returns what ends it.
func (w *world) core(plans map[string]job.Plan) (s *job.Service, stop func()) {
	w.t.Helper()
	s = job.New(job.Config{Pool: w.db.Pool, Plans: plans, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the service ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return s, stop
}

func (w *world) start(s *job.Service, plugin string) *job.Job {
	w.t.Helper()
	j, err := s.Start(w.ctx, "install", plugin, map[string]string{"version": "1.0.0"})
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) ends(s *job.Service, id uuid.UUID) *job.Job {
	w.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		j, err := s.Get(w.ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		if j.State.Ended() {
			return j
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the job is still %s: %+v", j.State, j.Stages)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// records returns the outcomes that the audit has of an action.
func (w *world) records(action string) (outcomes []string) {
	w.t.Helper()
	rows, err := w.db.Pool.Query(w.ctx, "SELECT outcome FROM audit_log WHERE action = $1 ORDER BY seq", action)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var o string
		if err := rows.Scan(&o); err != nil {
			w.t.Fatal(err)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func (w *world) step(name string, do func(ctx context.Context, r *job.Run) error) job.Step {
	return job.Step{Name: name, Label: name, Do: func(ctx context.Context, r *job.Run) error {
		w.did(name)
		if do == nil {
			return nil
		}
		return do(ctx, r)
	}}
}

func (w *world) undo(context.Context, *job.Run) error { w.did("undo"); return nil }

func TestAJobGoesThroughItsStages(t *testing.T) {
	w := newWorld(t)
	s, _ := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Undo: w.undo, Steps: []job.Step{
		w.step("fetch", func(ctx context.Context, r *job.Run) error {
			var params struct{ Version string }
			if err := r.Read(&params); err != nil || params.Version != "1.0.0" {
				t.Errorf("params are %+v, %v", params, err)
			}
			if who := actor.From(ctx); who.Name != "Ada" || who.Kind != actor.User {
				t.Errorf("it acts as %+v", who)
			}
			r.Progress(ctx, 10, 10)
			r.Note("10 bytes")
			return r.Keep("digest", "abc")
		}),
		w.step("start", func(_ context.Context, r *job.Run) error {
			var digest string
			if !r.Kept("digest", &digest) || digest != "abc" {
				t.Errorf("the digest kept is %q", digest)
			}
			return nil
		}),
	}}})
	j := w.ends(s, w.start(s, "greeter").ID)
	if j.State != job.Succeeded || w.said() != "fetch start" || j.Attempt != 1 || j.By != "Ada" {
		t.Errorf("%s after %s: %+v", j.State, w.said(), j)
	}
	if got := j.Stages[0]; got.State != job.Succeeded || got.Note != "10 bytes" || got.Began == nil || got.Ended == nil {
		t.Errorf("the first stage is %+v", got)
	}
	if got := w.records("plugin.install"); !slices.Equal(got, []string{string(audit.OK)}) {
		t.Errorf("the audit has %v", got)
	}
	if got := w.records("plugin.install.start"); len(got) != 1 {
		t.Errorf("the audit has %d starts", len(got))
	}
}

func TestAJobThatFailsIsUndone(t *testing.T) {
	w := newWorld(t)
	s, _ := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Undo: w.undo, Steps: []job.Step{
		w.step("fetch", nil),
		w.step("verify", func(context.Context, *job.Run) error {
			return fault.New(fault.Unprocessable, "signature.missing", "Nobody signed it.")
		}),
		w.step("start", nil),
	}}})
	j := w.ends(s, w.start(s, "greeter").ID)
	if j.State != job.Failed || j.Code != "signature.missing" || j.Detail != "Nobody signed it." || w.said() != "fetch verify undo" {
		t.Errorf("%s (%s: %s) after %s", j.State, j.Code, j.Detail, w.said())
	}
	if j.Stage().Name != "verify" || j.Stages[2].State != job.Waiting {
		t.Errorf("it stands at %+v", j.Stages)
	}
	if got := w.records("plugin.install"); !slices.Equal(got, []string{string(audit.Failed)}) {
		t.Errorf("the audit has %v", got)
	}
	again, err := s.Again(w.ctx, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again = w.ends(s, again.ID); again.State != job.Failed || again.ID == j.ID {
		t.Errorf("tried again: %+v", again)
	}
}

func TestAJobIsCancelled(t *testing.T) {
	w := newWorld(t)
	there := make(chan struct{})
	s, _ := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Undo: w.undo, Steps: []job.Step{
		w.step("fetch", func(ctx context.Context, _ *job.Run) error { close(there); <-ctx.Done(); return ctx.Err() }),
		w.step("start", nil),
	}}})
	j := w.start(s, "greeter")
	<-there
	if err := s.Cancel(w.ctx, j.ID); err != nil {
		t.Fatal(err)
	}
	if j = w.ends(s, j.ID); j.State != job.Cancelled || j.Cancel != "Ada" || w.said() != "fetch undo" {
		t.Errorf("%s by %q after %s", j.State, j.Cancel, w.said())
	}
	if err := s.Cancel(w.ctx, j.ID); fault.Of(err).Code != "job.ended" {
		t.Errorf("cancelled twice: %v", err)
	}
	if err := s.Cancel(w.ctx, uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("cancelled what is not there: %v", err)
	}
}

func TestAnotherCoreGoesOnWhereOneStopped(t *testing.T) {
	w := newWorld(t)
	there := make(chan struct{})
	fetched := w.step("fetch", func(_ context.Context, r *job.Run) error { return r.Keep("digest", "abc") })
	first, stop := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Undo: w.undo, Steps: []job.Step{
		fetched, w.step("start", func(ctx context.Context, _ *job.Run) error { close(there); <-ctx.Done(); return ctx.Err() }),
	}}})
	j := w.start(first, "greeter")
	<-there
	stop()
	second, _ := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Undo: w.undo, Steps: []job.Step{
		fetched, w.step("start", func(_ context.Context, r *job.Run) error {
			var digest string
			if !r.Kept("digest", &digest) {
				return errors.New("what the first attempt found out is lost")
			}
			return nil
		}),
	}}})
	if j = w.ends(second, j.ID); j.State != job.Succeeded || w.said() != "fetch start start" || j.Attempt != 2 {
		t.Errorf("%s at attempt %d after %s (%s)", j.State, j.Attempt, w.said(), j.Detail)
	}
}

func TestOneJobOfAPluginIsOpen(t *testing.T) {
	w := newWorld(t)
	free := make(chan struct{})
	s, _ := w.core(map[string]job.Plan{"install": {Action: "plugin.install", Steps: []job.Step{
		w.step("fetch", func(ctx context.Context, _ *job.Run) error {
			select {
			case <-free:
			case <-ctx.Done():
			}
			return nil
		}),
	}}})
	j := w.start(s, "greeter")
	if _, err := s.Start(w.ctx, "install", "greeter", nil); fault.Of(err).Code != "job.open" {
		t.Errorf("a second one was started: %v", err)
	}
	other := w.start(s, "lurker")
	open, err := s.List(w.ctx, job.Query{Open: true})
	if err != nil || len(open) != 2 || open[0].ID != other.ID {
		t.Errorf("%d are open, %v", len(open), err)
	}
	close(free)
	w.ends(s, j.ID)
	w.ends(s, other.ID)
	if next := w.start(s, "greeter"); next.ID == j.ID {
		t.Error("it is the same job")
	} else {
		w.ends(s, next.ID)
	}
	all, err := s.List(w.ctx, job.Query{Plugin: "greeter", Most: 1})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d jobs, %v", len(all), err)
	}
	rest, err := s.List(w.ctx, job.Query{Plugin: "greeter", Before: all[0].ID})
	if err != nil || len(rest) != 1 || rest[0].ID != j.ID {
		t.Errorf("the page after it has %d jobs, %v", len(rest), err)
	}
}
