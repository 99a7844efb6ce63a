package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	vivified "github.com/vivified/vivified/sdk/go"
)

func TestTheLurkerLogsFieldsAndNeverValues(t *testing.T) {
	var log bytes.Buffer
	l := &lurker{log: slog.New(slog.NewTextHandler(&log, nil))}
	err := l.hear(t.Context(), vivified.Event{Type: "greeting.requested", Data: json.RawMessage(`{"profile_id":"ada","language":"en","name":"Ada Lovelace"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, `fields="[language name profile_id]"`) || strings.Contains(got, "Lovelace") {
		t.Errorf("it logged %s, want the fields' names only", got)
	}
	if id := l.heard.Load(); id == nil || *id != "ada" {
		t.Error("it did not remember whom the greeting is for")
	}
	if l.hear(t.Context(), vivified.Event{Data: json.RawMessage(`[]`)}) == nil {
		t.Error("data that is no object was taken")
	}
}

func TestTheLurkerReportsHowAnAttemptEnded(t *testing.T) {
	denial := &vivified.Problem{Status: 403, Code: "operator.grant", Detail: "No grant.", DecisionID: "d-1"}
	for _, row := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("call: %w", denial), `level=INFO msg=denied what=x rule=operator.grant why="No grant." decision=d-1`},
		{errors.New("no core"), `level=WARN msg="not answered" what=x reason="no core"`},
		{nil, `level=WARN msg="was let through" what=x`},
	} {
		var log bytes.Buffer
		l := &lurker{log: slog.New(slog.NewTextHandler(&log, nil))}
		if l.report(t.Context(), "x", row.err); !strings.Contains(log.String(), row.want) {
			t.Errorf("it logged %s, want %s", log.String(), row.want)
		}
	}
}
