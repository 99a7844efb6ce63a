package pluginmgr

import (
	"context"
	"net/http"
	"time"

	"github.com/vivified/vivified/pluginmgr/journal"
)

// Target is where a request goes: an instance that a runtime started, or the
// address of a plugin that runs elsewhere.
type Target struct {
	Plugin   string // id
	Instance string // of a plugin that its runtime starts; else empty
	Address  string // base URL of a plugin that runs elsewhere; else empty

	GRPC      bool   // it answers vivified.v1.Operator, not HTTP
	Operation string // of one that does: the endpoint's name; empty: none, such as a health check
}

// Runtime reaches plugins of one kind. What only some can do are interfaces of
// their own: Starter for those that run the plugin themselves. What every
// runtime of a kind must do is held by runtimetest.
type Runtime interface {
	// Call delivers one request, whose URL holds path and query, and returns the
	// plugin's answer. It follows no redirect and adds no credential.
	Call(ctx context.Context, to Target, r *http.Request) (*http.Response, error)
	// Probe connects to where the plugin answers, and hangs up.
	Probe(ctx context.Context, to Target) error
}

// Starter is a Runtime that runs its plugins itself, each in a box: no network
// but the two sockets between it and the core, a file system it may not write
// but for its own volume, no privileges, and limits that are in force.
//
// An instance is one run of one version of a plugin. Two of the same plugin may
// stand beside each other, as while one takes over from the other; they share
// the plugin's volume. Instances outlive the core.
type Starter interface {
	Runtime
	// Able says why this machine cannot run plugins so, or returns nil.
	Able(ctx context.Context) error
	// Start runs an instance and returns once its process is there; whether it
	// answers, Probe tells. Errors are faults; nothing is left behind by one.
	// A limit that is not in force is limits.not_enforced, unless l.Waived.
	Start(ctx context.Context, l Launch) error
	// Stop asks an instance to end, kills it when it has not within grace, and
	// removes it; one that is not there is no error. The volume stays.
	Stop(ctx context.Context, instance string, grace time.Duration) error
	// Wait returns how an instance ended, once it has. It is still to be stopped.
	Wait(ctx context.Context, instance string) (Exit, error)
	// Recover takes up the instances that run since before the core started, and
	// removes what is left of all others. It is called once, before Start.
	Recover(ctx context.Context) ([]Running, error)
	// Logs calls take with every line an instance writes, in order, until it has
	// ended and everything was read. While take does not return, the instance is
	// held up once its pipe is full. One reader at a time.
	Logs(ctx context.Context, instance string, since time.Time, take func(journal.Line)) error
	// Stats returns what an instance uses now.
	Stats(ctx context.Context, instance string) (Stats, error)
	// Forget removes the volume of a plugin none of whose instances run.
	Forget(ctx context.Context, plugin string) error
}

// Launch is an instance to be started.
type Launch struct {
	Plugin   string            // id
	Instance string            // its name, once on this machine: letters, digits, dots and hyphens
	Image    string            // digest of the image in the store
	Command  []string          // in place of the image's; nil: the image's
	Env      map[string]string // beside the image's; what the core sets wins
	Port     int               // TCP port on which a plugin answers that cannot use sockets; 0: it uses them
	Limits   Limits
	Waived   bool // an administrator accepted that limits may not be in force
}

// Limits bound what an instance may use. All of them are set.
type Limits struct {
	Memory  int64   // bytes, swap and temporary files included
	CPU     float64 // cores
	PIDs    int     // processes and threads
	Storage int64   // bytes of its volume
}

// Running is an instance that was found running.
type Running struct {
	Plugin, Instance, Image string
	Started                 time.Time
}

// Exit is how an instance ended.
type Exit struct {
	At     time.Time
	Status int    // exit status; -1 when a signal ended it, or when nobody saw it
	Signal string // that ended it, such as SIGKILL; or empty
	OOM    bool   // the kernel killed a process of it for want of memory
}

// Stats is what an instance uses.
type Stats struct {
	At     time.Time
	CPU    time.Duration // processor time since it started
	Memory int64         // bytes now
	Peak   int64         // bytes at most so far; 0: not known
	PIDs   int           // processes and threads now
	OOM    int           // processes the kernel killed for want of memory
	Held   int           // scheduling periods in which it was held back by its CPU limit
}
