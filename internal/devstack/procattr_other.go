//go:build !unix

package devstack

import "syscall"

// childAttr is empty: there are no process groups to speak of here.
func childAttr() *syscall.SysProcAttr { return nil }
