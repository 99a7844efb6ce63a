package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// State is where a job stands.
type State string

// The states. The last three are final.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Undoing   State = "undoing" // it failed or was cancelled, and what it did is taken back
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended reports whether a job in the state does nothing any more.
func (s State) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Stage is one step of a job.
type Stage struct {
	Name  string     `json:"name"`
	Label string     `json:"label"`
	State State      `json:"state"`          // of this stage: waiting, running, succeeded, failed
	Note  string     `json:"note,omitempty"` // what came of it, for people
	Began *time.Time `json:"began,omitempty"`
	Ended *time.Time `json:"ended,omitempty"`
}

// Job is a piece of work and how far it has come.
type Job struct {
	ID      uuid.UUID       `json:"id"`
	Kind    string          `json:"kind"`
	Plugin  string          `json:"plugin_id"`
	Params  json.RawMessage `json:"params"`
	Memo    json.RawMessage `json:"-"`
	State   State           `json:"state"`
	Stages  []Stage         `json:"stages"`
	Done    int64           `json:"done,omitempty"`  // bytes, of the stage under way
	Total   int64           `json:"total,omitempty"` // 0: unknown
	Cancel  string          `json:"cancelled_by,omitempty"`
	Code    string          `json:"code,omitempty"`   // why it failed, for programs
	Detail  string          `json:"detail,omitempty"` // and for people
	Attempt int             `json:"attempt"`          // how many cores took it up
	By      string          `json:"by"`               // who started it
	Created time.Time       `json:"created_at"`
	Updated time.Time       `json:"updated_at"`
	EndedAt *time.Time      `json:"ended_at,omitempty"`
	actor   actor.Actor
}

// Stage returns the stage that is under way, or the last one that was.
func (j *Job) Stage() Stage {
	var last Stage
	for _, s := range j.Stages {
		if s.State == Waiting {
			break
		}
		last = s
	}
	return last
}

// Plan is how a kind of job is done.
type Plan struct {
	Steps []Step
	// Undo takes back what the steps did, in whatever state they left it. It may be
	// repeated. Nil: there is nothing to take back.
	Undo func(ctx context.Context, r *Run) error
	// Action is that of its audit records, such as plugin.install; .start and .cancel are appended.
	Action string
}

// Step does one stage. It may be repeated from its beginning after a crash, so it
// looks first for what it has done already. A fault it returns ends the job.
type Step struct {
	Name  string // one word
	Label string // for people: what it does
	Do    func(ctx context.Context, r *Run) error
}

// Config is what the service needs.
type Config struct {
	Pool   *pgxpool.Pool
	Plans  map[string]Plan // by kind
	Log    *slog.Logger
	Now    func() time.Time // default: time.Now
	AtOnce int              // jobs done at a time here; default 2
}

// Service starts jobs, does them, and tells how far they are.
type Service struct {
	Config
	holder string        // this process, among the replicas
	woken  chan struct{} // a job came
	board  board
}

// New returns a service that does nothing until Run is called.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AtOnce == 0 {
		c.AtOnce = 2
	}
	return &Service{Config: c, holder: uuid.NewString(), woken: make(chan struct{}, 1)}
}

// who is how an actor is kept with its job.
type who struct {
	Kind actor.Kind `json:"kind"`
	ID   string     `json:"id"`
	Name string     `json:"name"`
}

// Start records a job for a plugin, to be done in the name of who acts in ctx.
// Errors are faults: Conflict while another job of the plugin is open.
func (s *Service) Start(ctx context.Context, kind, plugin string, params any) (*Job, error) {
	plan, known := s.Plans[kind]
	if !known {
		return nil, fmt.Errorf("no plan for jobs of kind %q", kind)
	}
	stages := make([]Stage, len(plan.Steps))
	for i, step := range plan.Steps {
		stages[i] = Stage{Name: step.Name, Label: step.Label, State: Waiting}
	}
	a := actor.From(ctx)
	var row db.Job
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) (err error) {
		in := db.JobInsertParams{ID: uuid.Must(uuid.NewV7()), TenantID: a.Tenant, Kind: kind, PluginID: plugin, At: s.Now()}
		if in.Params, err = json.Marshal(params); err != nil {
			return err
		}
		if in.Stages, err = json.Marshal(stages); err != nil {
			return err
		}
		if in.Actor, err = json.Marshal(who{a.Kind, a.ID, a.Name}); err != nil {
			return err
		}
		if row, err = q.JobInsert(ctx, in); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: plugin, Action: plan.Action + ".start", Object: plugin, Outcome: audit.OK, Detail: map[string]any{"job": in.ID}, After: in.Params,
		})
	})
	if db.Violates(err, "jobs_open") {
		return nil, fault.New(fault.Conflict, "job.open", "Something is being done with %s already; wait until that job has ended, or cancel it.", plugin)
	}
	if err != nil {
		return nil, fmt.Errorf("start a job: %w", db.Fault(err))
	}
	select {
	case s.woken <- struct{}{}:
	default:
	}
	return jobOf(row)
}

// Get returns a job. Errors are faults: NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (*Job, error) {
	row, err := db.New(s.Pool).JobGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, unknown()
	}
	if err != nil {
		return nil, fmt.Errorf("read a job: %w", db.Fault(err))
	}
	return jobOf(row)
}

// Query chooses jobs.
type Query struct {
	Plugin string // empty: of every plugin
	Open   bool   // only those that have not ended
	Before uuid.UUID
	Most   int32 // default 50
}

// List returns jobs, the newest first.
func (s *Service) List(ctx context.Context, q Query) ([]*Job, error) {
	if q.Most <= 0 || q.Most > 200 {
		q.Most = 50
	}
	in := db.JobListParams{TenantID: actor.From(ctx).Tenant, PluginID: q.Plugin, OpenOnly: q.Open, Most: q.Most}
	if q.Before != uuid.Nil {
		in.BeforeID = &q.Before
	}
	rows, err := db.New(s.Pool).JobList(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", db.Fault(err))
	}
	all := make([]*Job, len(rows))
	for i, row := range rows {
		if all[i], err = jobOf(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Cancel asks an open job to end and to take back what it did. Errors are faults:
// NotFound, and Conflict for one that has ended.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID) error {
	a := actor.From(ctx)
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.JobLock(ctx, a.Tenant, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return unknown()
		}
		if err != nil {
			return err
		}
		if State(row.State).Ended() {
			return fault.New(fault.Conflict, "job.ended", "The job has %s already.", row.State)
		}
		n, err := q.JobCancel(ctx, a.Name, id)
		if err != nil || n == 0 { // somebody else asked before
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: row.PluginID, Action: s.Plans[row.Kind].Action + ".cancel", Object: row.PluginID, Outcome: audit.OK, Detail: map[string]any{"job": id},
		})
	})
	if err != nil {
		return db.Fault(err)
	}
	s.board.cancel(id)
	return nil
}

// Again starts a failed or cancelled job once more, as a new one with the same params.
func (s *Service) Again(ctx context.Context, id uuid.UUID) (*Job, error) {
	j, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if j.State != Failed && j.State != Cancelled {
		return nil, fault.New(fault.Conflict, "job.not_failed", "The job is %s; only one that failed or was cancelled can be started again.", j.State)
	}
	return s.Start(ctx, j.Kind, j.Plugin, j.Params)
}

func unknown() error { return fault.New(fault.NotFound, "job.unknown", "There is no such job.") }

func jobOf(row db.Job) (*Job, error) {
	j := &Job{
		ID: row.ID, Kind: row.Kind, Plugin: row.PluginID, Params: row.Params, Memo: row.Memo, State: State(row.State), Done: row.Done, Total: row.Total,
		Cancel: row.CancelBy, Code: row.Code, Detail: row.Sentence, Attempt: int(row.Attempt), Created: row.CreatedAt, Updated: row.UpdatedAt, EndedAt: row.EndedAt,
	}
	var by who
	if err := errors.Join(json.Unmarshal(row.Stages, &j.Stages), json.Unmarshal(row.Actor, &by)); err != nil {
		return nil, fmt.Errorf("read job %s: %w", row.ID, err)
	}
	j.By = by.Name
	j.actor = actor.Actor{Kind: by.Kind, ID: by.ID, Name: by.Name, Tenant: row.TenantID}
	return j, nil
}
