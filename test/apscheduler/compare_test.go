package apscheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// account is what became of due times, as "job@15:04" by what it was, and of the jobs after each
// step, as their next run times.
type account struct {
	fates map[string][]string // sent, again (another attempt), executed, missed, max_instances, coalesced
	steps []string            // "12 process" and so on
	next  []map[string]string // after each step: "15:04:05", or "none"
	error []bool
}

func newAccount() *account { return &account{fates: map[string][]string{}} }

func (a *account) add(fate, id string, times ...time.Time) {
	for _, t := range times {
		a.fates[fate] = append(a.fates[fate], id+"@"+t.UTC().Format("15:04"))
	}
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format("15:04:05")
}

// theirs is the account of what was observed. What was submitted and then found to be missed was
// not sent, as Carillon counts.
func theirs(s scenario) *account {
	a := newAccount()
	for i, st := range s.Steps {
		for _, e := range st.Events {
			switch e.Event {
			case "EVENT_JOB_SUBMITTED":
				a.add("sent", e.Job, e.Times...)
			case "EVENT_JOB_EXECUTED":
				a.add("executed", e.Job, e.Time)
			case "EVENT_JOB_MISSED":
				a.add("missed", e.Job, e.Time)
			case "EVENT_JOB_MAX_INSTANCES":
				a.add("max_instances", e.Job, e.Times...)
			}
		}
		for _, r := range st.Runs {
			if r.Tag != "" {
				a.fates["args"] = append(a.fates["args"], r.Tag)
			}
		}
		next := map[string]string{}
		for id, at := range st.Jobs {
			t, _ := time.Parse(time.RFC3339Nano, at) // the zero time for ""
			next[id] = clock(t)
		}
		a.steps, a.next = append(a.steps, fmt.Sprintf("%d %s", i+1, st.Op)), append(a.next, next)
		a.error = append(a.error, st.Error != "")
	}
	for _, missed := range a.fates["missed"] {
		if i := slices.Index(a.fates["sent"], missed); i >= 0 {
			a.fates["sent"] = slices.Delete(a.fates["sent"], i, i+1)
		}
	}
	return a
}

// close adds what the kit knows at the end. A stretch of times is taken apart evenly, as the
// triggers of the scenarios are.
func (a *account) close(kit *carillontest.Kit, name func(string) string) {
	for _, s := range kit.Skipped() {
		step := time.Duration(0)
		if s.Count > 1 {
			step = s.Until.Sub(s.ScheduledTime) / time.Duration(s.Count-1)
		}
		for i := range s.Count {
			a.add(string(s.Outcome), name(s.JobID), s.ScheduledTime.Add(time.Duration(i)*step))
		}
	}
	for _, r := range kit.Runs() {
		if r.Attempt > 1 {
			a.add("again", name(r.JobID), r.ScheduledTime)
		}
		if r.Outcome == job.Executed {
			a.add("executed", name(r.JobID), r.ScheduledTime)
		}
		if r.Outcome == job.Executed && string(r.Args) != "null" && len(r.Args) > 0 {
			a.fates["args"] = append(a.fates["args"], strings.Trim(string(r.Args), `"`))
		}
	}
}

// compare returns what differs, one line each.
func compare(theirs, ours *account) []string {
	var lines []string
	for _, fate := range []string{"sent", "again", "executed", "missed", "max_instances", "coalesced", "cancelled", "args"} {
		a, b := slices.Sorted(slices.Values(theirs.fates[fate])), slices.Sorted(slices.Values(ours.fates[fate]))
		if !slices.Equal(a, b) {
			lines = append(lines, fmt.Sprintf("%s: theirs [%s], ours [%s]", fate, strings.Join(a, " "), strings.Join(b, " ")))
		}
	}
	for i, name := range theirs.steps {
		if theirs.error[i] != ours.error[i] {
			lines = append(lines, fmt.Sprintf("step %s: refused: theirs %v, ours %v", name, theirs.error[i], ours.error[i]))
		}
		ids := maps.Clone(theirs.next[i])
		maps.Copy(ids, ours.next[i])
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			a, b := state(theirs.next[i], id), state(ours.next[i], id)
			if a != b {
				lines = append(lines, fmt.Sprintf("step %s: next of %s: theirs %s, ours %s", name, id, a, b))
			}
		}
	}
	return lines
}

func state(next map[string]string, id string) string {
	if at, there := next[id]; there {
		return at
	}
	return "gone"
}
