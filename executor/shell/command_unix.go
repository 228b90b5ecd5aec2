//go:build unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// drainLimit is how long the output may stay open after the whole group is dead: only a process
// that left the group can hold it so.
const drainLimit = time.Second

func supported() error { return nil }

// run starts c, ends it with ctx, reaps it and returns once nothing writes to c.output any more.
func (h *Handler) run(ctx context.Context, c *command) error {
	// The kernel takes the death of the thread that forked for the death of the parent. Held here,
	// the thread cannot die before the program has been reaped.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open the output: %w", err)
	}
	cmd := &exec.Cmd{Path: c.program, Args: c.argv, Dir: c.dir, Env: c.env, Stdout: writer, Stderr: writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	err = cmd.Start()
	writer.Close()
	if err != nil {
		reader.Close()
		return fmt.Errorf("start: %w", err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(c.output, reader) // ends with the last writer, or when reader is closed
	}()
	interrupted, err := h.await(ctx, cmd)
	awaitDrain(drained, reader)
	if interrupted {
		return ended(ctx)
	}
	return failure(err, c.output)
}

// await returns when the program has been reaped and its group is dead: how it ended, and whether
// that was asked for because ctx ended.
func (h *Handler) await(ctx context.Context, cmd *exec.Cmd) (interrupted bool, err error) {
	exited := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		interrupted = h.endWith(ctx, cmd.Process.Pid, exited)
	}()
	reap := awaitExit(cmd)
	close(exited)
	<-watched // no signal may follow the reaping
	return interrupted, reap()
}

// endWith ends the group pid with ctx, first asking, then not; it returns when the program has
// exited, true if it asked.
func (h *Handler) endWith(ctx context.Context, pid int, exited <-chan struct{}) bool {
	select {
	case <-exited:
		return false
	case <-ctx.Done():
	}
	signalGroup(pid, syscall.SIGTERM)
	grace := time.NewTimer(h.killGrace)
	defer grace.Stop()
	select {
	case <-exited:
		return true
	case <-grace.C:
	}
	signalGroup(pid, syscall.SIGKILL)
	<-exited
	return true
}

// awaitDrain waits until all output was read, or drainLimit for a writer outside of the group.
func awaitDrain(drained <-chan struct{}, reader *os.File) {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	select {
	case <-drained:
	case <-limit.C:
	}
	reader.Close()
	<-drained
}

func signalGroup(pid int, signal syscall.Signal) {
	// ESRCH means that the group is gone, which is what was wanted.
	_ = syscall.Kill(-pid, signal)
}

// ended is the error of a ctx that has ended, with its cause if there is one besides.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// failure turns the end of a program into nil or an error.
func failure(err error, output *tail) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	return &ExitError{Code: exit.ExitCode(), State: exit.ProcessState.String(), Excerpt: excerpt(output.text())}
}
