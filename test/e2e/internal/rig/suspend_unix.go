//go:build unix

package rig

import "syscall"

// Suspend stops the process where it is, with SIGSTOP.
func (p *Process) Suspend() { p.Signal(syscall.SIGSTOP) }

// Resume lets a suspended process go on.
func (p *Process) Resume() { p.Signal(syscall.SIGCONT) }
