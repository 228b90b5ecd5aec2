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
)

func TestTable(t *testing.T) {
	got := table([]matrix.Result{
		{
			Name: "a", Says: "leader killed", Promise: "none lost | doubled", Strikes: 3,
			Tally: history.Tally{Due: 30, Reruns: 2}, Takeovers: []time.Duration{20e6, 40e6, 1500e6},
		},
		{Name: "b", Says: "calm", Promise: "all", Strikes: 1, Tally: history.Tally{Due: 5, Lost: 1}, Breaches: []string{"lost"}},
	})
	want := `| what is done | what is promised | times | due | lost | doubled | run again | takeover p50, max | held |
|---|---|---|---|---|---|---|---|---|
| leader killed | none lost \| doubled | 3 | 30 | 0 | 0 | 2 | 40 ms, 1.5 s | yes |
| calm | all | 1 | 5 | 1 | 0 | 0 | – | **no** |
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReplace(t *testing.T) {
	page := "head\n" + begins + "\nold\n" + ends + "\ntail\n"
	got, err := replace(page, "new\n")
	if want := "head\n" + begins + "\n\nnew\n\n" + ends + "\ntail\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	again, err := replace(got, "new\n")
	if err != nil || again != got {
		t.Errorf("a second time it is %q, %v", again, err)
	}
	for _, bad := range []string{"", begins, ends, ends + begins} {
		if _, err := replace(bad, "new"); err == nil {
			t.Errorf("%q has no place for a table and was accepted", bad)
		}
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
	dir := t.TempDir()
	page, plot := filepath.Join(dir, "page.md"), filepath.Join(dir, "plot.svg")
	write(t, page, begins+"\n"+ends+"\n")
	args := []string{"--results", dir, "--page", page, "--plot", plot}
	all := matrix.Table()
	for _, fault := range all[1:] {
		save(t, dir, matrix.Result{Name: fault.Name, Says: fault.Says})
	}
	if err := run(args); err == nil || !strings.Contains(err.Error(), all[0].Name) {
		t.Errorf("without %s: %v", all[0].Name, err)
	}
	save(t, dir, matrix.Result{Name: all[0].Name, Says: all[0].Says})
	if err := run(args); err != nil {
		t.Error(err)
	}
	save(t, dir, matrix.Result{Name: all[0].Name, Breaches: []string{"lost"}})
	if err := run(args); err == nil || !strings.Contains(err.Error(), "did not hold") {
		t.Errorf("with a breach: %v", err)
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
