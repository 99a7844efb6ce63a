// Command start measures what somebody who starts Vivified waits for, and what it
// takes: the time to a usable console, the time to stop, the core's memory and
// the program's size, each beside its goal.
//
// It starts the whole of it, with the sample plugins, in a temporary directory
// and on a free port of the loopback address, and stops it again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

var (
	program = flag.String("core", "bin/vivified", "the program")
	rounds  = flag.Int("rounds", 5, "how often each start is repeated, at least once; the median counts")
	settle  = flag.Duration("settle", 20*time.Second, "how long it runs before its memory is measured")
)

// patience is how long one start may take before the measurement is given up.
const patience = 2 * time.Minute

func main() {
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("bench: ", err)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "vivified-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	report := newReport()

	up := []string{*program, "up"}
	fresh, err := repeat(ctx, up, func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }, 0)
	if err != nil {
		return err
	}
	report.time("first start, with a new database", fresh.start, 0)
	again := func(int) string { return filepath.Join(dir, "0") }
	warm, err := repeat(ctx, up, again, *settle)
	if err != nil {
		return err
	}
	report.time("start on existing data", warm.start, 3*time.Second)
	if whole, err := repeat(ctx, []string{"make", "--silent", "run"}, again, 0); err == nil {
		report.time("`make run`, everything built", whole.start, 3*time.Second)
	} else if !errors.Is(err, exec.ErrNotFound) {
		return err
	}
	report.time("Ctrl-C to the end of everything", warm.stop, 5*time.Second)
	report.size("memory of the core (resident, with the samples at work)", warm.memory, 120<<20)
	info, err := os.Stat(*program)
	if err != nil {
		return err
	}
	report.size("the program", info.Size(), 60<<20)
	return report.print()
}

// measured is what several rounds came to.
type measured struct {
	start  time.Duration // the median
	stop   time.Duration // of the last round, which ran longest
	memory int64         // bytes, of the last round; 0 when it was not asked for
}

// repeat starts and stops a command several times, each on the data directory
// that dataDir names. The last round runs for so long before its memory is read.
func repeat(ctx context.Context, command []string, dataDir func(round int) string, last time.Duration) (measured, error) {
	var m measured
	var starts []time.Duration
	for i := range *rounds {
		s, err := start(ctx, command, dataDir(i))
		if err != nil {
			return m, err
		}
		if i == *rounds-1 && last > 0 {
			m.memory, err = s.memory(ctx, last)
		}
		var serr error
		m.stop, serr = s.stop()
		if err := errors.Join(err, serr); err != nil {
			return m, err
		}
		starts = append(starts, s.took)
	}
	slices.Sort(starts)
	m.start = starts[len(starts)/2]
	return m, nil
}

// started is a command that runs, in a process group of its own.
type started struct {
	cmd   *exec.Cmd
	ended chan error
	took  time.Duration // until a person could use the console
}

// start runs a command until the console answers with a page.
func start(ctx context.Context, command []string, dataDir string) (*started, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "VIVIFIED_LISTEN="+address, "VIVIFIED_DATA_DIR="+dataDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &started{cmd: cmd, ended: make(chan error, 1)}
	go func() { s.ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !usable(ctx, "http://"+address+"/sign-in") {
		select {
		case <-time.After(5 * time.Millisecond):
		case err := <-s.ended:
			return nil, fmt.Errorf("%s ended (%w):\n%s", strings.Join(command, " "), err, said)
		case <-ctx.Done():
			_, _ = s.stop()
			return nil, fmt.Errorf("no console: %w\n%s", context.Cause(ctx), said)
		}
	}
	s.took = time.Since(began)
	return s, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// usable reports whether a page is there; before the first administrator is made,
// the sign-in page leads to another.
func usable(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	r.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop does what Ctrl-C does, and returns how long it took.
func (s *started) stop() (time.Duration, error) {
	began := time.Now()
	if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT); err != nil {
		return 0, err
	}
	select {
	case <-s.ended:
		return time.Since(began), nil
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		return 0, errors.New("Ctrl-C did not stop it within 30 s")
	}
}

// memory returns the resident bytes of the core once it has run for a while.
func (s *started) memory(ctx context.Context, after time.Duration) (int64, error) {
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	out, err := exec.CommandContext(ctx, "ps", "-A", "-ww", "-o", "ppid=,rss=,command=").Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != strconv.Itoa(s.cmd.Process.Pid) || fields[len(fields)-1] != "serve" {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		return kib << 10, err
	}
	return 0, errors.New("the core is not among the processes")
}

// report is the table that is printed.
type report struct{ rows [][]string }

func newReport() *report { return &report{rows: [][]string{{"WHAT", "MEASURED", "GOAL", ""}}} }

func (r *report) time(what string, took, goal time.Duration) {
	text := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	r.add(what, text(took), text(goal), goal == 0, took <= goal)
}

func (r *report) size(what string, bytes, goal int64) {
	text := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
	r.add(what, text(bytes), text(goal), goal == 0, bytes <= goal)
}

func (r *report) add(what, got, goal string, none, met bool) {
	verdict := "over"
	switch {
	case none:
		goal, verdict = "", ""
	case met:
		verdict = "met"
	}
	r.rows = append(r.rows, []string{what, got, goal, verdict})
}

func (r *report) print() error {
	fmt.Printf("%s/%s, %d processors, median of %d\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *rounds)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
