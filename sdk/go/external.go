package vivified

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"
)

// ErrUnreachable is an external address that did not answer: no such name, no
// connection, no trusted certificate, or no answer in time.
var ErrUnreachable = errors.New("the external address did not answer")

// ExternalRequest is a request to the outside world, made by the core on the
// plugin's behalf.
type ExternalRequest struct {
	URL     string            // http or https; the host is one of the manifest's allowed domains
	Method  string            // default GET
	Header  map[string]string // credentials are injected by the core, not sent by the plugin
	Body    []byte            // UTF-8 text; default none
	JSON    any               // becomes the body instead of Body, with its content type; default none
	Timeout time.Duration     // default the core's, 30 s
}

// ExternalAnswer is what the outside world answered, whatever its status.
type ExternalAnswer struct {
	RequestID    string
	Status       int
	Header       http.Header
	Body         []byte
	ResponseTime time.Duration
}

// CallExternal makes a request to the outside through the core's proxy lane. A
// refusal is a *Problem that names the rule; an address that did not answer is
// ErrUnreachable; any HTTP status of the other side is an answer.
func (p *Plugin) CallExternal(ctx context.Context, r ExternalRequest) (*ExternalAnswer, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if !utf8.Valid(r.Body) {
		return nil, errors.New("call external: the body is not UTF-8 text")
	}
	wire := map[string]any{"url": r.URL, "method": r.Method}
	if len(r.Header) > 0 {
		wire["headers"] = r.Header
	}
	if len(r.Body) > 0 {
		wire["body"] = string(r.Body)
	}
	if r.JSON != nil {
		wire["json"] = r.JSON
	}
	if r.Timeout > 0 {
		wire["timeout"] = r.Timeout.Seconds()
	}
	body, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("call external: %w", err)
	}
	answer, err := p.session.do(ctx, request{method: http.MethodPost, path: "/gateway/proxy", body: body})
	if err != nil {
		return nil, fmt.Errorf("call external: %w", err)
	}
	return readExternal(answer)
}

// readExternal reads the core's report of an external request.
func readExternal(answer *Answer) (*ExternalAnswer, error) {
	var report struct {
		RequestID    string         `json:"request_id"`
		StatusCode   int            `json:"status_code"`
		Headers      map[string]any `json:"headers"` // a name has one value or a list of them
		Body         string         `json:"body"`
		BodyEncoding string         `json:"body_encoding"`
		ResponseMS   float64        `json:"response_time_ms"`
		ErrorMessage string         `json:"error_message"`
	}
	if err := answer.Decode(&report); err != nil {
		return nil, fmt.Errorf("call external: %w", err)
	}
	if report.StatusCode == 0 {
		return nil, fmt.Errorf("call external: %w: %s", ErrUnreachable, report.ErrorMessage)
	}
	out := &ExternalAnswer{
		RequestID:    report.RequestID,
		Status:       report.StatusCode,
		Header:       http.Header{},
		Body:         []byte(report.Body),
		ResponseTime: time.Duration(report.ResponseMS * float64(time.Millisecond)),
	}
	for name, value := range report.Headers {
		switch value := value.(type) {
		case string:
			out.Header.Add(name, value)
		case []any:
			for _, v := range value {
				out.Header.Add(name, fmt.Sprint(v))
			}
		}
	}
	if report.BodyEncoding == "base64" {
		decoded, err := base64.StdEncoding.DecodeString(report.Body)
		if err != nil {
			return nil, fmt.Errorf("call external: read body: %w", err)
		}
		out.Body = decoded
	}
	return out, nil
}
