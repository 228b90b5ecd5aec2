package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
	"github.com/carillon-project/carillon/test/e2e/internal/page"
)

func TestTable(t *testing.T) {
	got := table([]matrix.Result{
		{
			Name: "a", Says: "leader killed", Promise: "none lost | doubled", Strikes: 3,
			Tally: history.Tally{Due: 30, Ran: 30, Reruns: 2}, Takeovers: []time.Duration{20e6, 39.6e6, 1500e6},
		},
		{Name: "b", Says: "calm", Promise: "all", Strikes: 1, Tally: history.Tally{Due: 5, Ran: 4, Lost: 1}, Breaches: []string{"lost"}},
	})
	want := `| row | what is done | what is promised | times | due | ran | lost | doubled | run again | takeover p50, p99, max | held |
|---|---|---|---|---|---|---|---|---|---|---|
| ` + "`a`" + ` | leader killed | none lost \| doubled | 3 | 30 | 30 | 0 | 0 | 2 | 40 ms, 1.5 s, 1.5 s | yes |
| ` + "`b`" + ` | calm | all | 1 | 5 | 4 | 1 | 0 | 0 | – | **no** |
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTrials(t *testing.T) {
	r := matrix.Result{Says: "leader killed", Promise: "p99", Strikes: 200, Tally: history.Tally{Due: 900, Doubled: 1, Reruns: 2}}
	for i := range 200 {
		r.Takeovers = append(r.Takeovers, time.Duration(i+1)*time.Millisecond)
	}
	got := trials([]matrix.Result{r, {Says: "told", Promise: "all", Breaches: []string{"late"}}})
	want := `| what is done | what is promised | times | due | lost | doubled | run again | p50 | p99 | max | held |
|---|---|---|---|---|---|---|---|---|---|---|
| leader killed | p99 | 200 | 900 | 0 | 1 | 2 | 101 ms | 198 ms | 200 ms | yes |
| told | all | 0 | 0 | 0 | 0 | 0 | – | – | – | **no** |
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPicture(t *testing.T) {
	text := picture([]matrix.Result{
		{Name: "a<b", Takeovers: []time.Duration{5e6, 100e6, 60e9}}, {Name: "none"},
	})
	dots := 0
	for in := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "circle" {
			dots++
		}
	}
	if dots != 3 || strings.Contains(text, ">none<") {
		t.Errorf("%d dots, want 3, and no row without any:\n%s", dots, text)
	}
	if place(0) != left || place(time.Hour) != left+width || place(100e6) <= place(30e6) {
		t.Error("the axis does not run from left to right within its ends")
	}
}

func TestRunDemandsEveryRow(t *testing.T) {
	tests := []struct {
		name  string
		marks page.Marks
		all   []matrix.Fault
		args  []string
	}{
		{"faults", page.Faults, matrix.Table(), nil},
		{"takeovers", page.Takeovers, matrix.Trials(1), []string{"--takeovers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file, plot := filepath.Join(dir, "page.md"), filepath.Join(dir, "plot.svg")
			write(t, file, tt.marks.Begins+"\n"+tt.marks.Ends+"\n")
			args := append(tt.args, "--results", dir, "--measured", dir, "--page", file, "--plot", plot)
			for _, fault := range tt.all[1:] {
				save(t, dir, matrix.Result{Name: fault.Name, Says: fault.Says})
			}
			if err := run(args); err == nil || !strings.Contains(err.Error(), tt.all[0].Name) {
				t.Errorf("without %s: %v", tt.all[0].Name, err)
			}
			save(t, dir, matrix.Result{Name: tt.all[0].Name, Says: tt.all[0].Says, Takeovers: []time.Duration{1e6}})
			if err := run(args); err != nil {
				t.Error(err)
			}
			for file, want := range map[string]string{file: tt.all[0].Says, plot: tt.all[0].Name} {
				if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
					t.Errorf("%s lacks %q: %v", file, want, err)
				}
			}
			save(t, dir, matrix.Result{Name: tt.all[0].Name, Breaches: []string{"lost"}})
			if err := run(args); err == nil || !strings.Contains(err.Error(), "did not hold") {
				t.Errorf("with a breach: %v", err)
			}
		})
	}
}

func save(t *testing.T, dir string, r matrix.Result) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, r.Name+".json"), string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
