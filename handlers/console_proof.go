package handlers

import (
	"context"
	"encoding/json"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/views"
)

// proof is the state of the audit: what the last verification found, whoever
// asked for it, and how far the chains have grown since.
func (v *visit) proof(ctx context.Context) (views.Proof, error) {
	heads, err := v.Audit.Heads(ctx)
	if err != nil {
		return views.Proof{}, err
	}
	p := views.Proof{Status: views.Unknown, Chains: len(heads)}
	for _, h := range heads {
		p.Records += h.Seq
		if h.At.After(p.Head) {
			p.Head = h.At
		}
	}
	last, err := v.Audit.Search(ctx, audit.Filter{Action: "audit.verify", Outcome: audit.OK, Limit: 1})
	if err != nil || len(last.Records) == 0 {
		return p, err
	}
	var found struct {
		OK   bool  `json:"ok"`
		Rows int64 `json:"rows"`
	}
	r := &last.Records[0]
	if json.Unmarshal(r.Detail, &found) != nil {
		return p, nil
	}
	p.Status, p.Records, p.Checked, p.By = views.Broken, found.Rows, r.At, r.ActorName
	if found.OK {
		p.Status = views.Intact
	}
	return p, nil
}
