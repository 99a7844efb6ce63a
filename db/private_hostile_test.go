package db_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/db"
)

// The user who runs PostgreSQL may write anything into these files; a core
// that runs as root reads them.

func FuzzParsePidFile(f *testing.F) {
	f.Add("4711\n/var/postgres\n1795180202\n5432\n.\n\n 10348836 4\nready\n")
	f.Add("")
	f.Add("-1\n\n\n\n/tmp/vivified-pg-1/../../etc")
	f.Fuzz(func(t *testing.T, text string) {
		_, socket := db.ParsePidFile(text)
		if strings.ContainsAny(socket, "\n") || !strings.Contains(text, socket) {
			t.Errorf("socket %q of %q", socket, text)
		}
	})
}

func TestRemoveSocketDirRemovesOnlyOurs(t *testing.T) {
	ours, err := os.MkdirTemp("/tmp", "vivified-pg-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(ours)
	link := ours + "-link"
	target := t.TempDir()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	other := t.TempDir()
	tests := []struct {
		name, path string
		owner      int
		looked     string
		gone       bool
	}{
		{"elsewhere", other, os.Getuid(), other, false},
		{"up and elsewhere", ours + "/../" + strings.TrimPrefix(other, "/tmp/"), os.Getuid(), other, false},
		{"a link", link, os.Getuid(), target, false},
		{"of another user", ours, os.Getuid() + 1, ours, false},
		{"deeper", ours + "/deep", os.Getuid(), ours, false},
		{"relative", ".", os.Getuid(), ".", false},
		{"ours", ours, os.Getuid(), ours, true},
	}
	for _, test := range tests {
		db.RemoveSocketDir(test.path, test.owner)
		if _, err := os.Stat(test.looked); errors.Is(err, os.ErrNotExist) != test.gone {
			t.Errorf("%s: gone = %t, want %t", test.name, errors.Is(err, os.ErrNotExist), test.gone)
		}
	}
}

func TestServerLogPutsLinesTogether(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"one line", []string{"LOG:  ready\n"}, []string{"level=DEBUG msg=\"postgres: ready\" severity=LOG"}},
		{"in pieces", []string{"WARN", "ING:  worn ", "out\nLOG:", "  x\n"}, []string{
			"level=WARN msg=\"postgres: worn out\" severity=WARNING", "level=DEBUG msg=\"postgres: x\" severity=LOG",
		}},
		{"a failed sign-in", []string{"FATAL:  password authentication failed for user \"x\"\n"}, []string{
			`level=WARN msg="postgres: password authentication failed for user \"x\"" severity=FATAL`,
		}},
		{"a panic", []string{"PANIC:  could not write\n"}, []string{"level=ERROR msg=\"postgres: could not write\" severity=PANIC"}},
		{"no end", []string{"LOG:  " + strings.Repeat("x", 10_000)}, []string{
			"level=DEBUG msg=\"postgres: " + strings.Repeat("x", 4096-len("LOG:  ")) + "\" severity=LOG",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))
			w := db.NewServerLog(log)
			for _, text := range test.writes {
				if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
					t.Fatalf("Write: %d, %v", n, err)
				}
			}
			if diff := cmp.Diff(test.want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrivateWritesThroughNoLinks(t *testing.T) {
	dir := dataDir(t)
	first := &db.Private{Dir: dir}
	startPrivate(t, first)
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgresql.conf", "pg_hba.conf", "pg_hba.conf.vivified", "pg_ident.conf"} {
		path := filepath.Join(dir, "postgres", name)
		os.Remove(path)
		if err := os.Symlink(victim, path); err != nil {
			t.Fatal(err)
		}
	}
	second := &db.Private{Dir: dir}
	startPrivate(t, second)
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("a file outside was overwritten: %q (error %v)", text, err)
	}
	query[int](t, second.URL(), "SELECT 1")
}
