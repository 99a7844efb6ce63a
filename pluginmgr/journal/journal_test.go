package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/pluginmgr/journal"
)

func open(t *testing.T, dir string, bytes int64) *journal.Store {
	t.Helper()
	s, err := journal.Open(dir, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func add(t *testing.T, s *journal.Store, plugin string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		stream := journal.Stdout
		if strings.HasPrefix(text, "!") {
			stream = journal.Stderr
		}
		if err := s.Add(plugin, journal.Line{At: time.Now(), Instance: plugin + ".1", Stream: stream, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
}

func texts(t *testing.T, s *journal.Store, plugin string, q journal.Query) []string {
	t.Helper()
	lines, err := s.Read(t.Context(), plugin, q)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, l := range lines {
		found = append(found, l.Text)
	}
	return found
}

func TestReading(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	add(t, s, "one", "alpha", "!Beta", "gamma", "alphabet")
	add(t, s, "other", "alpha of another")
	s.Close()
	s = open(t, dir, 1<<20) // as by the next core
	add(t, s, "one", "delta")
	for _, tc := range []struct {
		name string
		q    journal.Query
		want []string
	}{
		{"all", journal.Query{}, []string{"alpha", "!Beta", "gamma", "alphabet", "delta"}},
		{"by text, whatever its case", journal.Query{Text: "BETA"}, []string{"!Beta"}},
		{"by stream", journal.Query{Stream: journal.Stderr}, []string{"!Beta"}},
		{"the newest", journal.Query{Limit: 2}, []string{"alphabet", "delta"}},
		{"the page before", journal.Query{Before: 4, Limit: 2}, []string{"!Beta", "gamma"}},
		{"of another run", journal.Query{Instance: "one.2"}, []string{}},
		{"of the future", journal.Query{Since: time.Now().Add(time.Hour)}, []string{}},
		{"of the past", journal.Query{Until: time.Now().Add(-time.Hour)}, []string{}},
	} {
		if diff := cmp.Diff(tc.want, texts(t, s, "one", tc.q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if _, err := s.Read(t.Context(), "../one", journal.Query{}); err == nil {
		t.Error("a path was taken for a plugin")
	}
	if err := s.Forget("one"); err != nil || len(texts(t, s, "one", journal.Query{})) > 0 {
		t.Errorf("what was forgotten is still there, %v", err)
	}
}

// The cap holds whatever is written; the newest lines stay.
func TestCap(t *testing.T) {
	const cap = 256 << 10
	dir := t.TempDir()
	s := open(t, dir, cap)
	for i := range 4000 {
		add(t, s, "loud", fmt.Sprintf("%d %s", i, strings.Repeat("x", 200)))
	}
	var sum int64
	files, err := filepath.Glob(filepath.Join(dir, "loud", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if sum += info.Size(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v", f, info.Mode())
		}
	}
	if sum > cap || sum < cap/2 {
		t.Errorf("%d bytes are kept of at most %d", sum, cap)
	}
	if last := texts(t, s, "loud", journal.Query{Limit: 1}); !strings.HasPrefix(last[0], "3999 ") {
		t.Errorf("the newest line is %.20q", last[0])
	}
}

// What opens something is not kept.
func TestSecrets(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20)
	for said, want := range map[string]string{
		"Authorization: Bearer abcdefgh12345678":               "Authorization: [secret removed]",
		"key vv_0123456789abcdefghij used":                     "key [secret removed] used",
		"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl ok": "[secret removed] ok",
		"-----BEGIN PRIVATE KEY-----MIIE":                      "[secret removed]",
		"a bearer of good news":                                "a bearer of good news",
		"vivid and basic":                                      "vivid and basic",
	} {
		add(t, s, "careless", said)
		if got := texts(t, s, "careless", journal.Query{Limit: 1}); got[0] != want {
			t.Errorf("%q is kept as %q, want %q", said, got[0], want)
		}
	}
}

func TestFollow(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20)
	add(t, s, "busy", "before", "seen")
	enough := errors.New("enough")
	got, done := []string{}, make(chan error, 1)
	go func() {
		done <- s.Follow(context.Background(), "busy", journal.Query{Text: "e"}, 1, func(l journal.Line) error {
			if got = append(got, l.Text); len(got) == 3 {
				return enough
			}
			return nil
		})
	}()
	add(t, s, "busy", "one", "two", "three")
	if err := <-done; !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"seen", "one", "three"}, got); diff != "" {
		t.Errorf("what was followed (-want +got):\n%s", diff)
	}
}

// Whatever a plugin writes becomes lines that are whole UTF-8 and not too long.
func FuzzScan(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\n\xff\xfe"))
	f.Add([]byte(strings.Repeat("x", 3*journal.MaxLine)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ended := 0
		journal.Scan(strings.NewReader(string(raw)), journal.Stdout, func(l journal.Line) {
			if len(l.Text) > 3*journal.MaxLine || strings.ToValidUTF8(l.Text, "") != l.Text || strings.Contains(l.Text, "\n") {
				t.Errorf("a line of %d bytes: %.40q", len(l.Text), l.Text)
			}
			if !l.Cut {
				ended++
			}
		})
		if want := strings.Count(string(raw), "\n"); ended < want {
			t.Errorf("%d of %d lines came", ended, want)
		}
	})
}
