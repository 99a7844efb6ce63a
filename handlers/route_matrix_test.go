package handlers_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

var update = flag.Bool("update", false, "write testdata/routes.golden anew")

// ends are routes that end the session they are asked by.
var ends = []string{"/sign-out", "/auth/logout"}

// Who reaches which route is written down: a change of rights shows as a change of
// testdata/routes.golden. The test walks the table, so that a new route is in it
// by itself; run it with -update and read the difference.
//
// A route is reached when it does not refuse whoever asks. Everything asked for is
// not there, so that asking changes nothing.
func TestRoleMatrix(t *testing.T) {
	c := newCore(t)
	c.setUp()
	roles, err := c.Identity.Roles(c.system())
	if err != nil {
		t.Fatal(err)
	}
	who, names := map[string]string{}, []string{"nobody"} // tokens by role
	c.person("nobody@example.com", "Nobody")
	for _, r := range roles {
		if !r.Builtin {
			t.Errorf("the role %s is not shipped", r.Name)
		}
		c.person(r.Name+"@example.com", r.Label, r.Name)
		names = append(names, r.Name)
	}
	for _, name := range names {
		who[name] = c.token(name + "@example.com")
	}
	plugin := c.enabled("walker", map[string]any{"traits": []string{"handles_internal"}, "events": map[string]any{"subscribes": []string{"greeting.requested"}}}, nil)
	viewer, needs := heldBy(roles, "viewer"), c.Server.Needs()

	var lines []string
	for _, r := range c.Server.Table() {
		method, path := methodOf(r[0]), addressOfNothing(r[1])
		var reached []string
		public := slices.Contains(toAnyone, r[0]+" "+r[1])
		if public {
			reached = append(reached, "anyone")
		} else if got, _ := c.reaches("", method, path); got != http.StatusUnauthorized {
			t.Errorf("%s %s answers a stranger %d; make it need a credential, or list it as public", r[0], r[1], got)
		}
		if _, ok := c.reaches(plugin.Token, method, strings.Replace(path, "/plugins/nothing", "/plugins/walker", 1)); ok && !public {
			reached = append(reached, "plugin")
		}
		for _, name := range names {
			if public {
				break
			}
			got, ok := c.reaches(who[name], method, path)
			if ok {
				reached = append(reached, name)
			}
			if slices.Contains(ends, r[1]) {
				who[name] = c.token(name + "@example.com")
			}
			need, forPeople := needs[[2]string{r[0], r[1]}]
			if name == "viewer" && forPeople && !viewer.Covers(need) && got != http.StatusForbidden {
				t.Errorf("%s %s needs %v and answers a viewer %d, want 403", r[0], r[1], trait.Builtin().Names(need), got)
			}
		}
		if len(reached) == len(names) { // everybody who is signed in, whatever they hold
			reached = []string{"signed-in"}
		}
		if len(reached) == 0 {
			t.Errorf("%s %s is reached by nobody", r[0], r[1])
		}
		lines = append(lines, fmt.Sprintf("%-6s %-50s %s", r[0], r[1], strings.Join(reached, " ")))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:]+a[:7], b[7:]+b[:7]) })
	got, golden := strings.Join(lines, "\n")+"\n", filepath.Join("testdata", "routes.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("who reaches what has changed; if that is meant, run this test with -update (-want +got):\n%s", diff)
	}
}

// reaches asks with a bearer token, and says whether whoever asked was let in. It
// reads the body of a refusal only: a stream has no end.
func (c *core) reaches(token, method, path string) (status int, ok bool) {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL+path, nil))(c.t)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer := must(http.DefaultClient.Do(r))(c.t)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden && answer.StatusCode != http.StatusUnauthorized {
		return answer.StatusCode, true
	}
	var problem struct{ Code string }
	err := json.NewDecoder(answer.Body).Decode(&problem)
	return answer.StatusCode, err == nil && slices.Contains(unproved, problem.Code)
}

// unproved are the codes of answers to somebody who was let in, and whose proof of
// something more was not good.
var unproved = []string{"auth.proof"}

// heldBy returns what a role gives.
func heldBy(roles []identity.Role, name string) trait.Set {
	i := slices.IndexFunc(roles, func(r identity.Role) bool { return r.Name == name })
	set, _ := trait.Builtin().Parse(roles[i].Traits)
	return trait.Builtin().Effective(set)
}

// addressOfNothing fills the parameters of a route with what is not there.
func addressOfNothing(path string) string {
	return strings.ReplaceAll(address(path), "publisher", "nothing")
}
