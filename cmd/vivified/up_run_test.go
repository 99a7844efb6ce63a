package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard is what a runner's processes printed so far.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced with every write
}

func (h *heard) Write(text []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.more)
	h.more = make(chan struct{})
	return h.text.Write(text)
}

// await returns the text once it holds want n times, or fails the test after 10 s.
func (h *heard) await(t *testing.T, want string, n int) string {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		h.mu.Lock()
		text, more := h.text.String(), h.more
		h.mu.Unlock()
		if strings.Count(text, want) >= n {
			return text
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%q was not printed %d times within 10 s, but\n%s", want, n, text)
		}
	}
}

// launch runs a Procfile whose core is ready once it has written the file "ready".
func launch(t *testing.T, procfile string) (out *heard, stop context.CancelFunc, kill chan struct{}, ended <-chan error) {
	t.Helper()
	entries, err := readProcfile(procfile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out = &heard{more: make(chan struct{})}
	c := newConsole(out, entries, nil)
	r := &runner{
		dir: dir, console: c,
		env:  func(e entry) []string { return append(os.Environ(), "NAME="+e.name) },
		port: func(entry) int { return 0 },
		ready: func(ctx context.Context) error {
			for ctx.Err() == nil {
				if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
					return nil
				}
			}
			return ctx.Err()
		},
		ran: func() { c.say("everything was started") },
	}
	ctx, stop := context.WithCancel(t.Context())
	kill, result := make(chan struct{}), make(chan error, 1)
	go func() { result <- r.run(ctx, entries, kill) }()
	return out, stop, kill, result
}

// within returns what run returned, or fails the test when it takes longer.
func within(t *testing.T, most time.Duration, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(most):
		t.Fatalf("it did not end within %s", most)
		return nil
	}
}

const obedientCore = `core: sh -c 'trap "echo core ends; exit" TERM; touch ready; while :; do sleep 0.05; done'`

func TestCoreStartsBeforeItsPluginsAndEndsBeforeThem(t *testing.T) {
	out, stop, _, ended := launch(t, obedientCore+`
sample: sh -c 'trap "echo sample ends; exit" TERM; test -e ready && echo sample starts after core; while :; do sleep 0.05; done'
`)
	out.await(t, "sample starts after core", 1)
	stop()
	if err := within(t, 5*time.Second, ended); err != nil {
		t.Error(err)
	}
	text := out.await(t, "sample ends", 1)
	last := -1
	for _, want := range []string{"sample starts after core", "core ends", "sample ends"} {
		at := strings.Index(text, want)
		if at <= last {
			t.Errorf("%q did not come in its turn:\n%s", want, text)
		}
		last = at
	}
}

func TestWhatDoesNotHeedIsKilledWithinFiveSeconds(t *testing.T) {
	out, stop, _, ended := launch(t, `core: sh -c 'trap "" TERM; touch ready; while :; do sleep 0.05; done'
deaf: sh -c 'trap "" TERM; echo pid $$; sleep 1000 & while :; do sleep 0.05; done'
`)
	pid := pidIn(t, out.await(t, "pid ", 1))
	out.await(t, "everything was started", 1)
	stop()
	if err := within(t, 5*time.Second, ended); err != nil {
		t.Error(err)
	}
	if left := groupOf(t, pid); left != "" {
		t.Errorf("processes were left behind: %s", left)
	}
}

func TestTheSecondSignalKillsAtOnce(t *testing.T) {
	out, stop, kill, ended := launch(t, `core: sh -c 'trap "" TERM; touch ready; while :; do sleep 0.05; done'
deaf: sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
`)
	out.await(t, "up", 1)
	stop()
	close(kill)
	if err := within(t, 2*time.Second, ended); err != nil {
		t.Error(err)
	}
}

func TestASampleThatEndsIsStartedAgain(t *testing.T) {
	out, stop, _, ended := launch(t, obedientCore+"\nfrail: sh -c 'echo alive; exit 3'\n")
	text := out.await(t, "alive", 2)
	if !strings.Contains(text, "frail ended (exit status 3); starting it again in 500ms") {
		t.Errorf("it does not say that and when it starts again:\n%s", text)
	}
	stop()
	if err := within(t, 5*time.Second, ended); err != nil {
		t.Error(err)
	}
}

func TestTheCoresEndEndsEverything(t *testing.T) {
	for _, row := range []struct{ name, core, want string }{
		{"before it is ready", "core: sh -c 'exit 4'", "the core ended before it was ready"},
		{"later", "core: sh -c 'touch ready; sleep 0.3; exit 4'", "the core ended by itself: exit status 4"},
		{"without complaint", "core: touch ready", "the core ended"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, _, ended := launch(t, row.core+"\nsample: sleep 1000\n")
			if err := within(t, 5*time.Second, ended); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("it ended with %v, want it to say %q", err, row.want)
			}
		})
	}
}

// TestKilledUpLeavesNothing kills a whole `up`, which has no chance to stop
// anything, and looks for what is left of its processes.
func TestKilledUpLeavesNothing(t *testing.T) {
	if os.Getenv("VIVIFIED_HELLO_TEST_UP") == "1" { // the one that is killed
		out, _, _, _ := launch(t, "core: sh -c 'touch ready; echo core pid $$; exec sleep 1000'\nsample: sh -c 'echo sample pid $$; exec sleep 1000'\n")
		fmt.Println(out.await(t, "pid ", 2))
		os.Stdout.Close()
		select {}
	}
	if runtime.GOOS != "linux" {
		t.Skip("this system cannot have children die with their parent")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestKilledUpLeavesNothing$", "-test.timeout=1m")
	child.Env = append(os.Environ(), "VIVIFIED_HELLO_TEST_UP=1")
	out := &heard{more: make(chan struct{})}
	child.Stdout = out
	child.WaitDelay = time.Second
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	text := out.await(t, "pid ", 2)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "pid ") {
			continue
		}
		pid := pidIn(t, line)
		for deadline := time.Now().Add(5 * time.Second); groupOf(t, pid) != ""; {
			if time.Now().After(deadline) {
				t.Errorf("%s is still there", strings.TrimSpace(line))
				break
			}
		}
	}
}

// pidIn returns the number behind "pid " in a text.
func pidIn(t *testing.T, text string) int {
	t.Helper()
	_, rest, _ := strings.Cut(text, "pid ")
	pid, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// groupOf lists the living processes of a group. A zombie is not alive.
func groupOf(t *testing.T, group int) string {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pgid=,stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[0] == strconv.Itoa(group) && !strings.HasPrefix(fields[1], "Z") {
			left = append(left, strings.Join(fields[2:], " "))
		}
	}
	return strings.Join(left, "; ")
}
