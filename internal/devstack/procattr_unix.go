//go:build unix && !linux

package devstack

import "syscall"

// childAttr puts a child into a process group of its own, out of reach of the terminal's Ctrl-C.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
