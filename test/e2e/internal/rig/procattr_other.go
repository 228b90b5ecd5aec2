//go:build !unix

package rig

import "syscall"

// childAttr is empty: there are no process groups to speak of here.
func childAttr() *syscall.SysProcAttr { return nil }
