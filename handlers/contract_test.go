package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/contract"
)

// undescribed are the console's own, which the contract leaves out, and methods of
// gRPC, which have a contract of their own kind.
var undescribed = regexp.MustCompile(`^/(vivified\.v1\.[A-Za-z]+/.*|console(/.*)?|static/.*|favicon\.ico|sign-(out|in/.*)|invite)?$`)

// describedAs are routes that the contract describes under other paths than the table.
var describedAs = map[string][]string{"/gateway/{target}/*": {"/gateway/{target}/{operation}", "/gateway/{target}/-/{path}"}}

var routeParameter = regexp.MustCompile(`:([a-z]+)`)

// TestContractNamesEveryRoute: what the core answers is in the contract, and what
// is in the contract the core answers.
func TestContractNamesEveryRoute(t *testing.T) {
	answered := map[string]bool{} // method and path; method * for any
	for _, r := range newCore(t).Server.Table() {
		path := routeParameter.ReplaceAllString(r[1], "{$1}")
		if undescribed.MatchString(path) || r[0] == http.MethodHead {
			continue
		}
		paths := describedAs[path]
		if paths == nil {
			paths = []string{path}
		}
		for _, path := range paths {
			answered[r[0]+" "+path] = true
		}
	}
	described := map[string]bool{}
	for _, o := range readContract(t).operations {
		described[o.method+" "+o.path], described["* "+o.path] = true, true
		if !answered[o.method+" "+o.path] && !answered["* "+o.path] {
			t.Errorf("the contract describes %s %s, which the core does not answer", o.method, o.path)
		}
	}
	for route := range answered {
		if !described[route] {
			t.Errorf("the core answers %s, which the contract does not describe", route)
		}
	}
}

// TestContractHoldsTogether: each operation says who may call it, each code is
// listed, and each example is what its schema says.
func TestContractHoldsTogether(t *testing.T) {
	d := readContract(t)
	var list struct{ Problems, Findings []struct{ Code string } }
	if err := json.Unmarshal([]byte(contract.Codes), &list); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"findings": true}
	for _, c := range slices.Concat(list.Problems, list.Findings) {
		known[c.Code] = true
	}
	ids := map[any]bool{}
	for _, o := range d.operations {
		if ids[o.node["operationId"]] || o.node["operationId"] == nil || o.node["summary"] == nil {
			t.Errorf("%s %s has no operationId and summary of its own", o.method, o.path)
		}
		ids[o.node["operationId"]] = true
		if !slices.Contains([]string{"anyone", "users", "plugins", "parties"}, o.who) || o.node["security"] == nil {
			t.Errorf("%s %s does not say who may call it", o.method, o.path)
		}
		_, own := d.follow(t, o.at, o.node["x-problems"])
		for status := range own {
			for _, code := range d.problems(t, o, statusOf(status)) {
				if !known[code] {
					t.Errorf("%s %s names the code %q, which codes.json does not list", o.method, o.path, code)
				}
			}
		}
		for status, r := range o.node["responses"].(map[string]any) {
			d.examples(t, o.at+jsonPointer("responses", status), r)
		}
		d.examples(t, o.at+"/requestBody", o.node["requestBody"])
	}
}

// examples holds the examples of a body against its schema.
func (d *document) examples(t *testing.T, at string, node any) {
	t.Helper()
	at, body := d.follow(t, at, node)
	content, _ := body["content"].(map[string]any)
	for media, kind := range content {
		here := at + jsonPointer("content", media)
		k := kind.(map[string]any)
		if k["schema"] == nil {
			t.Errorf("%s has no schema", here)
			continue
		}
		all := []any{}
		if one, ok := k["example"]; ok {
			all = append(all, one)
		}
		if several, ok := k["examples"].(map[string]any); ok {
			for _, e := range several {
				all = append(all, e.(map[string]any)["value"])
			}
		}
		s := d.schema(t, here+"/schema")
		for _, e := range all {
			if err := s.Validate(e); err != nil {
				t.Errorf("the example at %s: %v", here, err)
			}
		}
	}
}

func statusOf(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}

// TestContractSaysWhoMayCall asks every operation as a stranger, as a person
// without any right, as one with just the rights the contract names, and as a plugin.
func TestContractSaysWhoMayCall(t *testing.T) {
	c := newCore(t)
	d := readContract(t)
	admin := c.firstAdmin()
	nobody := c.member("nobody@example.com", "Nobody In Particular")
	plugin := c.enabled("stock", nil, nil)
	for _, o := range d.operations {
		path := o.examplePath(t, d)
		ask := func(token string) (int, string) {
			// A request that was passed on: scrapers on loopback are let in without a credential.
			r := c.request(t, token, o.method, path, map[string]any{})
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			status, body := exchange(t, r)
			code, _ := body["code"].(string)
			return status, code
		}
		name := o.method + " " + path
		if status, code := ask(""); (code == "auth.required") != (o.who != "anyone") {
			t.Errorf("%s answers a stranger %d %s; the contract says %s", name, status, code, o.who)
		}
		if o.who == "plugins" {
			if status, code := ask(nobody); code != "identity.plugins_only" {
				t.Errorf("%s answers a person %d %s; it is for plugins", name, status, code)
			}
			continue
		}
		if o.who == "users" {
			if status, code := ask(plugin.Token); status != http.StatusForbidden || code != "console.access" && code != "identity.people_only" {
				t.Errorf("%s answers a plugin %d %s; it is for people", name, status, code)
			}
		}
		if o.traits == nil || o.who == "anyone" {
			continue
		}
		if status, code := ask(nobody); code != "console.access" {
			t.Errorf("%s answers somebody without %v: %d %s", name, o.traits, status, code)
		}
		if status, code := ask(c.key(admin, o.traits...)); code == "console.access" || status == http.StatusUnauthorized {
			t.Errorf("%s answers somebody with %v: %d %s", name, o.traits, status, code)
		}
	}
}

// examplePath fills in a path from the examples of its parameters.
func (o operation) examplePath(t testing.TB, d *document) string {
	t.Helper()
	path := o.path
	item := d.root["paths"].(map[string]any)[o.path].(map[string]any)
	list, _ := item["parameters"].([]any)
	more, _ := o.node["parameters"].([]any)
	for _, p := range slices.Concat(list, more) {
		_, parameter := d.follow(t, o.at, p)
		if parameter["in"] == "path" {
			path = strings.ReplaceAll(path, "{"+parameter["name"].(string)+"}", fmt.Sprint(parameter["example"]))
		}
	}
	if strings.Contains(path, "{") || strings.Contains(path, "<nil>") {
		t.Fatalf("%s: a parameter of the path has no example", o.path)
	}
	return path
}
