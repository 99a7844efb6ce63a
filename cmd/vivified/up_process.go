package main

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is one entry of the Procfile: running, or to be run again.
type process struct {
	entry
	dir string
	env []string
	out *lines

	mu    sync.Mutex
	group int            // its process group while it runs, else 0
	last  syscall.Signal // of those sent since it was told to end
	done  chan struct{}  // closed when it will not run again
}

func newProcess(e entry, dir string, env []string, c *console) *process {
	return &process{entry: e, dir: dir, env: env, out: &lines{console: c, name: e.name}, done: make(chan struct{})}
}

// run starts the command in a process group of its own, and returns how it
// ended; nil is exit status 0. Where the system can, the kernel kills it when
// this program is killed.
func (p *process) run() error {
	// The kernel watches the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/bin/sh", "-c", "exec "+p.command)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = p.out, p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	// A grandchild may hold the output open after the command itself has ended.
	cmd.WaitDelay = 500 * time.Millisecond

	p.mu.Lock()
	if p.last != 0 { // told to end before it began
		p.mu.Unlock()
		return nil
	}
	if err := cmd.Start(); err != nil {
		p.mu.Unlock()
		return err
	}
	p.group = cmd.Process.Pid
	p.mu.Unlock()

	err := cmd.Wait()
	p.mu.Lock()
	_ = syscall.Kill(-p.group, syscall.SIGKILL) // what it left behind; usually nothing
	p.group = 0
	p.mu.Unlock()
	p.out.flush()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// signal sends a signal to the whole process group, and keeps the process from
// running again.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = s
	if p.group != 0 {
		_ = syscall.Kill(-p.group, s) // it may have ended this moment
	}
}

// ending reports whether the process was told to end.
func (p *process) ending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last != 0
}
