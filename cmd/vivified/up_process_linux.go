package main

import "syscall"

// dieWithParent has the kernel kill the child when the thread that started it
// ends, so that even a killed `up` leaves nothing running.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
