package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// attempts are what a plugin may try; at says where or how much.
var attempts = map[string]func(at string) error{
	"write":   func(at string) error { return os.WriteFile(at, []byte("x"), 0o600) },
	"read":    func(at string) error { _, err := os.ReadFile(at); return err },
	"fill":    fill,
	"dial":    dial,
	"socket":  socket,
	"memory":  memory,
	"cpu":     cpu,
	"pids":    pids,
	"mount":   func(at string) error { return syscall.Mount("tmpfs", at, "tmpfs", 0, "") },
	"remount": func(at string) error { return syscall.Mount("", at, "", syscall.MS_REMOUNT|syscall.MS_BIND, "") },
	"umount":  func(at string) error { return syscall.Unmount(at, 2) },
	"chroot":  func(at string) error { return syscall.Chroot(at) },
	"mknod":   func(at string) error { return syscall.Mknod(at, syscall.S_IFBLK|0o600, 7<<8) },
	"unshare": func(string) error { return syscall.Unshare(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS) },
	"setns":   func(at string) error { return withFile(at, func(fd uintptr) error { return call(308, fd, 0, 0) }) },
	"trace":   func(string) error { return call(syscall.SYS_PTRACE, syscall.PTRACE_TRACEME, 0, 0) },
	"peek":    func(string) error { return call(syscall.SYS_PTRACE, syscall.PTRACE_ATTACH, 1, 0) },
	"root":    func(string) error { return syscall.Setuid(0) },
	"setgid":  func(string) error { return syscall.Setgroups([]int{0}) },
	"hoist":   func(string) error { return call(syscall.SYS_PRCTL, 47, 2, 21) }, // PR_CAP_AMBIENT_RAISE CAP_SYS_ADMIN
	"suid":    suid,
	"status":  status,
	"bpf":     func(string) error { return call(321, 0, 0, 0) },
	"keyctl":  func(string) error { return call(syscall.SYS_KEYCTL, 0, ^uintptr(2), 0) },
	"module":  func(string) error { return call(syscall.SYS_INIT_MODULE, 0, 0, 0) },
	"reboot":  func(string) error { return call(syscall.SYS_REBOOT, 0xfee1dead, 672274793, 0) },
	"clock":   func(string) error { return syscall.Settimeofday(&syscall.Timeval{Sec: 1}) },
	"uring":   func(string) error { return call(425, 1, 0, 0) },
	"kill":    func(string) error { return syscall.Kill(-1, 0) },
	"others":  others,
	"run":     run,
	"link":    func(at string) error { return link(at) },
}

func call(n, a, b, c uintptr) error {
	if _, _, errno := syscall.Syscall(n, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func withFile(at string, f func(uintptr) error) error {
	file, err := os.Open(at)
	if err != nil {
		return err
	}
	defer file.Close()
	return f(file.Fd())
}

// fill writes files of 1 MiB below a folder until it may not, at most 1 GiB. It
// fails where that is less, as it should.
func fill(at string) error {
	piece := bytes.Repeat([]byte{1}, 1<<20)
	for i := range 1024 {
		name := filepath.Join(at, fmt.Sprintf("fill-%d", i))
		if err := os.WriteFile(name, piece, 0o600); err != nil {
			for j := range i + 1 {
				os.Remove(filepath.Join(at, fmt.Sprintf("fill-%d", j)))
			}
			return fmt.Errorf("after %d MiB: %w", i, err)
		}
	}
	return nil
}

// dial connects to network:address.
func dial(at string) error {
	network, address, _ := strings.Cut(at, " ")
	conn, err := net.DialTimeout(network, address, 3*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("x"))
	return err
}

// socket opens a socket of a family.
func socket(at string) error {
	var family int
	fmt.Sscan(at, &family)
	fd, err := syscall.Socket(family, syscall.SOCK_RAW, 0)
	if err != nil {
		if fd, err = syscall.Socket(family, syscall.SOCK_STREAM, 0); err != nil {
			return err
		}
	}
	return syscall.Close(fd)
}

// memory uses so many MiB.
func memory(at string) error {
	var n int
	fmt.Sscan(at, &n)
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	return nil
}

var kept [][]byte

// cpu keeps four threads busy for so many milliseconds.
func cpu(at string) error {
	var ms int
	fmt.Sscan(at, &ms)
	until := time.Now().Add(time.Duration(ms) * time.Millisecond)
	done := make(chan int)
	for range 4 {
		go func() {
			n := 0
			for time.Now().Before(until) {
				n++
			}
			done <- n
		}()
	}
	for range 4 {
		<-done
	}
	return nil
}

// pids starts so many processes and fails when it may not start that many.
func pids(at string) error {
	var n int
	fmt.Sscan(at, &n)
	for i := range n {
		_, err := syscall.ForkExec("/probe", []string{"probe", "sleep"}, &syscall.ProcAttr{})
		if err != nil {
			return fmt.Errorf("after %d: %w", i, err)
		}
	}
	return nil
}

// suid runs a copy of this program that has its bits set for root, and says who it was.
func suid(at string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(at, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_ISUID == 0 {
		return errors.New("its bits are gone")
	}
	return nil
}

// status fails unless the process could gain something.
func status(at string) error {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == at {
			return errors.New(strings.TrimSpace(value))
		}
	}
	return nil
}

// others fails unless a process of somebody else is seen.
func others(string) error {
	there, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range there {
		exe, err := os.Readlink("/proc/" + e.Name() + "/exe")
		if err == nil && exe != "/probe" {
			return nil
		}
	}
	return errors.New("no other process is there")
}

// run runs what it wrote itself.
func run(at string) error {
	self, err := os.ReadFile("/probe")
	if err != nil {
		return err
	}
	if err := os.WriteFile(at, self, 0o755); err != nil {
		return err
	}
	defer os.Remove(at)
	pid, err := syscall.ForkExec(at, []string{"probe", "exit", "0"}, &syscall.ProcAttr{})
	if err != nil {
		return err
	}
	var ws syscall.WaitStatus
	_, err = syscall.Wait4(pid, &ws, 0, nil)
	return err
}

// link puts a link in the place of the plugin's socket.
func link(at string) error {
	path := os.Getenv("VIVIFIED_PLUGIN_SOCKET")
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(at, path)
}
