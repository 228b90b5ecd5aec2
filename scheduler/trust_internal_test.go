package scheduler

import (
	"testing"
	"time"
)

func TestEndedLeasesAreTrustedAfterALeaseOfAnswers(t *testing.T) {
	const lease = 3 * time.Second
	at := func(s float64) time.Duration { return time.Duration(s*1000) * time.Millisecond }
	tests := []struct {
		name    string
		answers []float64 // when Redis answered, in seconds
		doubts  []float64 // when a call failed, or the clock was seen to be set
		from    float64   // when ended leases are trusted from
	}{
		{"a new leader has seen nothing", []float64{0}, nil, 3},
		{"it heard Redis late", []float64{5}, nil, 8},
		{"answers that follow one another change nothing", []float64{0, 1, 2, 3, 4}, nil, 3},
		{"an absence that costs a renewal, and no lease", []float64{0, 1, 2, 3, 4, 5}, nil, 3},
		{"an absence that was noticed by the gap only", []float64{0, 1, 2, 3, 4.5}, nil, 7.5},
		{"a call that failed", []float64{0, 1, 2, 3}, []float64{3.5}, 6.5},
		{"an absence, with failures, that the first answer ends", []float64{0, 1, 9}, []float64{2, 4, 6}, 12},
		{"the clock was set while in doubt", []float64{0, 1}, []float64{1}, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trusted := trust{lease: lease}
			if trusted.holds(at(100)) {
				t.Error("trusted before any answer")
			}
			for _, s := range tt.doubts {
				trusted.doubt(at(s))
			}
			for _, s := range tt.answers {
				trusted.answered(at(s))
			}
			if trusted.holds(at(tt.from)-1) || !trusted.holds(at(tt.from)) {
				t.Errorf("trusted from %s on, want %s", trusted.from, at(tt.from))
			}
		})
	}
}

func TestAnAbsenceIsReportedWithItsLength(t *testing.T) {
	trusted := trust{lease: 3 * time.Second}
	for _, tt := range []struct{ at, away time.Duration }{{5, 0}, {6, 0}, {8, 2}, {8, 0}, {9, 0}} {
		if away := trusted.answered(tt.at * time.Second); away != tt.away*time.Second {
			t.Errorf("answer after %ds: away for %s, want %ds", tt.at, away, tt.away)
		}
	}
}
