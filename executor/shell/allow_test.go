package shell_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/executor/shell"
)

// programs lays out a directory as a system has it: a program, a multi-call binary, and links.
func programs(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"report": 0o755, "busy": 0o755, "notes": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"ls": "busy", "sh": "busy", "ll": "ls", "today": "report", "broken": "gone"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAllowList(t *testing.T) {
	dir := programs(t)
	tests := []struct {
		name, allow, argv0 string
		want               string // the real program, empty if refused
	}{
		{"the file itself", "report", "report", "report"},
		{"another file", "report", "busy", ""},
		{"link to an allowed file", "report", "today", "report"},
		{"allowed link by its name", "today", "today", "report"},
		{"file behind an allowed link", "today", "report", ""},
		{"multi-call by the allowed name", "ls", "ls", "busy"},
		{"multi-call by another name", "ls", "sh", ""},
		{"multi-call by its own name", "ls", "busy", ""},
		{"multi-call allowed as a whole", "busy", "sh", "busy"},
		{"link to an allowed link", "ls", "ll", ""},
		{"detour in the path", "report", "../" + filepath.Base(dir) + "/report", "report"},
		{"name that does not exist", "report", "gone", ""},
		{"broken link", "report", "broken", ""},
		{"directory", "report", ".", ""},
		{"not executable", "report", "notes", ""},
		{"name with the allowed one in it", "report", "report2", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := shell.Allowed(dir+"/"+tt.argv0, dir+"/"+tt.allow)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%s is allowed as %s", tt.argv0, got)
				}
				return
			}
			if err != nil || got != filepath.Join(dir, tt.want) {
				t.Errorf("%s = %q, %v, want %s", tt.argv0, got, err, tt.want)
			}
		})
	}
}

func TestBothAFileAndALinkToItAreAllowed(t *testing.T) {
	dir := programs(t)
	for _, order := range [][]string{{"ls", "busy"}, {"busy", "ls"}} {
		if _, err := shell.Allowed(dir+"/sh", dir+"/"+order[0], dir+"/"+order[1]); err != nil {
			t.Errorf("allowing %v: sh = %v, want it open", order, err)
		}
	}
	if _, err := shell.Allowed(dir+"/sh", dir+"/ls", dir+"/ll"); !errors.Is(err, shell.ErrNotAllowed) {
		t.Errorf("allowing two links: sh = %v, want ErrNotAllowed", err)
	}
}

func TestNamesAreLookedUpInTheFixedPath(t *testing.T) {
	dir := programs(t)
	t.Setenv("PATH", dir)
	if _, err := shell.Allowed("report", dir+"/report"); !errors.Is(err, shell.ErrInvalidArgs) {
		t.Errorf("report by the node's PATH = %v, want ErrInvalidArgs", err)
	}
	got, err := shell.Allowed("sh", "sh")
	if err != nil || strings.HasPrefix(got, dir) {
		t.Errorf("sh = %q, %v, want the system's", got, err)
	}
	for _, relative := range []string{"./report", "bin/report", ""} {
		if _, err := shell.Allowed(relative, dir+"/report"); !errors.Is(err, shell.ErrInvalidArgs) {
			t.Errorf("%q = %v, want ErrInvalidArgs", relative, err)
		}
	}
}

func TestEmptyAllowListRefusesEverything(t *testing.T) {
	for _, argv0 := range []string{"sh", "/bin/sh", "no-such-program"} {
		_, err := shell.Allowed(argv0)
		if !errors.Is(err, shell.ErrNotAllowed) || !strings.Contains(err.Error(), "--allow-shell") {
			t.Errorf("%s = %v, want ErrNotAllowed that names --allow-shell", argv0, err)
		}
	}
}

func TestConfigurationThatIsRefused(t *testing.T) {
	_, err := shell.New(shell.Config{Allow: []string{"/no/such/a", "b/c", ""}, OutputCap: -1, KillGrace: -1})
	if err == nil {
		t.Fatal("New succeeded")
	}
	for _, want := range []string{`"/no/such/a"`, `"b/c"`, "empty program name", "output cap", "kill grace"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New = %q, want %s in it", err, want)
		}
	}
}
