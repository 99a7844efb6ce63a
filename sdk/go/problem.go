package vivified

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Problem is a request that was answered with an error: an RFC 9457 problem
// document, or any other answer that is not 2xx.
type Problem struct {
	Status     int           `json:"status"`                // HTTP status
	Code       string        `json:"code"`                  // the rule that refused, such as proxy.domain; empty when the answer was no problem document
	Title      string        `json:"title"`                 // the status in words
	Detail     string        `json:"detail"`                // one sentence for a person
	DecisionID string        `json:"decision_id,omitempty"` // the policy decision behind a 403, readable in the console
	Why        string        `json:"-"`                     // address of the page that says why, when there is a decision
	TraceID    string        `json:"trace_id,omitempty"`    // finds the request in logs and audit
	Violations []Violation   `json:"errors,omitempty"`      // every broken rule of a refused document
	RetryAfter time.Duration `json:"-"`                     // from Retry-After; 0 when the answer named none
}

// Violation is one broken rule of a refused document.
type Violation struct {
	Rule    string `json:"rule"`
	Path    string `json:"path"` // JSON Pointer (RFC 6901)
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Error returns status, code and sentence in one line.
func (p *Problem) Error() string {
	text := strconv.Itoa(p.Status)
	if p.Code != "" {
		text += " " + p.Code
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	switch {
	case p.Why != "":
		text += " (why: " + p.Why + ")"
	case p.DecisionID != "":
		text += " (decision " + p.DecisionID + ")"
	}
	return text
}

// problemFrom reads the problem that res, an answer of the core at base, carries.
// The HTTP status wins over the one in the document.
func problemFrom(base *url.URL, res *http.Response, body []byte) *Problem {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(body, p) != nil {
		p = &Problem{Title: http.StatusText(res.StatusCode), Detail: fmt.Sprintf("The answer was %s.", res.Status)}
	}
	p.Status = res.StatusCode
	if p.DecisionID != "" {
		p.Why = base.Scheme + "://" + base.Host + "/console/decisions/" + url.PathEscape(p.DecisionID)
	}
	if p.TraceID == "" {
		p.TraceID = res.Header.Get("X-Trace-Id")
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// WriteProblem answers w with an application/problem+json document (RFC 9457):
// a stable dotted code for programs and one sentence for a person.
func WriteProblem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The status line is out; a failed write has nobody left to tell.
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(status), status, detail, code})
}
