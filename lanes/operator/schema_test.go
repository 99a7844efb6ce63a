package operator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
)

func TestRequestsAreHeldAgainstTheSchema(t *testing.T) {
	w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `[]`)
	})
	for _, tt := range []struct {
		name, route, body string
		broken            []string // paths
	}{
		{"as declared", "/gateway/profiles/book?room=7", `{"nights":2,"guest":"Ada"}`, nil},
		{"the room in the body", "/gateway/profiles/book", `{"room":7,"nights":2}`, nil},
		{"by its path", "/gateway/profiles/-/rooms/7/bookings", `{"nights":2}`, nil},
		{"every violation is named", "/gateway/profiles/book?room=7", `{"nights":0,"guest":5}`, []string{"/guest", "/nights"}},
		{"a value of the path too", "/gateway/profiles/book?room=attic", `{"nights":2}`, []string{"/room"}},
		{"what is missing", "/gateway/profiles/book?room=7", ``, []string{""}},
		{"what nobody declared", "/gateway/profiles/book?room=7", `{"nights":2,"vip":true}`, []string{""}},
		{"no JSON", "/gateway/profiles/book?room=7", `nights=2`, []string{""}},
		{"a member that two readers would read differently", "/gateway/profiles/book?room=7", `{"nights":0,"nights":2}`, []string{"/nights"}},
		{"nested without end", "/gateway/profiles/book?room=7", `{"guest":` + strings.Repeat("[", 100_000), []string{""}},
		{"a query as declared", "/gateway/profiles/find?most=5&open=true&tag=a&tag=b", "", nil},
		{"one value of a list", "/gateway/profiles/find?tag=a", "", nil},
		{"a query with text for a number", "/gateway/profiles/find?most=many", "", []string{"/most"}},
		{"an undeclared parameter", "/gateway/profiles/find?admin=1", "", []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.got)
			c := operator.Call{Body: strings.NewReader(tt.body), Length: int64(len(tt.body)), Header: http.Header{"Content-Type": {"application/json"}}}
			if strings.Contains(tt.route, "book") {
				c.Method = http.MethodPost
			}
			_, _, err := w.call(t, w.as(t, "clerk"), c, tt.route)
			if tt.broken == nil {
				if err != nil {
					t.Errorf("refused: %v %+v", err, fault.Of(err).Violations)
				}
				return
			}
			f := fault.Of(err)
			var paths []string
			for _, v := range f.Violations {
				paths = append(paths, v.Path)
			}
			if f.Kind != fault.Unprocessable || f.Code != "operator.schema" || !cmp.Equal(paths, tt.broken) {
				t.Errorf("answered %s with violations at %q, want them at %q", f.Code, paths, tt.broken)
			}
			if len(w.got) != before {
				t.Error("the target heard of it")
			}
		})
	}
}

func TestAnswersAreHeldAgainstTheSchema(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body string
		status           int
		code             string
	}{
		{"as promised", "application/json", `[{"id":1},{"id":2}]`, 200, ""},
		{"something else", "application/json", `[{"name":"Ada Lovelace"}]`, 200, "target.schema"},
		{"no JSON", "application/json", `<html>`, 200, "target.schema"},
		{"of another type", "text/html", `[]`, 200, "target.answer"},
		{"nothing", "application/json", ``, 200, "target.schema"},
		{"nothing, as a status says", "", ``, 204, ""},
		{"an error has no schema", "text/plain", "not now", 409, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", tt.kind)
				rw.WriteHeader(tt.status)
				_, _ = io.WriteString(rw, tt.body)
			})
			answer, body, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/find")
			if tt.code == "" {
				if err != nil || body != tt.body || answer.Status != tt.status {
					t.Errorf("answered %q (%v)", body, err)
				}
				return
			}
			f := fault.Of(err)
			if f.Kind != fault.BadGateway || f.Code != tt.code || f.Decision == "" {
				t.Errorf("answered %v (%s), want %s with its decision", err, f.Code, tt.code)
			}
			if strings.Contains(f.Sentence, "Ada") || len(f.Violations) > 0 || f.Cause != nil && strings.Contains(f.Cause.Error(), "Ada") {
				t.Errorf("what the target answered came through the refusal: %+v", f)
			}
			if n := len(w.rows); n != 2 || w.rows[1].Outcome != audit.Failed {
				t.Errorf("recorded %+v", w.rows)
			}
		})
	}
}
