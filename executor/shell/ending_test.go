//go:build unix

package shell_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/carillon-project/carillon/executor/shell"
)

// lifeline is a FIFO that the processes under test hold open for writing: reading from it tells what
// they said, and its end tells that every one of them is dead.
type lifeline struct {
	path   string
	reader chan *os.File
}

func newLifeline(t *testing.T) *lifeline {
	t.Helper()
	l := &lifeline{path: filepath.Join(t.TempDir(), "lifeline"), reader: make(chan *os.File, 1)}
	if err := syscall.Mkfifo(l.path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		f, err := os.Open(l.path) // returns once a process under test has opened it
		if err != nil {
			t.Errorf("open the lifeline: %v", err)
		}
		l.reader <- f
	}()
	return l
}

// awaitStart returns when a process under test has said that it is ready.
func (l *lifeline) awaitStart(t *testing.T) *os.File {
	t.Helper()
	f := <-l.reader
	if _, err := io.ReadFull(f, make([]byte, len("ready\n"))); err != nil {
		t.Errorf("await the start: %v", err)
	}
	return f
}

// requireDead returns when no process holds the lifeline, and fails the test if some do for long.
func requireDead(t *testing.T, f *os.File) string {
	t.Helper()
	defer f.Close()
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(f)
		rest <- string(text)
	}()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	select {
	case text := <-rest:
		return text
	case <-deadline.C:
		t.Fatal("a process outlived its run")
		return ""
	}
}

func TestContextEndsTheWholeGroup(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a program that takes SIGTERM",
			`exec 3>"$1"; trap 'echo asked >&3; exit 0' TERM; echo ready >&3; while :; do sleep 60 & wait; done`, "asked\n"},
		{"a program that ignores SIGTERM", `exec 3>"$1"; trap "" TERM; echo ready >&3; while :; do sleep 60; done`, ""},
		{"a grandchild that ignores SIGTERM",
			`exec 3>"$1"; sh -c 'trap "" TERM; echo ready >&3; while :; do sleep 60; done' & wait`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := newLifeline(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ready := make(chan *os.File, 1)
			lost := errors.New("lease lost")
			go func() {
				f := line.awaitStart(t)
				cancel(lost)
				ready <- f
			}()
			_, err := newHandler(t, shell.Config{KillGrace: 200 * time.Millisecond}).Do(ctx, script(t, tt.text, line.path))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, lost) {
				t.Errorf("Do = %v, want context.Canceled and its cause", err)
			}
			if said := requireDead(t, <-ready); said != tt.want {
				t.Errorf("the program said %q, want %q", said, tt.want)
			}
		})
	}
}

func TestNothingOfTheGroupOutlivesTheProgram(t *testing.T) {
	line := newLifeline(t)
	// The grandchild holds the output too, so that Do would hang if it waited for the output's end.
	text := `exec 3>"$1"; echo ready >&3; (trap "" TERM; while :; do sleep 60; done) & echo done`
	result, err := newHandler(t, shell.Config{}).Do(t.Context(), script(t, text, line.path))
	if err != nil || result.Output != "done\n" {
		t.Errorf("Do = %q, %v, want done", result.Output, err)
	}
	requireDead(t, line.awaitStart(t))
}

func TestProcessThatLeftTheGroupDoesNotHoldTheRun(t *testing.T) {
	if _, err := os.Stat("/usr/bin/setsid"); err != nil {
		t.Skip("needs setsid: ", err)
	}
	line := newLifeline(t)
	text := `exec 3>"$1"; exec 4<"$2"; setsid sh -c 'echo ready >&3; read line <&4' & read line <"$3"; echo done`
	release, started := filepath.Join(t.TempDir(), "release"), filepath.Join(t.TempDir(), "started")
	for _, path := range []string{release, started} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ready := make(chan *os.File, 1)
	hold, err := os.OpenFile(release, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		f := line.awaitStart(t)
		// The stray has its own session now; the program itself may exit.
		if err := os.WriteFile(started, []byte("go\n"), 0); err != nil {
			t.Errorf("let the program exit: %v", err)
		}
		ready <- f
	}()
	result, err := newHandler(t, shell.Config{}).Do(t.Context(), script(t, text, line.path, release, started))
	if err != nil || result.Output != "done\n" {
		t.Errorf("Do = %q, %v, want done while the stray lives", result.Output, err)
	}
	if _, err := hold.WriteString("go\n"); err != nil {
		t.Error(err)
	}
	hold.Close()
	requireDead(t, <-ready)
}

func TestEndedContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := newHandler(t, shell.Config{}).Do(ctx, script(t, `: >"$1"`, mark))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want context.Canceled", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program ran")
	}
}
