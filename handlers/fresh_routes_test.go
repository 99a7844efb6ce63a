package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// harmless are the changes that a session may make whose proof is old, and why: a
// change that stands here under no heading wants a fresh proof.
var harmless = map[string][]string{
	"it ends or takes away, and must be quick when something is wrong": {
		"POST /auth/logout", "POST /sign-out",
		"POST /plugins/:id/disable", "POST /console/plugins/:id/disable",
		"DELETE /admin/registration-tokens/:id", "POST /console/registration-tokens/:id/revoke",
		"DELETE /admin/grants/:id", "POST /console/plugins/:id/grants/:grant/withdraw",
		"DELETE /admin/approvals/egress/:id", "POST /console/plugins/:id/domains/revoke",
		"DELETE /admin/users/:id/sessions", "DELETE /admin/users/:id/sessions/:session", "POST /console/users/:id/sessions/:session/revoke",
		"DELETE /admin/invitations/:id", "POST /console/users/:id/withdraw",
		"DELETE /admin/api-keys/:id", "POST /console/account/keys/:key/revoke", "POST /console/users/:id/keys/:key/revoke",
		"DELETE /admin/alerts/silences/:id", "POST /console/alerts/silences/:id/end",
		"POST /console/account/sessions/revoke-others", "POST /console/account/sessions/:session/revoke",
		"DELETE /admin/view-as", "POST /console/view-as/stop",
		"POST /admin/jobs/:id/cancel", "POST /console/jobs/:id/cancel",
	},
	"it says no, or takes back a wish": {
		"POST /admin/approvals/:id/deny", "POST /console/approvals/:id/deny", "POST /admin/approvals/:id/withdraw", "POST /console/approvals/:id/withdraw",
		"POST /admin/policies/waiting/:id/deny", "POST /console/policies/waiting/:id/deny",
		"POST /admin/policies/waiting/:id/withdraw", "POST /console/policies/waiting/:id/withdraw",
	},
	"it says who has seen something, which stays as it is": {
		"POST /admin/alerts/:id/acknowledge", "POST /console/alerts/:id/acknowledge",
	},
	"it asks others for something": {
		"POST /admin/approvals", "POST /console/approvals/new", "POST /admin/decisions/:id/request", "POST /console/decisions/:id/request",
	},
	"it is a draft or a trial, and in force nowhere": {
		"PUT /admin/policies/draft", "POST /admin/policies/draft/discard", "POST /admin/policies/validate", "POST /admin/policies/test",
		"POST /admin/policies/shadow", "DELETE /admin/policies/shadow/:id", "POST /console/policies/draft", "POST /console/policies/draft/discard",
		"POST /console/plugins/:id/configuration/form", "POST /console/policies/tests", "POST /console/policies/tests/:number", "POST /console/policies/tests/:number/remove",
		"POST /console/policies/shadow", "POST /console/policies/shadow/:id/cancel",
		"POST /admin/sso/:provider/check", "POST /admin/sso/:provider/dry-run", "POST /console/sso/:provider/check", "POST /console/sso/:provider/try", "POST /console/sso/:provider/test",
		"POST /admin/audit/sinks/:id/try", "POST /console/audit/forwarding/:id/try", "POST /console/audit/verify",
		"POST /admin/alerts/rules/try", "POST /console/alerts/rules/try", "POST /admin/alerts/channels/:channel/try", "POST /console/alerts/channels/:channel/try",
	},
	"it is one's own and opens nothing": {
		"POST /console/account/profile", "POST /console/account/preferences", "POST /console/views", "POST /console/views/:id/remove",
		"PATCH /auth/factors/passkeys/:id", "POST /console/session",
	},
	"it is the proof itself, or wants the password along": {
		"POST /auth/step-up", "POST /console/step-up", "POST /console/account/password",
	},
	"it is the work of the lanes, which decide each by itself": {
		"* /gateway/:target/*", "POST /vivified.v1.Operator/Invoke", "POST /vivified.v1.Operator/InvokeStream", "POST /canonical/transform",
		"POST /messaging/events/:id/replay", "POST /messaging/consumers/:id/replay", "POST /messaging/dead-letters/replay",
		"POST /messaging/dead-letters/:id/replay", "POST /messaging/dead-letters/:id/discard",
		"POST /console/events/:event/replay", "POST /console/events/dead-letters/replay", "POST /console/events/dead-letters/:id/replay", "POST /console/events/dead-letters/:id/discard",
	},
}

// carriesAway are the actions by which records leave the house: reading at that
// size wants a fresh proof too.
var carriesAway = []string{"audit.export", "evidence.pack"}

// Every change that people can make wants a fresh proof, unless it stands above
// with its reason. A new route is dangerous until somebody says why not.
func TestDangerousRoutesWantAFreshProof(t *testing.T) {
	s := newCore(t).Server
	var spared []string
	for _, list := range harmless {
		spared = append(spared, list...)
	}
	actions := s.Actions()
	for route, fresh := range s.Fresh() {
		name := route[0] + " " + route[1]
		if i := slices.Index(spared, name); i >= 0 {
			spared = slices.Delete(spared, i, i+1)
			if fresh {
				t.Errorf("%s wants a fresh proof and stands among those that need none", name)
			}
			continue
		}
		reads := route[0] == http.MethodGet && !slices.Contains(carriesAway, actions[route])
		if !fresh && !reads {
			t.Errorf("%s (%s) wants no fresh proof, and nothing says why not", name, actions[route])
		}
	}
	if len(spared) > 0 {
		t.Errorf("these are no routes (any more): %s", strings.Join(spared, ", "))
	}
}
