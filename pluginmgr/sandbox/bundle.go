//go:build linux

package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/socket"
)

// Sizes of what lies in memory. They count against the memory limit as well.
const (
	tmpSize = "size=64m"
	shmSize = "size=16m"
)

const cpuPeriod = 100_000 // µs, the kernel's default

// bundle describes an instance to runc (OCI runtime specification 1.0.2).
func bundle(l pluginmgr.Launch, root image.Root, pair *socket.Pair, volume, cgroup string, swap bool) (*specs.Spec, error) {
	command := l.Command
	if len(command) == 0 {
		command = root.Command
	}
	if len(command) == 0 {
		return nil, fault.New(fault.Invalid, "image.invalid", "Neither the manifest nor the image of %s says what to run.", l.Plugin)
	}
	env, err := environment(l, root)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version: "1.0.2",
		Process: &specs.Process{
			User: specs.User{UID: UID, GID: UID}, Args: command, Env: env, Cwd: root.Dir, NoNewPrivileges: true,
			Capabilities: &specs.LinuxCapabilities{}, OOMScoreAdj: new(500), // rather a plugin than the core
			Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 4096, Soft: 1024}, {Type: "RLIMIT_CORE"}, {Type: "RLIMIT_MEMLOCK", Hard: 64 << 10, Soft: 64 << 10}},
		},
		Root:     &specs.Root{Path: root.Path, Readonly: true},
		Hostname: "plugin",
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", shmSize}},
			{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", tmpSize}},
			{Destination: image.DataDir, Type: "bind", Source: volume, Options: []string{"bind", "rw", "nosuid", "nodev", "noexec"}},
			{Destination: image.CoreDir, Type: "bind", Source: pair.CoreDir(), Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"}},
			{Destination: image.PluginDir, Type: "bind", Source: pair.PluginDir(), Options: []string{"bind", "rw", "nosuid", "nodev", "noexec"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: cgroup,
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
			},
			Resources: &specs.LinuxResources{
				Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
				Memory:  &specs.LinuxMemory{Limit: &l.Limits.Memory},
				CPU:     &specs.LinuxCPU{Quota: new(int64(l.Limits.CPU * cpuPeriod)), Period: new(uint64(cpuPeriod))},
				Pids:    &specs.LinuxPids{Limit: new(int64(l.Limits.PIDs))},
			},
			RootfsPropagation: "private",
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats", "/proc/kallsyms", "/proc/kpagecount", "/proc/kpageflags",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"},
		},
	}
	if swap { // memory and swap together: no swap
		s.Linux.Resources.Memory.Swap = &l.Limits.Memory
	}
	s.Linux.Seccomp, err = filter(s)
	return s, err
}

// environment joins what the image, the manifest and the core say, in this order.
func environment(l pluginmgr.Launch, root image.Root) ([]string, error) {
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, pair := range root.Env {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || strings.ContainsRune(pair, 0) {
			return nil, fault.New(fault.Invalid, "image.invalid", "The image of %s has an environment that cannot be read.", l.Plugin)
		}
		env[name] = value
	}
	maps.Copy(env, l.Env)
	maps.Copy(env, map[string]string{
		"HOME": image.DataDir, "TMPDIR": "/tmp",
		"VIVIFIED_CORE_SOCKET": image.CoreDir + "/" + socket.CoreName, "VIVIFIED_PLUGIN_SOCKET": image.PluginDir + "/" + socket.PluginName,
		"VIVIFIED_PLUGIN_STATE": image.DataDir,
	})
	if l.Port > 0 {
		delete(env, "VIVIFIED_CORE_SOCKET")
		delete(env, "VIVIFIED_PLUGIN_SOCKET")
		env["VIVIFIED_CORE_URL"] = "http://" + socket.CoreAddress(l.Port).String()
		env["VIVIFIED_PLUGIN_LISTEN"] = fmt.Sprintf("127.0.0.1:%d", l.Port)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all, nil
}

// debugging are system calls of the default profile that a plugin has no use for.
var debugging = []string{"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "perf_event_open", "bpf", "userfaultfd"}

// families are the address families of socket(2) that make sense in an empty
// network: AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK by which programs look for
// interfaces. Others are reachable whatever the network (AF_VSOCK), or open the
// kernel for nothing (AF_ALG, AF_PACKET).
var families = []uint64{1, 2, 10, 16}

// filter is the default profile for a process without capabilities, narrowed:
// nothing to debug with, few address families, and no other architecture's calls,
// by which socket(2) could be asked for in another way.
func filter(s *specs.Spec) (*specs.LinuxSeccomp, error) {
	f, err := seccomp.GetDefaultProfile(s)
	if err != nil {
		return nil, fmt.Errorf("read the default system call filter: %w", err)
	}
	f.Architectures = f.Architectures[:min(1, len(f.Architectures))]
	unwanted := append([]string{"socket", "socketcall"}, debugging...)
	for i := range f.Syscalls {
		f.Syscalls[i].Names = slices.DeleteFunc(slices.Clone(f.Syscalls[i].Names), func(name string) bool { return slices.Contains(unwanted, name) })
	}
	f.Syscalls = slices.DeleteFunc(f.Syscalls, func(c specs.LinuxSyscall) bool { return len(c.Names) == 0 })
	for _, family := range families {
		f.Syscalls = append(f.Syscalls, specs.LinuxSyscall{
			Names: []string{"socket"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: family, Op: specs.OpEqualTo}},
		})
	}
	return f, nil
}
