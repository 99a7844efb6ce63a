package handlers_test

import "fmt"

// nothingAtNight is a rule that forbids one operation.
const nothingAtNight = "@id(\"night\")\n@reason(\"Nothing is called at night.\")\nforbid (principal, action == Action::\"operator.call\", resource)\nwhen { resource.name == \"ping\" && context.hour < 6 };\n"

// ping is a call of that operation in names, at an hour.
func ping(hour int) map[string]any {
	return map[string]any{
		"action": "operator.call", "at": fmt.Sprintf("2026-11-20T%02d:00:00Z", hour),
		"subject":  map[string]any{"kind": "plugin", "id": "publisher", "tenant": "default", "state": "active", "traits": []string{}},
		"target":   map[string]any{"kind": "plugin", "id": "caller", "tenant": "default", "state": "active", "traits": []string{}},
		"resource": map[string]any{"name": "ping", "declared": true, "granted": true},
	}
}

func (c *teller) policies(admin string) {
	const at = "/admin/policies"
	c.ask(admin, 200, "GET", at+"/schema", nil)
	c.ask(admin, 200, "GET", at+"/coverage?over=7d", nil)
	c.ask(admin, 400, "GET", at+"/coverage?over=1y", nil)
	draft := c.ask(admin, 200, "GET", at+"/draft", nil)
	edit := map[string]any{"revision": draft["revision"], "text": nothingAtNight + "forbit"}
	c.ask(admin, 422, "PUT", at+"/draft", edit)
	if got := c.ask(admin, 200, "POST", at+"/validate", map[string]any{"text": edit["text"]}); got["ok"] != false || len(got["findings"].([]any)) == 0 {
		c.t.Errorf("a text that does not compile is valid: %v", got)
	}
	edit["text"] = nothingAtNight
	edit["tests"] = []any{map[string]any{"name": "Refused at night", "request": ping(3), "expect": "allow"}}
	kept := c.ask(admin, 200, "PUT", at+"/draft", edit)
	c.ask(admin, 409, "PUT", at+"/draft", edit)
	c.ask(admin, 409, "POST", at+"/publish", map[string]any{"revision": kept["revision"]}) // its test fails
	edit = map[string]any{"revision": kept["revision"], "tests": []any{map[string]any{"name": "Refused at night", "request": ping(3), "expect": "deny", "rule": "admin.night"}}}
	kept = c.ask(admin, 200, "PUT", at+"/draft", edit)
	if got := c.ask(admin, 200, "POST", at+"/test", nil); got["failing"].(float64) != 0 {
		c.t.Errorf("the tests fail: %v", got)
	}
	if got := c.ask(admin, 200, "POST", at+"/test", map[string]any{"request": ping(3)}); got["allow"] != false || got["rule"] != "admin.night" {
		c.t.Errorf("at night it is decided %v", got)
	}
	if got := c.ask(admin, 200, "POST", at+"/test", map[string]any{"request": ping(3), "against": "published"}); got["allow"] != true {
		c.t.Errorf("by what is published it is decided %v", got)
	}
	c.ask(admin, 422, "POST", at+"/test", map[string]any{"request": map[string]any{}})
	c.ask(admin, 400, "POST", at+"/test", map[string]any{"against": "neither"})
	c.ask(admin, 200, "GET", at+"/diff", nil)
	c.ask(admin, 400, "GET", at+"/diff?from=x", nil)

	shadow := c.ask(admin, 202, "POST", at+"/shadow", map[string]any{"days": 1})
	c.ask(admin, 422, "POST", at+"/shadow", map[string]any{"days": 91})
	one := at + "/shadow/" + shadow["id"].(string)
	c.eventually("the replay ends", func() bool {
		return c.ask(admin, 200, "GET", one, nil)["shadow"].(map[string]any)["state"] == "done"
	})
	c.ask(admin, 200, "GET", at+"/shadow", nil)
	c.ask(admin, 200, "GET", one+"/flips?against=recorded&limit=10", nil)
	c.ask(admin, 400, "GET", one+"/flips?against=nothing", nil)
	c.ask(admin, 409, "DELETE", one, nil) // it is over
	c.ask(admin, 404, "GET", at+"/shadow/none", nil)

	c.ask(admin, 201, "POST", at+"/publish", map[string]any{"revision": kept["revision"], "comment": "Nothing at night"})
	c.ask(admin, 409, "POST", at+"/publish", map[string]any{"revision": kept["revision"]})
	c.ask(admin, 200, "GET", at+"/versions?limit=5", nil)
	c.ask(admin, 200, "GET", at+"/versions/1", nil)
	c.ask(admin, 404, "GET", at+"/versions/9", nil)
	rules := c.ask(admin, 200, "GET", at, nil)
	if items := rules["items"].([]any); items[len(items)-1].(map[string]any)["id"] != "admin.night" {
		c.t.Errorf("the rule is not in force: %v", items[len(items)-1])
	}
	c.ask(admin, 409, "POST", at+"/versions/1/restore", nil) // it is that already
	kept = c.ask(admin, 200, "PUT", at+"/draft", map[string]any{"revision": kept["revision"], "text": "", "tests": []any{}})
	kept = c.ask(admin, 200, "POST", at+"/draft/discard", map[string]any{"revision": kept["revision"]})

	c.ask(admin, 200, "PUT", "/admin/config", map[string]any{"key": "policy_four_eyes", "value": true})
	kept = c.ask(admin, 200, "PUT", at+"/draft", map[string]any{"revision": kept["revision"], "text": "", "tests": []any{}})
	waits := func() string {
		return c.ask(admin, 202, "POST", at+"/publish", map[string]any{"revision": kept["revision"]})["waiting"].(map[string]any)["id"].(string)
	}
	id := waits()
	c.ask(admin, 200, "GET", at+"/waiting", nil)
	c.ask(admin, 403, "POST", at+"/waiting/"+id+"/approve", map[string]any{"reason": "Sure"}) // their own
	c.ask(admin, 200, "POST", at+"/waiting/"+id+"/withdraw", nil)
	c.ask(admin, 409, "POST", at+"/waiting/"+id+"/withdraw", nil)
	second := c.member("second@example.com", "Second", "admin")
	c.ask(second, 200, "POST", at+"/waiting/"+waits()+"/deny", map[string]any{"reason": "Not today"})
	id = waits()
	c.ask(second, 422, "POST", at+"/waiting/"+id+"/approve", nil)
	c.ask(second, 200, "POST", at+"/waiting/"+id+"/approve", map[string]any{"reason": "Agreed"})
	c.ask(admin, 404, "POST", at+"/waiting/none/approve", map[string]any{"reason": "Agreed"})
	c.ask(admin, 202, "POST", at+"/versions/1/restore", map[string]any{"comment": "Back"})
	c.ask(admin, 200, "DELETE", "/admin/users/"+c.ask(second, 200, "GET", "/auth/me", nil)["id"].(string), nil)
}
