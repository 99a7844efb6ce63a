package handlers_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
)

// TestEventsByRPC: what one plugin publishes another hears, without what it may
// not see, settles it, and does not hear it again.
func TestEventsByRPC(t *testing.T) {
	c := newCore(t)
	c.firstAdmin()
	publisher := c.enabled("publisher", greeting(), nil)
	lurker := c.enabled("lurker", map[string]any{"events": map[string]any{"subscribes": []string{"greeting.*"}, "delivery": "stream"}}, nil)
	events := vivifiedv1.NewEventsClient(c.rpc())

	hears := must(events.Subscribe(bearing(t, lurker.Token), &vivifiedv1.SubscribeRequest{Explicit: true}))(t)
	if first := must(hears.Recv())(t); first.Event != nil {
		t.Fatalf("the first message, which shows that it stands, has %v", first)
	}
	greet := &vivifiedv1.PublishRequest{Id: "one", Type: "GreetingRequested", Data: []byte(`{"language":"en","name":"Ada"}`)}
	for i, duplicate := range []bool{false, true} {
		told := must(events.Publish(bearing(t, publisher.Token), greet))(t)
		if told.EventId != "one" || told.Duplicate != duplicate || len(told.TraceId) != 32 {
			t.Errorf("publish %d is answered with %v", i, told)
		}
	}
	got := must(hears.Recv())(t).Event
	if got.GetId() != "one" || got.Source != "publisher" || got.Type != "greeting.requested" || string(got.Data) != `{"language":"en"}` || len(got.Redacted) != 1 || got.Redacted[0] != "/name" {
		t.Errorf("the lurker hears %v", got)
	}
	must(events.Settle(bearing(t, lurker.Token), &vivifiedv1.SettleRequest{EventId: "one", Done: true}))(t)

	for _, tt := range []struct {
		name, code string
		want       codes.Code
		ask        func() error
	}{
		{"settled twice", "event.unknown", codes.NotFound, func() error {
			_, err := events.Settle(bearing(t, lurker.Token), &vivifiedv1.SettleRequest{EventId: "one", Done: true})
			return err
		}},
		{"a type nobody declared", "event.publish", codes.PermissionDenied, func() error {
			_, err := events.Publish(bearing(t, publisher.Token), &vivifiedv1.PublishRequest{Type: "other.thing"})
			return err
		}},
		{"data that is no JSON", "event.malformed", codes.InvalidArgument, func() error {
			_, err := events.Publish(bearing(t, publisher.Token), &vivifiedv1.PublishRequest{Type: "greeting.requested", Data: []byte("{")})
			return err
		}},
		{"a person", "identity.plugins_only", codes.PermissionDenied, func() error {
			_, err := events.Publish(bearing(t, c.token(adminAt)), greet)
			return err
		}},
		{"a stranger", "auth.required", codes.Unauthenticated, func() error {
			_, err := events.Publish(bearing(t, ""), greet)
			return err
		}},
		{"another type than the manifest subscribes to", "event.subscribe", codes.PermissionDenied, func() error {
			stream := must(events.Subscribe(bearing(t, lurker.Token), &vivifiedv1.SubscribeRequest{Types: []string{"salary.paid"}}))(t)
			_, err := stream.Recv()
			return err
		}},
	} {
		st, p := problemOf(t, tt.ask())
		if st.Code() != tt.want || p.Code != tt.code {
			t.Errorf("%s: answered %s %s (%s), want %s %s", tt.name, st.Code(), p.Code, p.Detail, tt.want, tt.code)
		}
	}

	if err := c.Plugins.Disable(c.system(), "lurker", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := hears.Recv(); err == nil {
		t.Error("a disabled plugin goes on hearing")
	}
}
