package carillon

import (
	"bytes"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// carriedOn is a stored job as a document that goes on where it is, wherever it is added.
func carriedOn(e store.Entry) Job {
	j := e.Job
	j.NextRunTime = job.NextRun{}
	if !anchored(e.Given) {
		j.Trigger = e.Given
	}
	if j.MaxRuns > 0 {
		j.MaxRuns = max(1, j.MaxRuns-int(e.Runs))
	}
	switch {
	case e.State != store.Active:
		j.NextRunTime = job.Paused()
	case e.Next != 0 && !ofTrigger(e):
		j.NextRunTime = job.At(time.UnixMilli(e.Next).UTC())
	}
	return j
}

// anchored reports whether the moment of adding decides when a trigger fires: it is an interval or a
// rule without a start, or has one among its members.
func anchored(given []byte) bool {
	moment := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	one, err := trigger.Resolve(given, moment)
	if err != nil {
		return false
	}
	other, err := trigger.Resolve(given, moment.Add(time.Hour))
	return err == nil && !bytes.Equal(one, other)
}

// ofTrigger reports whether the next time is one of the trigger's, and not one that was asked for.
func ofTrigger(e store.Entry) bool {
	t, err := trigger.Parse(e.Job.Trigger)
	if err != nil { // it refers to calendars, which its store has
		return e.Next != e.Asked
	}
	return ceilMillis(t.Next(time.UnixMilli(e.Next-1))) == e.Next
}
