package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what is written to keyboard is read from screen.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

func TestRemovingAsksOnATerminal(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready")
	applied(t, env, "-f", folder(t, map[string]string{"j.json": hourly("a", "") + hourly("b", "")}))
	one := folder(t, map[string]string{"j.json": hourly("a", "") + hourly("c", "")})
	for _, tt := range []struct {
		answer string
		code   int
		words  string
	}{{"\n", 1, "nothing was written"}, {"no\n", 1, "nothing was written"}, {"y\n", 0, "[y/N]"}} {
		keyboard, screen := terminal(t)
		if _, err := keyboard.WriteString(tt.answer); err != nil {
			t.Fatal(err)
		}
		var out, talk bytes.Buffer
		code := run(t.Context(), []string{"job", "apply", "-f", one, "--prune"}, env.get, screen, &out, &talk)
		if code != tt.code || !strings.Contains(talk.String(), "Remove 1") || !strings.Contains(talk.String(), tt.words) || !strings.Contains(out.String(), "- b: log") {
			t.Errorf("the answer %q: %d, %q, %q", tt.answer, code, out.String(), talk.String())
		}
		if missing := env.call(t, "", "job", "get", "c").code; (missing == 0) != (tt.code == 0) {
			t.Errorf("after the answer %q job get c ends with %d", tt.answer, missing)
		}
	}
	keyboard, screen := terminal(t)
	if _, err := keyboard.WriteString("n\ny\n"); err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	if code := run(t.Context(), []string{"job", "remove", "--all"}, env.get, screen, &out, &talk); code != 1 || !strings.Contains(talk.String(), "nothing was removed") {
		t.Errorf("remove --all: %d, %q", code, talk.String())
	}
	if code := run(t.Context(), []string{"job", "remove", "--all"}, env.get, screen, &out, &talk); code != 0 || out.String() != "removed 2 jobs\n" {
		t.Errorf("remove --all: %d, %q, %q", code, out.String(), talk.String())
	}
	if r := node.end(t); r.code != 0 {
		t.Errorf("the node ended with %+v", r)
	}
}

// TestAQuestionCanBeInterrupted: nothing that waits for a terminal can hold the program.
func TestAQuestionCanBeInterrupted(t *testing.T) {
	keyboard, screen := terminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	asked, talk, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	defer talk.Close()
	go func() { // ends with the pipe
		if _, err := bufio.NewReader(asked).ReadString(']'); err == nil {
			cancel()
		}
	}()
	a := &app{stdin: screen, stderr: talk}
	if !a.interactive() {
		t.Fatal("the terminal is none")
	}
	if _, err := a.confirm(ctx, "Sure?"); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if _, err := keyboard.WriteString("\n"); err != nil { // lets the reader go
		t.Fatal(err)
	}
}
