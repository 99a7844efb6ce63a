// Package sandbox runs plugins as OCI containers under runc, without a daemon.
//
// Each instance has a process, mount, network, IPC and host name space of its
// own. It runs as uid 65532 without capabilities and cannot gain any, under the
// default system call filter less what debugs and what opens other sockets than
// unix and internet ones. Its file system is its image, which nobody writes; its
// volume at /data is a file system of its own in one file, so that its quota is
// its size; /tmp is memory and counts as such. Its network is empty: it reaches
// the core by one unix socket and is reached by another, and nothing else.
//
// It refuses to start an instance whose memory, processor or process limits are
// not in force, read back from the kernel, unless that was waived for the
// plugin, and it refuses a machine on which it is not root: an ordinary user's
// runc applies no limits without saying so.
//
// Instances outlive the core. Their output goes into named pipes that they hold
// open themselves, so that neither a crash of the core nor its restart ends them;
// a full pipe holds them up until somebody reads.
package sandbox

// UID is who plugins run as; also their group.
const UID = 65532
