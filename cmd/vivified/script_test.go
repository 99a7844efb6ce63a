package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vivified/vivified/db/dbtest"
)

var update = flag.Bool("update", false, "write what the scripts compare outputs with anew")

// TestMain lets scripts run this very program as vivified.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vivified": main})
}

// TestScripts runs the command line as its users do, against real cores.
func TestScripts(t *testing.T) {
	// The private PostgreSQL may run as another user, who has to get in.
	root, err := os.MkdirTemp("", "vivified-script-")
	if err == nil {
		err = os.Chmod(root, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	testscript.Run(t, testscript.Params{
		UpdateScripts: *update,
		Dir:           filepath.Join("testdata", "script"), WorkdirRoot: root, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: surroundScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"eventually":  eventually,
			"certificate": certificate,
			"database":    func(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("DATABASE_URL", dbtest.Empty(t)) },
			"sql":         sql,
			"bus":         bus,
			"harbour":     harbour,
			"onbus":       onBus,
			"ready":       waitReady,
			"stop":        stop,
			"http":        request,
			"plugin":      plugin,
			"edit":        edit,
			"block":       block,
		},
	})
}

// surroundScript gives a script a core's environment: a port and directories of its own.
func surroundScript(env *testscript.Env) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := l.Addr().String()
	env.Setenv("PG_BIN", os.Getenv("PG_BIN"))
	env.Setenv("GORACE", "atexit_sleep_ms=10") // under the race detector each command would end a second late
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "home", "config"))
	env.Setenv("VIVIFIED_DATA_DIR", filepath.Join(env.WorkDir, "var"))
	env.Setenv("VIVIFIED_LISTEN", at)
	env.Setenv("VIVIFIED_SERVER", "http://"+at)
	env.Setenv("VIVIFIED_SETUP_TOKEN", "first-run")
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	env.Setenv("REPOSITORY", repository)
	return errors.Join(err, l.Close())
}

// exits runs a program that must end with a certain exit code: exits CODE PROGRAM ARGS…
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s ends with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// sql runs a statement as the owner of the script's database: sql STATEMENT.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := deadline()
	defer cancel()
	conn, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
	ts.Check(err)
	defer conn.Close(ctx)
	tag, err := conn.Exec(ctx, args[0])
	ts.Check(err)
	if tag.RowsAffected() == 0 {
		ts.Fatalf("the statement touches no row")
	}
}

// bus starts a NATS server with JetStream for the script, as NATS_URL.
func bus(ts *testscript.TestScript, _ bool, _ []string) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: ts.MkAbs("bus"), NoLog: true, NoSigs: true})
	ts.Check(err)
	s.Start()
	ts.Defer(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		ts.Fatalf("the bus is not ready")
	}
	ts.Setenv("NATS_URL", s.ClientURL())
}

// eventually runs a program until its output matches: eventually PATTERN PROGRAM ARGS…
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN PROGRAM ARGS…")
	}
	want := regexp.MustCompile(args[0])
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Since(began) > time.Minute {
			ts.Fatalf("it never says %q", args[0])
		}
	}
}

// stop ends the core of the script by SIGTERM, within a time: stop 5s.
func stop(ts *testscript.TestScript, _ bool, args []string) {
	patience, err := time.ParseDuration(args[0])
	ts.Check(err)
	all := ts.BackgroundCmds()
	if len(all) == 0 {
		ts.Fatalf("nothing runs in the background")
	}
	p, began := all[len(all)-1].Process, time.Now()
	ts.Check(p.Signal(syscall.SIGTERM))
	for p.Signal(syscall.Signal(0)) == nil {
		if time.Since(began) > patience {
			ts.Fatalf("it still runs %s after SIGTERM", patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
	ts.Logf("it ended after %s", time.Since(began).Round(time.Millisecond))
}

var (
	section = regexp.MustCompile(`(?m)^#+ (.*)$`)
	toRun   = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
)

// block writes the shell commands that stand in a text, or under one of its
// headings, to a file, to be run against the core of the script:
// block FILE SCRIPT [HEADING].
func block(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if len(args) > 2 {
		for _, at := range section.FindAllStringSubmatchIndex(text, -1) {
			if text[at[2]:at[3]] == args[2] {
				text, _, _ = strings.Cut(text[at[1]:], "\n## ")
				break
			}
		}
	}
	var b strings.Builder
	for _, m := range toRun.FindAllStringSubmatch(text, -1) {
		b.WriteString(m[1])
	}
	if b.Len() == 0 {
		ts.Fatalf("%s has no commands", args[0])
	}
	here := strings.NewReplacer("http://127.0.0.1:8080", ts.Getenv("VIVIFIED_SERVER"), "bin/vivified", "vivified")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(here.Replace(b.String())), 0o644))
}

// edit replaces a text that stands in a file once: edit FILE OLD NEW.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n == 0 {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
	fmt.Fprintln(ts.Stdout(), "edited")
}
