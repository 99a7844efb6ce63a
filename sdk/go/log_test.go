package vivified_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	vivified "github.com/vivified/vivified/sdk/go"
)

func TestLogLinesCarryPluginAndTrace(t *testing.T) {
	var out bytes.Buffer
	p, err := vivified.New([]byte(`{"id":"hello"}`), vivified.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	log := p.Logger().With("a", 1)
	log.InfoContext(vivified.WithTraceparent(t.Context(), "00-"+someTrace+"-00f067aa0ba902b7-01"), "inside")
	log.InfoContext(t.Context(), "outside")
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[0], "msg=inside plugin=hello a=1 trace_id="+someTrace) || !strings.HasSuffix(lines[1], "msg=outside plugin=hello a=1") {
		t.Errorf("logged %q", lines)
	}
}
