package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// jobInfo is what the commands show of a job.
type jobInfo struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Stages []struct {
		Name  string `json:"name"`
		Label string `json:"label"`
		State string `json:"state"`
		Note  string `json:"note"`
	} `json:"stages"`
}

func (j jobInfo) ended() bool {
	return j.State == "succeeded" || j.State == "failed" || j.State == "cancelled"
}

// installPlugin installs the newest version that the operator's rules allow, or
// the one that was named, and waits until that is done.
func installPlugin(ctx context.Context, c call) error {
	want, _ := c.in["version"].(string)
	digest, err := c.client.choose(ctx, c.args[0], want)
	if err != nil {
		return err
	}
	var started struct {
		Job jobInfo `json:"job"`
	}
	if err := c.client.do(ctx, http.MethodPost, "/admin/marketplace/bundles/"+digest+"/install", map[string]any{"enable": c.in["enable"]}, &started); err != nil {
		return err
	}
	if c.in["background"] == true {
		if c.json {
			return writeJSON(c.out, started)
		}
		_, err := fmt.Fprintf(c.out, "Job %s installs %s.\n", started.Job.ID, c.args[0])
		return err
	}
	return c.client.follow(ctx, started.Job.ID, c.json, c.out)
}

// choose returns the digest of a version of a plugin on the shelf.
func (c *client) choose(ctx context.Context, id, want string) (string, error) {
	var listing struct {
		Versions []struct {
			Version string `json:"version"`
			Digest  string `json:"digest"`
			Verdict struct {
				Blocked []struct {
					Detail string `json:"detail"`
				} `json:"blocked"`
			} `json:"verdict"`
		} `json:"versions"`
	}
	if err := c.do(ctx, http.MethodGet, "/admin/marketplace/"+url.PathEscape(id), nil, &listing); err != nil {
		return "", err
	}
	why := fmt.Errorf("%s has no version %s on the shelf", id, want)
	for _, v := range listing.Versions {
		switch {
		case want != "" && v.Version != want:
		case want == "" && len(v.Verdict.Blocked) > 0:
			why = fmt.Errorf("no version of %s may be installed: %s", id, v.Verdict.Blocked[0].Detail)
		default:
			return v.Digest, nil // what blocks a version that was named, the core says
		}
	}
	return "", why
}

// follow tells of a job's stages as they come, until it has ended.
func (c *client) follow(ctx context.Context, id string, asJSON bool, out io.Writer) error {
	told := 0
	for {
		var j jobInfo
		if err := c.do(ctx, http.MethodGet, "/admin/jobs/"+id, nil, &j); err != nil {
			return err
		}
		for ; !asJSON && told < len(j.Stages) && (j.Stages[told].State == "succeeded" || j.Stages[told].State == "failed"); told++ {
			s := j.Stages[told]
			if _, err := fmt.Fprintf(out, "%-10s %s. %s\n", s.State, s.Label, plain(s.Note)); err != nil {
				return err
			}
		}
		if j.ended() {
			if asJSON {
				if err := writeJSON(out, j); err != nil {
					return err
				}
			}
			if j.State != "succeeded" {
				return errors.New(j.Detail)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}
