//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivified/vivified/pluginmgr"
)

// process is the first process of an instance, held by a descriptor: its number
// may become another's, the descriptor never.
type process struct {
	pid int
	fd  *os.File
}

// hold holds a running process.
func hold(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("hold process %d: %w", pid, err)
	}
	return &process{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd")}, nil
}

func (p *process) close() { p.fd.Close() }

// signal sends a signal; a process that has ended is no error.
func (p *process) signal(s unix.Signal) error {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// wait returns once the process has ended. Its status is known where the core
// is its parent, which one that starts anew after a crash is not.
func (p *process) wait() (pluginmgr.Exit, error) {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return pluginmgr.Exit{}, err
	}
	err = raw.Read(func(fd uintptr) bool {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err == nil && ready > 0
	})
	if err != nil {
		return pluginmgr.Exit{}, err
	}
	exit := pluginmgr.Exit{At: time.Now(), Status: -1}
	var status unix.WaitStatus
	for {
		_, err = unix.Wait4(p.pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case err != nil: // another's child
	case status.Exited():
		exit.Status = status.ExitStatus()
	case status.Signaled():
		exit.Signal = unix.SignalName(status.Signal())
	}
	return exit, nil
}

// adopter makes the core the parent of what runc leaves behind, as long as runc
// runs: then the kernel tells the core how an instance ended. It is not so all the
// time, because the core would be left with the dead of every other program too.
type adopter struct {
	mu sync.Mutex
	n  int
}

func (a *adopter) during(f func() error) error {
	a.add(1)
	defer a.add(-1)
	return f()
}

func (a *adopter) add(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n += n
	on := 0
	if a.n > 0 {
		on = 1
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, uintptr(on), 0, 0, 0) // without it the exit status stays unknown
}
