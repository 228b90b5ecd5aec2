package shell

import (
	"os/exec"
	"syscall"
	"unsafe"
)

// Arguments of waitid(2) that package syscall lacks.
const (
	waitForPid  = 1          // P_PID
	waitExited  = 0x00000004 // WEXITED
	leaveZombie = 0x01000000 // WNOWAIT
)

// dieWithParent has the kernel kill the program when the node dies.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }

// awaitExit returns when the program has exited, with what kills the rest of its group and reaps it.
// Until then nobody else can get its process id, and thus none the id of its group.
func awaitExit(cmd *exec.Cmd) (reap func() error) {
	var info [128]byte // siginfo_t, of which nothing is read
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, waitForPid, uintptr(cmd.Process.Pid),
			uintptr(unsafe.Pointer(&info)), waitExited|leaveZombie, 0, 0)
		if errno != syscall.EINTR {
			break
		}
	}
	return func() error {
		signalGroup(cmd.Process.Pid, syscall.SIGKILL)
		return cmd.Wait()
	}
}
