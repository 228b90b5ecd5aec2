package job_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
)

// What a Go program can write and a document cannot is refused by the field's name, all at once.
func TestValidateRefusesOptionsThatNoDocumentHolds(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name string
		edit func(*job.Job)
		word string
	}{
		{"coalesce", func(j *job.Job) { j.Coalesce = "last" }, `coalesce: "last" is not one of ["latest" "earliest" "all"]`},
		{"overlap", func(j *job.Job) { j.Overlap = "?!" }, `overlap: "?!" is not one of ["skip" "queue" "replace"]`},
		{"on_lost", func(j *job.Job) { j.OnLost = "Rerun" }, `on_lost: "Rerun" is not one of ["rerun" "drop"]`},
		{"timeout", func(j *job.Job) { j.Timeout = -1 }, "timeout: -1ns must not be negative"},
		{"initial", func(j *job.Job) { j.Retry.Backoff.Initial = -1 }, "retry.backoff.initial: "},
		{"max", func(j *job.Job) { j.Retry.Backoff.Max = -1 }, "retry.backoff.max: "},
		{"factor", func(j *job.Job) { j.Retry.Backoff.Factor = nan }, "retry.backoff.factor: "},
		{"jitter", func(j *job.Job) { j.Retry.Backoff.Jitter = &nan }, "retry.backoff.jitter: "},
		{"grace", func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Microsecond) }, "misfire_grace_time: 1µs"},
	}
	all := job.Job{Task: "t", Trigger: json.RawMessage("{}")}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := job.Job{Task: "t", Trigger: json.RawMessage("{}")}
			if err := j.Validate(); err != nil {
				t.Fatal(err)
			}
			test.edit(&j)
			err := j.Validate()
			if !errors.Is(err, job.ErrInvalid) || strings.Count(err.Error(), test.word) != 1 {
				t.Errorf("error is %v, want one %q", err, test.word)
			}
		})
		test.edit(&all)
	}
	err := all.Validate()
	for _, test := range tests {
		if !strings.Contains(err.Error(), test.word) {
			t.Errorf("%q is missing in %v", test.word, err)
		}
	}
}
