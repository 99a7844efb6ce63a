// Package job does work that takes longer than a request: in stages, each of which
// may be repeated, so that a core that dies in the middle of one is followed by
// another that takes the job up there.
//
// A job acts in the name of whoever started it. One that fails, or is cancelled,
// is undone: its plan takes back what its stages did. There is one open job for a
// plugin at a time. Params and memos are stored in the clear: no secret belongs
// there.
package job
