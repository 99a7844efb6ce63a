//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// volumes are the plugins' own file systems, each in a file whose size is the
// quota: the kernel holds a plugin to it, in bytes and in files.
type volumes struct {
	files, mounts string
	mu            sync.Mutex
	held          map[string]int // instances that have it, by plugin
}

func (v *volumes) file(plugin string) string { return filepath.Join(v.files, plugin+".ext4") }

// mount returns the folder of a plugin's volume, which it makes when there is
// none, and enlarges when the quota has grown. It never shrinks one. It stays
// mounted until every instance that it was mounted for has released it.
func (v *volumes) mount(ctx context.Context, plugin string, quota int64) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, err := v.ready(ctx, plugin, quota)
	if err == nil {
		v.held[plugin]++
	}
	return at, err
}

// hold notes that an instance which was there before has the volume of its plugin.
func (v *volumes) hold(plugin string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[plugin]++
}

func (v *volumes) ready(ctx context.Context, plugin string, quota int64) (string, error) {
	at, file := filepath.Join(v.mounts, plugin), v.file(plugin)
	for _, dir := range []string{v.files, at} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("make a volume: %w", err)
		}
	}
	made := false
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := v.make(ctx, file, quota); err != nil {
			return "", err
		}
		made = true
	case err != nil:
		return "", fmt.Errorf("make a volume: %w", err)
	}
	if mounted(at) {
		return at, nil
	}
	grow := !made && info.Size() < quota
	if grow {
		if err := os.Truncate(file, quota); err != nil {
			return "", fmt.Errorf("enlarge a volume: %w", err)
		}
	}
	loop, err := attach(file)
	if err != nil {
		return "", err
	}
	defer loop.Close() // the mount holds it from here on
	if err := unix.Mount(loop.Name(), at, "ext4", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOATIME, ""); err != nil {
		return "", fmt.Errorf("mount a volume: %w", err)
	}
	if grow {
		if out, err := exec.CommandContext(ctx, tool("resize2fs"), loop.Name()).CombinedOutput(); err != nil {
			return "", fmt.Errorf("enlarge a volume: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	if made {
		_ = os.Remove(filepath.Join(at, "lost+found")) // fsck makes it again when it needs it
	}
	if err := errors.Join(os.Chown(at, UID, UID), os.Chmod(at, 0o700)); err != nil {
		return "", fmt.Errorf("make a volume: %w", err)
	}
	return at, nil
}

// make makes an empty file system. Its blocks are allotted as they are used.
func (v *volumes) make(ctx context.Context, file string, quota int64) error {
	tmp := file + ".new"
	defer os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make a volume: %w", err)
	}
	if err := errors.Join(f.Truncate(quota), f.Close()); err != nil {
		return fmt.Errorf("make a volume: %w", err)
	}
	out, err := exec.CommandContext(ctx, tool("mkfs.ext4"), "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", tmp).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a volume: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(tmp, file)
}

// release lets go of a plugin's volume for one instance.
func (v *volumes) release(plugin string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held[plugin]--; v.held[plugin] > 0 {
		return nil
	}
	delete(v.held, plugin)
	return v.unmount(plugin)
}

// sweep lets go of the volumes that no instance has.
func (v *volumes) sweep() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	there, err := os.ReadDir(v.mounts)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range there {
		if v.held[e.Name()] == 0 {
			err = errors.Join(err, v.unmount(e.Name()))
		}
	}
	return err
}

func (v *volumes) unmount(plugin string) error {
	err := unix.Unmount(filepath.Join(v.mounts, plugin), unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// remove forgets a plugin's volume with what is in it.
func (v *volumes) remove(plugin string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.unmount(plugin); err != nil {
		return fmt.Errorf("remove a volume: %w", err)
	}
	_ = os.Remove(filepath.Join(v.mounts, plugin))
	if err := os.Remove(v.file(plugin)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a volume: %w", err)
	}
	return nil
}

// mounted reports whether something is mounted at a folder.
func mounted(at string) bool {
	var here, above unix.Stat_t
	return unix.Lstat(at, &here) == nil && unix.Lstat(filepath.Dir(at), &above) == nil && here.Dev != above.Dev
}

// attach makes a file a block device, which is no more when nobody uses it
// (loop(4)). Another process may take the free one that the kernel named.
func attach(file string) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("find a loop device: %w", err)
	}
	defer control.Close()
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open a volume: %w", err)
	}
	defer backing.Close()
	for range 64 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a loop device: %w", err)
		}
		loop, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("open a loop device: %w", err)
		}
		config := unix.LoopConfig{Fd: uint32(backing.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach a volume: %w", err)
		}
	}
	return nil, errors.New("every loop device was taken by somebody else")
}
