package e2e_test

import (
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
			play(t, fault)
		})
	}
}

// play plays a row, keeps its result, and its history if it was not as promised.
func play(t *testing.T, fault matrix.Fault) {
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
	must(t, r.Write(filepath.Join("artifacts", "results")))
	if t.Failed() {
		t.Logf("judge it again: go run ./test/e2e/judge %s", filepath.Join(dir, "history.json"))
		return
	}
	must(t, os.RemoveAll(dir))
}
