package devstack

import "syscall"

// childAttr puts a child into a process group of its own, out of reach of the terminal's Ctrl-C,
// and has the kernel kill it when the thread that started it ends.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
