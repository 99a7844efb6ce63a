//go:build !linux

package main

import "syscall"

// dieWithParent does nothing: this system has no such service, and a killed `up`
// leaves its children running.
func dieWithParent(*syscall.SysProcAttr) {}
