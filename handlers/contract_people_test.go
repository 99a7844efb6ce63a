package handlers_test

import (
	"time"

	"github.com/google/uuid"
)

// groups goes through what programs do with people, groups, roles and looks.
func (c *teller) groups(admin string) {
	soon, none := time.Now().Add(time.Hour).UTC(), "/"+uuid.NewString()
	member := c.member("sam@example.com", "Sam", "viewer")
	id := c.ask(member, 200, "GET", "/auth/me", nil)["id"].(string)
	sam := "/admin/users/" + id

	group := c.ask(admin, 201, "POST", "/admin/groups", map[string]any{"name": "Night shift", "roles": []any{map[string]any{"role": "operator"}}})
	c.ask(admin, 409, "POST", "/admin/groups", map[string]any{"name": "night SHIFT"})
	c.ask(admin, 422, "POST", "/admin/groups", map[string]any{"name": "Other", "roles": []any{map[string]any{"role": "emperor"}}})
	one := "/admin/groups/" + group["id"].(string)
	c.ask(admin, 200, "PUT", one+"/members/"+id, map[string]any{"reason": "stands in", "expires_at": soon})
	c.ask(admin, 422, "PUT", one+"/members/"+id, map[string]any{"expires_at": "2020-01-01T00:00:00Z"})
	c.ask(admin, 404, "PUT", "/admin/groups"+none+"/members/"+id, nil)
	if who := c.ask(admin, 200, "GET", one, nil); len(who["members"].([]any)) != 1 || who["people"] != float64(1) {
		c.t.Errorf("the group is %v", who)
	}
	c.ask(admin, 200, "GET", "/admin/groups?q=night&role=operator", nil)
	c.ask(admin, 400, "GET", "/admin/groups?cursor=x", nil)
	c.ask(admin, 200, "GET", "/admin/users?trait=plugin_manager&group="+group["id"].(string), nil)
	c.ask(admin, 400, "GET", "/admin/users?group=x", nil)
	c.ask(admin, 200, "GET", sam, nil)
	c.ask(admin, 200, "PATCH", one, map[string]any{"description": "From ten to six."})
	c.ask(admin, 404, "PATCH", "/admin/groups"+none, map[string]any{"name": "x"})
	c.ask(admin, 200, "DELETE", one+"/members/"+id, nil)
	c.ask(admin, 404, "DELETE", one+"/members/"+id, nil)
	c.ask(admin, 200, "DELETE", one, nil)
	c.ask(admin, 404, "GET", one, nil)

	role := map[string]any{"name": "night-watch", "label": "Night watch", "traits": []string{"system_monitor"}}
	c.ask(admin, 201, "POST", "/admin/roles", role)
	c.ask(admin, 409, "POST", "/admin/roles", role)
	c.ask(admin, 422, "POST", "/admin/roles", map[string]any{"name": "bad name", "label": "x", "traits": []string{"viewer"}})
	c.ask(admin, 200, "PUT", sam+"/roles/night-watch", map[string]any{"reason": "stands in", "expires_at": soon})
	c.ask(admin, 422, "PUT", sam+"/roles/emperor", nil)
	c.ask(admin, 200, "GET", "/admin/expiring-grants?limit=5", nil)
	c.ask(admin, 400, "GET", "/admin/expiring-grants?cursor=x", nil)
	c.ask(admin, 200, "PATCH", "/admin/roles/night-watch", map[string]any{"traits": []string{"system_monitor", "event_viewer"}})
	c.ask(admin, 409, "PATCH", "/admin/roles/viewer", map[string]any{"label": "x"})
	c.ask(admin, 409, "DELETE", "/admin/roles/night-watch", nil)
	c.ask(admin, 200, "DELETE", sam+"/roles/night-watch", nil)
	c.ask(admin, 404, "DELETE", sam+"/roles/night-watch", nil)
	c.ask(admin, 200, "DELETE", "/admin/roles/night-watch", nil)
	c.ask(admin, 404, "DELETE", "/admin/roles/night-watch", nil)

	report := c.ask(admin, 200, "POST", "/admin/users/bulk", map[string]any{"do": "give_role", "role": "developer", "people": []string{id, uuid.NewString()}})
	if report["done"] != float64(1) || report["refused"] != float64(1) {
		c.t.Errorf("of two, one of whom is not there: %v", report)
	}
	c.ask(admin, 422, "POST", "/admin/users/bulk", map[string]any{"do": "paint", "people": []string{id}})

	invited := c.ask(admin, 200, "POST", "/admin/invitations", map[string]any{"list": "Lou <lou@example.com>\nnobody\n", "roles": []string{"viewer"}})
	lou := invited["items"].([]any)[0].(map[string]any)["id"].(string)
	c.ask(admin, 422, "POST", "/admin/invitations", map[string]any{"list": " \n"})
	c.ask(admin, 200, "GET", "/admin/invitations", nil)
	c.ask(admin, 400, "GET", "/admin/invitations?cursor=x", nil)
	c.ask(admin, 201, "POST", "/admin/users/"+lou+"/link", nil)
	c.ask(admin, 200, "DELETE", "/admin/invitations/"+lou, nil)
	c.ask(admin, 404, "DELETE", "/admin/invitations/"+lou, nil)
	c.ask(admin, 409, "DELETE", "/admin/invitations/"+id, nil)

	c.sessionsAndLooks(admin, id)
}

func (c *teller) sessionsAndLooks(admin, id string) {
	sam := "/admin/users/" + id
	c.token("sam@example.com")
	sessions := c.ask(admin, 200, "GET", sam+"/sessions", nil)["items"].([]any)
	if len(sessions) != 1 {
		c.t.Fatalf("%d sessions", len(sessions))
	}
	c.ask(admin, 200, "DELETE", sam+"/sessions/"+sessions[0].(map[string]any)["id"].(string), nil)
	c.ask(admin, 404, "DELETE", sam+"/sessions/"+uuid.NewString(), nil)
	c.ask(admin, 200, "DELETE", sam+"/sessions", nil)
	c.ask(admin, 404, "GET", "/admin/users/"+uuid.NewString()+"/sessions", nil)

	c.ask(admin, 422, "POST", "/admin/view-as", map[string]any{"user": id, "reason": " "})
	c.ask(admin, 201, "POST", "/admin/view-as", map[string]any{"user": id, "reason": "She reports an empty page."})
	c.ask(admin, 403, "POST", "/admin/groups", map[string]any{"name": "x"})
	c.ask(admin, 403, "GET", "/admin/users", nil)
	c.ask(admin, 200, "DELETE", "/admin/view-as", nil)
	c.ask(admin, 404, "POST", "/admin/view-as", map[string]any{"user": uuid.NewString(), "reason": "x"})

	before := c.ask(admin, 200, "GET", "/admin/master-key", nil)
	after := c.ask(admin, 200, "POST", "/admin/master-key/rotate", nil)
	if before["master_key"] == after["master_key"] || len(after["sealing_keys"].([]any)) != 2 {
		c.t.Errorf("a rotation leads from %v to %v", before, after)
	}
	keys := c.ask(admin, 201, "POST", "/admin/signing-keys", nil)["items"].([]any)
	if len(keys) != 2 {
		c.t.Errorf("after a rotation there are %d keys", len(keys))
	}
	c.ask(admin, 200, "GET", "/admin/signing-keys", nil)
	c.ask(admin, 200, "DELETE", "/admin/signing-keys/"+keys[1].(map[string]any)["kid"].(string), nil)
	c.ask(admin, 404, "DELETE", "/admin/signing-keys/none", nil)
}
