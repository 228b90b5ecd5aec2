package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child in a process group of its own.
type Process struct {
	Name string

	cmd  *exec.Cmd
	out  *lines
	done chan struct{} // closed when it has been waited for
	err  error         // how it ended; valid after done
}

// Spawn runs argv with its output in the file logPath, appended, and env added to the environment.
// Each line of its standard output is also handed to onLine, if that is not nil, from a single
// goroutine. The caller ends it with Kill, or Signal and Wait.
func Spawn(name, logPath string, env, argv []string, onLine func(string)) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("rig: start %s: %w", name, err)
	}
	p := &Process{Name: name, out: &lines{file: log, onLine: onLine}, done: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, log
	p.cmd.SysProcAttr = childAttr()
	p.cmd.WaitDelay = 2 * time.Second
	started := make(chan error, 1)
	go p.hold(started, log)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("rig: start %s: %w", name, err)
	}
	return p, nil
}

// hold starts the process and waits for it on one thread: the kernel kills the child when the
// thread that started it ends.
func (p *Process) hold(started chan<- error, log *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer log.Close()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
	}
}

// Pid is the id of the process, also after its end.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the exit code of a process that has ended by itself, and -1 for one that runs or was
// killed by a signal.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.done
}

// Signal sends a signal to the process, or does nothing when it has ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Wait returns the exit code of the process once it has ended; when ctx ends first the process is
// killed and the error says so.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.ExitCode(), nil
	case <-ctx.Done():
		p.Kill()
		return -1, fmt.Errorf("rig: %s did not end: %w", p.Name, ctx.Err())
	}
}

// end asks the process to end, and kills it if it does not in time.
func (p *Process) end(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.Signal(syscall.SIGTERM)
	_, _ = p.Wait(ctx)
}

// lines writes to a file and hands on each whole line.
type lines struct {
	mu     sync.Mutex
	file   *os.File
	onLine func(string)
	rest   []byte
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.onLine != nil {
		for _, c := range b {
			if c != '\n' {
				l.rest = append(l.rest, c)
				continue
			}
			l.onLine(string(l.rest))
			l.rest = l.rest[:0]
		}
	}
	return l.file.Write(b)
}
