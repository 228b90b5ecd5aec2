package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

// steadyJobs is how many jobs are due each second while a scene is played.
const steadyJobs = 20

// kills is how many leaders are killed in a row.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CARILLON_E2E_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CARILLON_E2E_KILLS is %q", text)
	}
	return n
}

// The trials measure how soon a successor dispatches. In their long form, on a machine that does
// nothing else, they are published: make takeovers.

func TestLeaderKills(t *testing.T) { try(t, "takeover-sigkill") }

func TestLeaderTerm(t *testing.T) { try(t, "takeover-sigterm") }

func TestLeaderStop(t *testing.T) { try(t, "takeover-sigstop") }

// try plays the trial of that name, and prints its takeovers.
func try(t *testing.T, name string) {
	for _, trial := range matrix.Trials(kills(t)) {
		if trial.Name != name {
			continue
		}
		r := play(t, trial, filepath.Join("artifacts", "takeovers"))
		if took := r.Takeovers; len(took) > 0 {
			t.Logf("%d takeovers: p50 %s, p99 %s, max %s", len(took), matrix.Percentile(took, 50), matrix.Percentile(took, 99), matrix.Percentile(took, 100))
			return
		}
	}
	t.Errorf("nothing was measured of %s", name)
}

// pause lets processes work for a while.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
