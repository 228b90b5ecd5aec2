package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
	"github.com/carillon-project/carillon/test/e2e/internal/page"
)

func TestRow(t *testing.T) {
	r := matrix.Result{
		Seed: 7, Strikes: 163, Breaches: []string{"lost"}, Takeovers: []time.Duration{1e6, 80e6, 9e9},
		Tally: history.Tally{Kills: 35, Terms: 95, Due: 1200, Ran: 1199, Lost: 1, Doubled: 2, Reruns: 53},
	}
	if got, want := row(20, r), "| 7 | 20 | 163 | 35 | 95 | 1200 | 1199 | 1 | 2 | 53 | 80 ms | 1 |"; got != want {
		t.Errorf("row is %s, want %s", got, want)
	}
	if got := row(0.5, matrix.Result{}); !strings.HasPrefix(got, "| 0 | 0.5 |") || !strings.HasSuffix(got, "| – | 0 |") {
		t.Errorf("without takeovers it is %s", got)
	}
}

// The page of the documentation has the place; one that has none is refused before anything is struck.
func TestTableIsLookedAtFirst(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fits(string(text)); err != nil {
		t.Error(err)
	}
	bad := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(bad, []byte(page.Chaos.Begins), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"--minutes", "60", "--table", bad}, io.Discard); err == nil || !strings.Contains(err.Error(), "marks") {
		t.Errorf("a page without the marks: %v", err)
	}
}
