package handlers

import (
	"encoding/json"
	"fmt"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/views"
)

// delivery is what a record says of one receiver of an event.
type delivery struct {
	Receiver string     `json:"receiver"`
	Outcome  string     `json:"outcome"` // deliver, redact or drop; of an outcome: ok or failed
	Rule     string     `json:"rule"`
	Reason   string     `json:"reason"`
	Missing  []string   `json:"missing"`
	Fields   []string   `json:"fields"`
	Error    string     `json:"error"`
	Attempt  int        `json:"attempt"`
	Facts    gate.Facts `json:"facts"`
}

// deliveries reads the receivers of an event out of the record of its delivery.
func deliveries(r *audit.Record) []delivery {
	var detail struct {
		Deliveries []delivery `json:"deliveries"`
	}
	if r.Action != "event.deliver" || json.Unmarshal(r.Detail, &detail) != nil {
		return nil
	}
	return detail.Deliveries
}

// decided are the words of a delivery as views know them.
var decided = map[string]views.Status{"deliver": views.Delivered, "redact": views.Redacted, "drop": views.Dropped}

// deliveryStep is what was decided for one receiver.
func (v *visit) deliveryStep(d delivery) views.Step {
	if d.Outcome == "ok" || d.Outcome == "failed" {
		return v.endStep(d)
	}
	s := views.Step{Rule: d.Rule, Verdict: views.Pass, Text: v.plugin(d.Receiver).Name + ": " + decided[d.Outcome].Word(), Missing: d.Missing}
	if d.Outcome == "drop" {
		s.Verdict = views.Deny
	}
	if d.Reason != "" {
		s.Text += ". " + d.Reason
	}
	if d.Outcome == "redact" && len(d.Fields) > 0 {
		s.Text += " Removed: " + joined(d.Fields) + "."
	}
	return s
}

// endStep is what came of one attempt to deliver.
func (v *visit) endStep(d delivery) views.Step {
	s := views.Step{Rule: d.Rule, Verdict: views.Pass, Text: v.plugin(d.Receiver).Name + ": arrived"}
	if d.Outcome == "failed" {
		s.Verdict, s.Text = views.Deny, v.plugin(d.Receiver).Name+": failed. "+d.Error
	}
	if d.Attempt > 1 {
		s.Text += fmt.Sprintf(" (attempt %d)", d.Attempt)
	}
	return s
}
