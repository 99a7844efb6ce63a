package views_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/views"
)

var (
	update  = flag.Bool("update", false, "write the golden files anew")
	preview = flag.String("preview", "", "write every sample into this directory, to be looked at")
)

// draw renders a component to a reader in UTC at the samples' moment.
func draw(t *testing.T, c templ.Component, prefs views.Prefs) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(views.WithReader(context.Background(), views.Reader{Prefs: prefs, Now: now}), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPagesKeepTheRules(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			page, body := s.draw(nil)
			html := draw(t, page, views.Prefs{})
			d := parse(t, html)
			d.wellFormed(t)
			d.safe(t)
			d.referencesExist(t)
			if strings.Contains(html, "#box\"") {
				t.Error("an icon that does not exist is named")
			}
			if strings.HasPrefix(html, "<!") {
				d.onePage(t)
			}
			if n := len(html); n > 60<<10 {
				t.Errorf("the page has %d bytes, more than 60 KB", n)
			}
			if body != nil {
				title, rest, ok := strings.Cut(draw(t, body, views.Prefs{}), "</title>")
				if !ok || !strings.HasPrefix(title, "<title>") {
					t.Error("the body that htmx swaps does not begin with the title of the document")
				}
				if !strings.Contains(html, rest) {
					t.Error("the page does not hold the body that htmx swaps")
				}
			}
		})
	}
}

func TestPreview(t *testing.T) {
	if *preview == "" {
		t.Skip("no -preview directory")
	}
	for _, s := range samples() {
		page, body := s.draw(nil)
		write := func(name string, c templ.Component) {
			if c == nil {
				return
			}
			if err := os.WriteFile(filepath.Join(*preview, name), []byte(draw(t, c, views.Prefs{})), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(s.name+".html", page)
		write(s.name+".body.html", body)
	}
}

var hashes = regexp.MustCompile(`(/static/[\w/.-]+?)\.[0-9a-f]{8}\.`)

func TestGolden(t *testing.T) {
	for _, s := range samples() {
		switch s.name {
		case "sign-in", "ask", "palette", "events-live", "problem-toast", "toasts", "decision", "plugin-permissions", "key-dialog":
		default:
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			page, body := s.draw(nil)
			if body != nil {
				page = body
			}
			got := hashes.ReplaceAllString(draw(t, page, views.Prefs{}), "$1.")
			got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
			file := filepath.Join("testdata", "golden", s.name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s is drawn otherwise than its golden file (-update writes it anew):\n%s", s.name, diff)
			}
		})
	}
}

func TestReaderPreferencesReachThePage(t *testing.T) {
	page, _ := samples()[6].draw(nil)
	html := draw(t, page, views.Prefs{Theme: "dark", Density: "compact", Zone: "America/New_York", NoKeys: true, Narrow: true})
	for _, want := range []string{`data-theme="dark"`, `data-density="compact"`, `>−05:00<`, `>07:30:56<`, `checked data-narrow`, `data-off`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestEveryStatusHasAnIcon(t *testing.T) {
	for _, s := range []views.Status{
		views.Healthy, views.Degraded, views.Unhealthy, views.Unknown, views.Registered, views.Active, views.Disabled, views.Quarantined,
		views.Allowed, views.Denied, views.Done, views.Failed, views.Delivered, views.Redacted, views.Dropped, views.Waiting, views.Dead,
		views.Approved, views.Expired, views.Declared, views.Accepted, views.Missing, views.Invited, views.Suspended, views.Intact, views.Broken,
	} {
		if html := draw(t, views.StatusText(s), views.Prefs{}); strings.Contains(html, "#box\"") || s.Word() == string(s) {
			t.Errorf("status %s is drawn as %s", s, html)
		}
	}
}
