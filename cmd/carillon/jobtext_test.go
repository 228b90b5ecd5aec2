package main

import (
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
)

// Within 80 columns there is room for a run id or for what went wrong; the latter is what people ask for.
func TestHistoryShowsWhatWentWrong(t *testing.T) {
	var b strings.Builder
	writeHistory(&b, []job.Row{{RunID: "3eb6d57d-308c-541a-979f-e7c9541f0000", Outcome: job.Failed, Attempt: 2, Node: "node-1", Error: "disk full"}})
	if !strings.Contains(b.String(), "attempt 2 disk full; run") {
		t.Errorf("history is\n%s", b.String())
	}
}

func TestHistoryReadsLengthsOfTime(t *testing.T) {
	var b strings.Builder
	writeHistory(&b, []job.Row{{Count: 3, Outcome: job.Missed, Cause: "late by 1800000 ms, grace is 300000 ms"}})
	if !strings.Contains(b.String(), "late by 30m0s, grace is 5m0s") {
		t.Errorf("history is\n%s", b.String())
	}
}
