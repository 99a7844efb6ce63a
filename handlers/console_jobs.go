package handlers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/views"
)

func jobsFrame(way ...string) frame {
	return at(views.PathJobs, append([]string{"Plugins", "", "Jobs", views.PathJobs}, way...)...)
}

func jobRow(j *job.Job) views.JobRow {
	row := views.JobRow{
		ID: j.ID.String(), Title: strings.ToUpper(j.Kind[:1]) + j.Kind[1:] + " " + j.Plugin, State: views.JobState(j.State), By: j.By, At: j.Created, Detail: j.Detail,
		Stage: j.Stage().Label,
	}
	if row.Stage == "" {
		row.Stage = "Waits for its turn"
	}
	return row
}

// jobsPage handles GET /console/jobs.
func (s *Server) jobsPage(c echo.Context) error {
	const size = 25
	q := job.Query{Most: size + 1}
	if raw := c.QueryParam("after"); raw != "" {
		if id, err := uuid.Parse(raw); err == nil {
			q.Before = id
		}
	}
	all, err := s.Jobs.List(c.Request().Context(), q)
	if err != nil {
		return err
	}
	props := views.Jobs{}
	if q.Before != uuid.Nil {
		props.Pager.Newer = views.PathJobs
	}
	if len(all) > size {
		all = all[:size]
		props.Pager.Older = views.PathJobs + "?after=" + all[size-1].ID.String()
	}
	for _, j := range all {
		props.Rows = append(props.Rows, jobRow(j))
	}
	return answer(c, s.visit(c.Request()), http.StatusOK, at(views.PathJobs, "Plugins", "", "Jobs", ""), props, views.JobsPage, views.JobsBody)
}

func (v *visit) job(j *job.Job) views.Job {
	row := jobRow(j)
	props := views.Job{Row: row, Done: j.Done, Total: j.Total, Facts: []views.KV{
		{Label: "Plugin", Value: j.Plugin, Mono: true}, {Label: "Started by", Value: j.By},
		{Label: "Started", Body: views.Time(j.Created, views.Clock)}, {Label: "Job", Value: row.ID, Mono: true, Copy: true},
	}}
	if j.Cancel != "" {
		props.Facts = append(props.Facts, views.KV{Label: "Cancelled by", Value: j.Cancel})
	}
	for _, st := range j.Stages {
		stage := views.JobStage{Label: st.Label, State: views.JobState(st.State), Note: st.Note}
		if st.Began != nil && st.Ended != nil {
			stage.Took = st.Ended.Sub(*st.Began).Round(time.Millisecond)
		}
		props.Stages = append(props.Stages, stage)
	}
	switch {
	case !j.State.Ended():
		props.Live = views.JobPath(row.ID, "live")
		if j.Cancel == "" {
			props.Actions = []views.Action{{Label: "Cancel", Icon: "ban", Danger: true, Href: views.JobPath(row.ID, "cancel")}}
		}
	case j.State == job.Succeeded:
		if _, there := v.snap.Plugin(j.Plugin); there {
			props.Next = &views.Action{Label: "Open " + j.Plugin, Icon: "arrow-right", Primary: true, Get: true, Href: views.PluginPath(j.Plugin)}
		}
	default:
		props.Actions = []views.Action{{Label: "Try again", Icon: "refresh-cw", Href: views.JobPath(row.ID, "retry")}}
	}
	return props
}

// jobPage handles GET /console/jobs/:id.
func (s *Server) jobPage(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	j, err := s.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props := v.job(j)
	return answer(c, v, http.StatusOK, jobsFrame(props.Row.Title, ""), props, views.JobPage, views.JobBody)
}

// jobLive handles GET /console/jobs/:id/live: the job's card, each time it came further.
func (s *Server) jobLive(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if _, err := s.Jobs.Get(c.Request().Context(), id); err != nil {
		return err
	}
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	r, out := c.Request().WithContext(ctx), sse(c)
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	tick := time.NewTicker(jobGlance)
	defer tick.Stop()
	var told time.Time
	for {
		j, err := s.Jobs.Get(ctx, id)
		if err == nil && !j.Updated.Equal(told) {
			told = j.Updated
			if err := s.redraw(r, out, func(v *visit, _ context.Context) (templ.Component, error) { return views.JobLive(v.job(j)), nil }); err != nil {
				return nil
			}
		}
		if err == nil && j.State.Ended() {
			<-ctx.Done() // an end would only make the page connect again
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// cancelJobNow handles POST /console/jobs/:id/cancel.
func (s *Server) cancelJobNow(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if err := s.Jobs.Cancel(c.Request().Context(), id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The job ends, and takes back what it did."}, views.JobPath(id.String()))
}

// retryJobNow handles POST /console/jobs/:id/retry.
func (s *Server) retryJobNow(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	j, err := s.Jobs.Again(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: "It is tried again."}, views.JobPath(j.ID.String()))
}
