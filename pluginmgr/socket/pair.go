//go:build linux

// Package socket is the way between the core and a plugin that has no network:
// two unix sockets, one that the plugin calls and one that it answers at.
//
// Each instance has a folder of its own for each, so that whoever calls through
// its core socket is known by that, and no instance sees another's. Whatever a
// plugin leaves in its folder in place of a socket is not followed: only a socket
// itself is dialled, never what a link of that name leads to.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vivified/vivified/core/fault"
)

// The names of the sockets, each in its own folder.
const (
	CoreName   = "core.sock"
	PluginName = "plugin.sock"
)

// room is what a plugin may leave in the folder of its socket.
const room = "size=64k,nr_inodes=16,mode=0755"

// Pair is the two sockets of one instance. It is good until Remove.
type Pair struct {
	dir string
	uid int
}

// At returns the pair whose folders lie in dir; the plugin runs as uid.
func At(dir string, uid int) *Pair { return &Pair{dir: dir, uid: uid} }

// CoreDir is the folder to be shown to the plugin, where it may not write.
func (p *Pair) CoreDir() string { return filepath.Join(p.dir, "core") }

// PluginDir is the folder to be shown to the plugin, where it makes its socket.
func (p *Pair) PluginDir() string { return filepath.Join(p.dir, "plugin") }

// Make makes the folders. The plugin's is in memory, and small: a plugin must not
// fill the core's disk by what is not its volume.
func (p *Pair) Make() error {
	for _, dir := range []string{p.CoreDir(), p.PluginDir()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make the folders of the sockets: %w", err)
		}
	}
	own := fmt.Sprintf("%s,uid=%d,gid=%d", room, p.uid, p.uid)
	if err := unix.Mount("tmpfs", p.PluginDir(), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, own); err != nil {
		return fmt.Errorf("make the folder of the plugin's socket: %w", err)
	}
	return nil
}

// Remove takes the folders away. What is not there is no error.
func (p *Pair) Remove() error {
	err := unix.Unmount(p.PluginDir(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(p.CoreDir()), os.RemoveAll(p.PluginDir()))
}

// Listen opens the socket that the plugin calls the core by; also anew, after a
// core that is no more.
func (p *Pair) Listen() (net.Listener, error) {
	dir, err := unix.Open(p.CoreDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the core's socket: %w", err)
	}
	defer unix.Close(dir)
	if err := unix.Unlinkat(dir, CoreName, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("open the core's socket: %w", err)
	}
	// By way of its folder's descriptor: a path may be longer than the 107 bytes
	// that fit an address (unix(7)).
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: through(dir, CoreName), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open the core's socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // the name holds a descriptor that is another's by then
	if err := os.Chmod(filepath.Join(p.CoreDir(), CoreName), 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the core's socket: %w", err)
	}
	return l, nil
}

// Dial connects to the socket that the plugin answers at. Errors are faults of
// kind BadGateway.
func (p *Pair) Dial(ctx context.Context) (net.Conn, error) {
	dir, err := unix.Open(p.PluginDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, notAnswering().Because(err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, PluginName, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, notAnswering().Because(err)
	}
	defer unix.Close(fd)
	var is unix.Stat_t
	if err := unix.Fstat(fd, &is); err != nil {
		return nil, notAnswering().Because(err)
	}
	if is.Mode&unix.S_IFMT != unix.S_IFSOCK || int(is.Uid) != p.uid {
		return nil, fault.New(fault.BadGateway, "target.address", "What the plugin has in place of its socket is none of its own making; it is not followed.")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(fd))
	if err != nil {
		return nil, notAnswering().Because(err)
	}
	return conn, nil
}

func notAnswering() *fault.Fault {
	return fault.New(fault.BadGateway, "target.unreachable", "The plugin does not answer at its socket.")
}

func through(dir int, name string) string { return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name }

// patience is how long a plugin may take to accept a connection.
const patience = 5 * time.Second
