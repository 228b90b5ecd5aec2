package report_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/bench/internal/report"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one", []float64{7}, 7},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
		{"one far out", []float64{1, 2, 1000}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := append([]float64(nil), tt.values...)
			if got := report.Median(tt.values); got != tt.want {
				t.Errorf("Median(%v) = %v, want %v", tt.values, got, tt.want)
			}
			if diff := cmp.Diff(given, tt.values); diff != "" {
				t.Errorf("the values were changed: %s", diff)
			}
		})
	}
	if got := report.Median(nil); !math.IsNaN(got) {
		t.Errorf("Median of nothing = %v", got)
	}
}

func TestRatioSaysHowManyTimesBetter(t *testing.T) {
	tests := []struct {
		name    string
		row     report.Row
		ratio   float64
		verdict string
	}{
		{"more is better, reached", report.Higher("x", "runs/s", 400, "asynq", 100, 4), 4, "pass"},
		{"more is better, not reached", report.Higher("x", "runs/s", 399, "asynq", 100, 4), 3.99, "short"},
		{"aim reached", report.Higher("x", "runs/s", 800, "asynq", 100, 4).AimingAt(8), 8, "aim met"},
		{"aim not reached", report.Higher("x", "runs/s", 799, "asynq", 100, 4).AimingAt(8), 7.99, "pass"},
		{"less is better, within a little more", report.Lower("x", "µs", 125, "1,000 jobs", 100, 1/1.3), 0.8, "pass"},
		{"less is better, far more", report.Lower("x", "µs", 200, "1,000 jobs", 100, 1/1.3), 0.5, "short"},
		{"at the limit", report.Within("x", "ms", 3, 3), 1, "pass"},
		{"beyond the limit", report.Within("x", "ms", 4, 3), 0.75, "short"},
		{"nothing of a limit", report.Within("x", "ms", 0, 3), 1000, "pass"},
		{"far within the limit", report.Within("x", "ms", 0.001, 100), 1000, "pass"},
		{"nothing due", report.Higher("x", "runs", 0, "due", 0, 1), 1000, "pass"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.row.Ratio != tt.ratio || tt.row.Verdict() != tt.verdict {
				t.Errorf("ratio %v, %s; want %v, %s", tt.row.Ratio, tt.row.Verdict(), tt.ratio, tt.verdict)
			}
			if tt.row.OK != (tt.row.Ratio >= tt.row.Bar) {
				t.Errorf("ok = %v of %v against the bar %v", tt.row.OK, tt.row.Ratio, tt.row.Bar)
			}
		})
	}
}
