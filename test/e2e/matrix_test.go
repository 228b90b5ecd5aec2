package e2e_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

// TestMatrix plays every row of the table of faults, each on a cluster of its own: what needs the
// machine first, the others two at a time.
func TestMatrix(t *testing.T) {
	for _, fault := range matrix.Table() {
		t.Run(fault.Name, func(t *testing.T) {
			if !fault.Alone {
				t.Parallel()
			}
			play(t, fault, filepath.Join("artifacts", "results"))
		})
	}
}

// play plays a row, keeps its result in a directory, and its history if it was not as promised.
func play(t *testing.T, fault matrix.Fault, results string) matrix.Result {
	t.Helper()
	if err := os.Remove(filepath.Join(results, fault.Name+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	dir, long, patience := artifacts(t), os.Getenv("CARILLON_E2E_LONG") != "", 3*time.Minute
	if long {
		patience = 15 * time.Minute
	}
	r, err := matrix.Play(within(t, patience), fault, matrix.Options{Binary: binary, Dir: dir, Seed: seed(t), Long: long, Say: t.Logf})
	t.Logf("seed %d: %s", r.Seed, r.Tally)
	for name, figure := range r.Figures {
		t.Logf("%s: %s", name, figure)
	}
	for i, breach := range r.Breaches {
		if i == 20 {
			t.Errorf("and %d more", len(r.Breaches)-i)
			break
		}
		t.Error(breach)
	}
	if err != nil {
		t.Error(err)
		r.Breaches = append(r.Breaches, err.Error())
	}
	must(t, r.Write(results))
	if t.Failed() {
		t.Logf("judge it again: go run ./test/e2e/judge %s", filepath.Join(dir, "history.json"))
		return r
	}
	must(t, os.RemoveAll(dir))
	return r
}
