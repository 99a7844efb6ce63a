package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// A lease lasts long enough that a busy machine renews it in time, and short
// enough that nobody waits long for what a dead core left.
const (
	lease   = 30 * time.Second
	renewal = 5 * time.Second
	look    = 2 * time.Second // for jobs that another replica left, or started
)

var (
	errCancelled = errors.New("cancelled")
	errLost      = errors.New("the lease is lost: another core does the job now")
)

// Run is one attempt at a job, as its steps see it.
type Run struct {
	Job
	service *Service
	mu      sync.Mutex
	memo    map[string]json.RawMessage
	noted   time.Time
}

// Read fills into with the params the job was started with.
func (r *Run) Read(into any) error { return json.Unmarshal(r.Params, into) }

// Keep remembers a value for later steps and later attempts. It is durable once
// the step has ended.
func (r *Run) Keep(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memo[name] = data
	return nil
}

// Kept fills into with what was remembered, and reports whether anything was.
func (r *Run) Kept(name string, into any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.memo[name]
	return ok && json.Unmarshal(data, into) == nil
}

// Save makes what was kept durable before the step has ended: what it is about to
// do, for an undo that comes after a crash.
func (r *Run) Save(ctx context.Context) error { return r.service.note(ctx, r) }

// Note says for people what came of the stage under way.
func (r *Run) Note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.Stages {
		if r.Stages[i].State == Running {
			r.Stages[i].Note = fmt.Sprintf(format, args...)
		}
	}
}

// Progress tells how many of total bytes are done. It is cheap to call often.
func (r *Run) Progress(ctx context.Context, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Done, r.Total = done, total
	if now := r.service.Now(); now.Sub(r.noted) >= 250*time.Millisecond || done == total {
		r.noted = now
		// Progress that is not seen harms nothing.
		_ = db.New(r.service.Pool).JobProgress(ctx, db.JobProgressParams{ID: r.ID, Holder: r.service.holder, Done: done, Total: total})
	}
}

// board knows the attempts under way here, so that a cancellation reaches them at once.
type board struct {
	mu   sync.Mutex
	runs map[uuid.UUID]context.CancelCauseFunc
}

func (b *board) put(id uuid.UUID, stop context.CancelCauseFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs == nil {
		b.runs = map[uuid.UUID]context.CancelCauseFunc{}
	}
	b.runs[id] = stop
}

func (b *board) drop(id uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, id)
}

func (b *board) cancel(id uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if stop := b.runs[id]; stop != nil {
		stop(errCancelled)
	}
}

// Run does jobs until ctx ends, and gives back what it was doing then.
func (s *Service) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	slots := make(chan struct{}, s.AtOnce)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		row, err := db.New(s.Pool).JobTake(ctx, s.holder, lease.Seconds())
		if err == nil {
			working.Go(func() {
				defer func() { <-slots }()
				s.attempt(ctx, row)
			})
			continue
		}
		<-slots
		if !errors.Is(err, pgx.ErrNoRows) && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "jobs not read; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.woken:
		case <-tick.C:
		}
	}
}

// attempt does a leased job, from the stage it stands at, to its end.
func (s *Service) attempt(ctx context.Context, row db.Job) {
	j, err := jobOf(row)
	if err != nil {
		s.Log.ErrorContext(ctx, "job not readable", "job", row.ID, "error", err)
		return
	}
	r := &Run{Job: *j, service: s, memo: map[string]json.RawMessage{}}
	_ = json.Unmarshal(row.Memo, &r.memo)
	ctx = actor.WithTrace(actor.With(ctx, j.actor), traceOf(j.ID))
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.board.put(j.ID, stop)
	defer s.board.drop(j.ID)
	held, letGo := context.WithCancel(ctx)
	defer letGo()
	go s.hold(held, r.ID, stop)
	if row.CancelBy != "" && r.State == Running {
		stop(errCancelled)
	}

	plan := s.Plans[j.Kind]
	if r.State == Running {
		err = s.forward(work, r, plan)
		switch cause := context.Cause(work); {
		case errors.Is(cause, errLost):
			return
		case err == nil:
			s.end(ctx, r, plan, Succeeded)
			return
		case ctx.Err() != nil: // the core stops: another goes on, or this one once it is back
			s.giveBack(r)
			return
		case errors.Is(cause, errCancelled):
			err = errCancelled
		}
		r.State = Undoing
		if errors.Is(err, errCancelled) {
			r.Code, r.Detail = "job.cancelled", "It was cancelled."
		} else {
			f := fault.Of(err)
			r.Code, r.Detail = f.Code, f.Sentence
			s.Log.WarnContext(ctx, "job failed", "job", r.ID, "kind", r.Kind, "plugin", r.Plugin, "error", err)
		}
		if s.note(ctx, r) != nil {
			return // done again from here, once the lease has run out
		}
	}
	s.undo(ctx, r, plan)
}

// hold keeps the lease until ctx ends. It stops the work when the lease is lost or
// somebody cancels.
func (s *Service) hold(ctx context.Context, id uuid.UUID, stop context.CancelCauseFunc) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	held := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		cancelled, err := db.New(s.Pool).JobRenew(ctx, db.JobRenewParams{ID: id, Holder: s.holder, Lease: lease.Seconds()})
		switch {
		case errors.Is(err, pgx.ErrNoRows), err != nil && time.Since(held) > lease:
			stop(errLost)
			return
		case err == nil:
			held = time.Now()
			if cancelled != "" {
				stop(errCancelled) // the first cause counts
			}
		}
	}
}

// forward does what is left of the stages.
func (s *Service) forward(ctx context.Context, r *Run, plan Plan) error {
	for i, step := range plan.Steps {
		if i < len(r.Stages) && r.Stages[i].State == Succeeded {
			continue
		}
		now := s.Now()
		r.mu.Lock()
		if r.Stages[i].Began == nil {
			r.Stages[i].Began = &now
		}
		r.Stages[i].State, r.Done, r.Total = Running, 0, 0
		r.mu.Unlock()
		if err := s.note(ctx, r); err != nil {
			return err
		}
		err := step.Do(ctx, r)
		if err == nil {
			err = context.Cause(ctx)
		}
		now = s.Now()
		r.mu.Lock()
		r.Stages[i].State, r.Stages[i].Ended = Succeeded, &now
		if err != nil {
			r.Stages[i].State = Failed
		}
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if err := s.note(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// undo takes back what the steps did, and ends the job.
func (s *Service) undo(ctx context.Context, r *Run, plan Plan) {
	if plan.Undo != nil {
		if err := plan.Undo(ctx, r); err != nil {
			if ctx.Err() != nil {
				s.giveBack(r)
				return
			}
			s.Log.ErrorContext(ctx, "what a job did was not taken back whole", "job", r.ID, "plugin", r.Plugin, "error", err)
			r.Detail += " Taking it back failed, too: " + fault.Of(err).Sentence
		}
	}
	end := Failed
	if r.Code == "job.cancelled" {
		end = Cancelled
	}
	s.end(ctx, r, plan, end)
}

// end closes a job and records it.
func (s *Service) end(ctx context.Context, r *Run, plan Plan, state State) {
	now := s.Now()
	r.State, r.EndedAt = state, &now
	outcome := audit.OK
	if state != Succeeded {
		outcome = audit.Failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease/2)
	defer cancel()
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		in, err := r.row(&now)
		if err != nil {
			return err
		}
		n, err := q.JobNote(ctx, in)
		if err != nil {
			return err
		}
		if n == 0 {
			return errLost
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: r.Plugin, Action: plan.Action, Object: r.Plugin, Outcome: outcome, Rule: r.Code, Detail: map[string]any{"job": r.ID, "state": state, "attempt": r.Attempt},
		})
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "the end of a job was not kept; it is done again once its lease has run out", "job", r.ID, "error", err)
	}
}

// giveBack lets another core go on at once.
func (s *Service) giveBack(r *Run) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := db.New(s.Pool).JobRelease(ctx, r.ID, s.holder); err != nil {
		s.Log.WarnContext(ctx, "a job is taken up again only after its lease", "job", r.ID, "error", err)
	}
}

// note makes where the job stands durable. It fails once the lease is lost.
func (s *Service) note(ctx context.Context, r *Run) error {
	in, err := r.row(nil)
	if err != nil {
		return err
	}
	n, err := db.New(s.Pool).JobNote(ctx, in)
	if err != nil {
		return fmt.Errorf("note a job: %w", db.Fault(err))
	}
	if n == 0 {
		return errLost
	}
	return nil
}

func (r *Run) row(ended *time.Time) (in db.JobNoteParams, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in = db.JobNoteParams{ID: r.ID, Holder: r.service.holder, State: string(r.State), Done: r.Done, Total: r.Total, Code: r.Code, Sentence: r.Detail, EndedAt: ended}
	if in.Stages, err = json.Marshal(r.Stages); err != nil {
		return in, err
	}
	in.Memo, err = json.Marshal(r.memo)
	return in, err
}

// traceOf is the trace id of everything a job does (W3C Trace Context: 32 hexadecimal digits).
func traceOf(id uuid.UUID) string { return fmt.Sprintf("%x", id[:]) }
