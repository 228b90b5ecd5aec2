//go:build unix && !linux

package shell

import (
	"os/exec"
	"syscall"
)

// dieWithParent does nothing: the system cannot tell a program that its parent died.
func dieWithParent(*syscall.SysProcAttr) {}

// awaitExit returns when the program has exited, with what kills the rest of its group. Here the
// program has been reaped by then: a group of the same id can exist only if the rest is alive or
// the id was given out again meanwhile.
func awaitExit(cmd *exec.Cmd) (reap func() error) {
	err := cmd.Wait()
	return func() error {
		signalGroup(cmd.Process.Pid, syscall.SIGKILL)
		return err
	}
}
