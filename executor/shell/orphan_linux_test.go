package shell_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/carillon-project/carillon/executor/shell"
)

// TestProgramDiesWithTheNode runs itself as the node, in a process that it then kills.
func TestProgramDiesWithTheNode(t *testing.T) {
	const lifelineOfNode = "CARILLON_TEST_LIFELINE"
	text := `exec 3>"$1"; echo ready >&3; read line <"$2"`
	if path := os.Getenv(lifelineOfNode); path != "" {
		_, err := newHandler(t, shell.Config{}).Do(t.Context(), script(t, text, path, path+"-never"))
		t.Errorf("the node outlived its program: %v", err)
		return
	}
	line := newLifeline(t)
	if err := syscall.Mkfifo(line.path+"-never", 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProgramDiesWithTheNode$")
	node.Dir = filepath.Dir(line.path)
	node.Env = append(os.Environ(), lifelineOfNode+"="+line.path)
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	f := line.awaitStart(t)
	if err := node.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = node.Wait() // it was killed
	requireDead(t, f)
}
