package rig

import "syscall"

// childAttr puts a child into a process group of its own and has the kernel kill it with the thread
// that started it.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
