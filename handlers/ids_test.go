package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestEveryPluginSpeaksItsOwnIDs: a call reaches its target with the target's ids and
// comes back with the caller's; a person sees the global one.
func TestEveryPluginSpeaksItsOwnIDs(t *testing.T) {
	c := newCore(t)
	c.setUp()
	user := map[string]any{"type": "string", "x-global-id": "user"}
	heard := make(chan string, 10)
	crm := c.enabled("crm", map[string]any{"endpoints": map[string]any{
		"show": map[string]any{"path": "/users/{id}", "method": "GET",
			"request_schema":  map[string]any{"type": "object", "properties": map[string]any{"id": user}},
			"response_schema": map[string]any{"type": "object", "properties": map[string]any{"id": user, "friends": map[string]any{"type": "array", "items": user}}}},
		"merge": map[string]any{"path": "/merge", "method": "POST",
			"request_schema": map[string]any{"type": "object", "properties": map[string]any{"of": map[string]any{"type": "array", "items": user}}}},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1000)
		n, _ := r.Body.Read(body)
		heard <- r.URL.Path + string(body[:n])
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"c1","friends":["c2","c3"]}`))
	}))
	desk := c.enabled("desk", map[string]any{"dependencies": []string{"crm"}}, nil)
	bind := func(p *target, id, global string) string {
		status, bound := c.api(p.Token, "PUT", "/canonical/ids/user", map[string]any{"id": id, "global_id": global})
		if status != 200 {
			t.Fatalf("binding %s is answered %d %v", id, status, bound)
		}
		return bound["global_id"].(string)
	}
	one, two := bind(crm, "c1", ""), bind(crm, "c2", "")
	bind(desk, "d1", one)
	if again := bind(crm, "c1", ""); again != one {
		t.Errorf("bound once more it is %s, and was %s", again, one)
	}
	call := func(token, method, path string, body any) map[string]any {
		status, answer := c.api(token, method, path, body)
		if status != 200 {
			t.Fatalf("%s is answered %d %v", path, status, answer)
		}
		return answer
	}
	for _, tt := range []struct{ who, token, id, want string }{
		{"a plugin", desk.Token, "d1", `{"friends":["` + two + `","c3"],"id":"d1"}`},
		{"a person", c.token(adminAt), one, `{"friends":["` + two + `","c3"],"id":"` + one + `"}`},
	} {
		answer, _ := json.Marshal(call(tt.token, "GET", "/gateway/crm/-/users/"+tt.id, nil))
		if got := <-heard; got != "/users/c1" || string(answer) != tt.want {
			t.Errorf("%s: the target heard %s and the answer is %s, want %s", tt.who, got, answer, tt.want)
		}
	}
	call(desk.Token, "POST", "/gateway/crm/merge", map[string]any{"of": []string{"d1", two, "other"}})
	if got := <-heard; !strings.Contains(got, `{"of":["c1","c2","other"]}`) {
		t.Errorf("the target heard %s", got)
	}
}
