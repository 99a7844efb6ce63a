package handlers_test

import (
	"net/http"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
)

// The harness carries all three lanes' worth of a core: a plugin registers over
// HTTP, is enabled, publishes, and calls another; a stranger does not get in.
func TestCoreUnderTest(t *testing.T) {
	c := newCore(t)
	publisher := c.enabled("publisher", greeting(), nil)
	if got := publisher.state(); got != policy.Active {
		t.Fatalf("the publisher is %s", got)
	}
	caller := c.enabled("caller", map[string]any{
		"traits": []string{"handles_pii", "audit_required"}, "dependencies": []string{"publisher"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"pii"}},
	}, nil)
	publisher.publish("greeting.requested", map[string]string{"language": "en", "name": "Ada"})
	if status, answer := caller.do("GET", "/gateway/publisher/get_profile?id=1", nil); status != http.StatusOK {
		t.Errorf("the call answers %d %v", status, answer)
	}
	if n := len(c.records(audit.Filter{Action: "operator.call", Outcome: audit.Allow})); n != 1 {
		t.Errorf("%d decisions on calls are recorded, want 1", n)
	}
	if status, _ := c.api("", "GET", "/plugins", nil); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", status)
	}
}
