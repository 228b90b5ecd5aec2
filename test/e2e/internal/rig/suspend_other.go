//go:build !unix

package rig

// Suspend does nothing here: no signal stops a process.
func (p *Process) Suspend() {}

// Resume does nothing here.
func (p *Process) Resume() {}
