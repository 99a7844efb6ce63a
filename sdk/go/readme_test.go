package vivified_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTheReadmesPluginWorks builds the README's program as it stands, starts it
// against a core, calls it, and ends it by signal.
func TestTheReadmesPluginWorks(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := block(t, string(text), "go")
	if lines := strings.Count(strings.ReplaceAll(program, "\n\n", "\n"), "\n"); lines >= 20 {
		t.Errorf("the program has %d lines that are not blank, want fewer than 20", lines)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"manifest.json": block(t, string(text), "json"),
		"main.go":       program,
		"go.mod": "module readme\n\ngo 1.26.0\n\nrequire github.com/vivified/vivified/sdk/go v0.0.0\n\n" +
			"replace github.com/vivified/vivified/sdk/go => " + here + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "plugin", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}

	c, listen := newCore(t), freePort(t)
	plugin := exec.CommandContext(t.Context(), filepath.Join(dir, "plugin"))
	plugin.Env = append(os.Environ(), "VIVIFIED_CORE_URL="+c.URL, "VIVIFIED_PLUGIN_LISTEN="+listen)
	plugin.Stderr = t.Output()
	if err := plugin.Start(); err != nil {
		t.Fatal(err)
	}
	receive(t, c.registered) // it listens before it registers
	token := c.sign("GET", "/greet/Ada", func(_, claims map[string]any) { claims["aud"] = "greeter" })
	if status, body := call(t, "GET", "http://"+listen+"/greet/Ada", token, nil); status != 200 || body != "Hello, Ada." {
		t.Errorf("it answered %d %q", status, body)
	}
	if err := plugin.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("it ended with %v, want a clean end", err)
	}
}

// block returns the first code block of a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "```"+language+"\n")
	code, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("the README has no %s block", language)
	}
	return code
}
