// Package fault says what went wrong: a kind and a code for programs, one
// sentence for people, and the cause for the log.
//
// It knows nothing of HTTP, SQL or any service. Each edge translates what it
// knows into a Fault; the HTTP edge translates a Fault into a problem document.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a failure. It decides the HTTP status and the exit code.
type Kind uint8

// The kinds, each with the HTTP status it becomes.
const (
	Internal        Kind = iota // 500: our defect; the sentence says nothing of the cause
	Invalid                     // 400: malformed, or refused by a rule that reads syntax
	Unauthenticated             // 401: no valid credential
	Denied                      // 403: policy said no
	NotFound                    // 404
	Conflict                    // 409: the object is in another state than the caller believed
	Gone                        // 410: it can never succeed again
	TooLarge                    // 413
	Unprocessable               // 422: well-formed and yet it breaks a rule
	TooMany                     // 429: slow down
	BadGateway                  // 502: the other side answered wrongly
	Unavailable                 // 503: something this needs is down
	Timeout                     // 504: the other side did not answer in time
)

// Violation is one broken rule of a refused document.
type Violation struct {
	Rule    string `json:"rule"`
	Path    string `json:"path"` // JSON Pointer (RFC 6901)
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Fault is an error with an answer for programs and one for people.
type Fault struct {
	Kind       Kind
	Code       string        // dotted and stable, such as proxy.domain
	Sentence   string        // one sentence that says what to do; never carries secrets or causes
	Decision   string        // id of the policy decision behind it, when there is one
	Violations []Violation   // every broken rule, when a document was refused
	RetryAfter time.Duration // for TooMany and Unavailable; 0: unknown
	Cause      error         // for the log only
}

// Error returns the sentence, followed by the cause when there is one.
func (f *Fault) Error() string {
	if f.Cause != nil {
		return f.Sentence + " (" + f.Cause.Error() + ")"
	}
	return f.Sentence
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// New returns a Fault of a kind, with a stable code and a sentence.
func New(kind Kind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Sentence: fmt.Sprintf(format, args...)}
}

// Because returns a copy of f that carries its cause.
func (f *Fault) Because(cause error) *Fault {
	g := *f
	g.Cause = cause
	return &g
}

// Of returns the first Fault in err's chain. An error without one is Internal
// and says only that the failure was ours.
func Of(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: Internal, Code: "internal", Sentence: "The core failed to answer; the log has the reason under this trace id.", Cause: err}
}

// Is reports whether err carries a Fault of the kind.
func Is(err error, kind Kind) bool {
	f, ok := errors.AsType[*Fault](err)
	return ok && f.Kind == kind
}
