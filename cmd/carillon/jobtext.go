package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// nextRun is when a job that was just stored runs next, in words.
func nextRun(j job.Job) string {
	if at, ok := j.NextRunTime.Time(); ok {
		return job.FormatTime(at)
	}
	return "none (paused)"
}

// nextRunOf is when a job runs next, or why it does not.
func nextRunOf(s carillon.Standing) string {
	if at, ok := s.Job.NextRunTime.Time(); ok {
		return job.FormatTime(at)
	}
	if s.State == carillon.JobIsActive {
		return "none (never fires)"
	}
	return "none (" + string(s.State) + ")"
}

func writeJob(w io.Writer, s carillon.Standing) {
	j := s.Job
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-20s%s\n", name, text)
		}
	}
	field("id", j.ID)
	field("name", j.Name)
	field("description", j.Description)
	field("task", j.Task)
	field("args", string(j.Args))
	field("trigger", string(j.Trigger))
	field("next run", nextRunOf(s))
	if s.State != carillon.JobIsActive || s.Reason != "" {
		field("state", string(s.State))
		field("because", s.Reason)
	}
	field("executor", j.Executor)
	field("store", j.Store)
	field("coalesce", string(j.Coalesce))
	grace := "none"
	if j.MisfireGraceTime != job.GraceNone {
		grace = time.Duration(j.MisfireGraceTime).String()
	}
	field("misfire grace time", grace)
	field("max instances", fmt.Sprint(j.MaxInstances))
	field("overlap", string(j.Overlap))
	field("on lost", string(j.OnLost))
	field("attempts", fmt.Sprint(j.Retry.MaxAttempts))
	if j.Timeout > 0 {
		field("timeout", time.Duration(j.Timeout).String())
	}
	field("key", j.Key)
	for _, k := range slices.Sorted(maps.Keys(j.Labels)) {
		field("label", k+"="+j.Labels[k])
	}
}

// writeJobs writes a line per job, and under one that is paused or parked with a reason another.
func writeJobs(w io.Writer, jobs []carillon.Standing) {
	if len(jobs) == 0 {
		fmt.Fprintln(w, "no jobs")
		return
	}
	rows := make([][]string, 0, len(jobs))
	for _, s := range jobs {
		next := string(s.State)
		if s.State == carillon.JobIsActive {
			next = "none"
		}
		if at, ok := s.Job.NextRunTime.Time(); ok {
			next = job.FormatTime(at)
		}
		rows = append(rows, []string{s.Job.ID, s.Job.Task, next, describeTrigger(s.Job.Trigger)})
		if s.Reason != "" {
			rows = append(rows, []string{"  because " + s.Reason})
		}
	}
	writeTable(w, []string{"ID", "TASK", "NEXT RUN", "TRIGGER"}, []int{20, 10, 24, columns}, rows)
}

func writeHistory(w io.Writer, rows []job.Row) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "nothing yet")
		return
	}
	table := make([][]string, len(rows))
	for i, r := range rows {
		what, detail := "run "+r.RunID, r.Error
		if r.RunID == "" {
			what = fmt.Sprintf("%d until %s", r.Count, moment(r.Until))
		}
		if detail == "" {
			detail = r.CauseText()
		}
		if r.Attempt > 1 {
			detail = fmt.Sprintf("attempt %d %s", r.Attempt, detail)
		}
		text := what + " " + detail
		if r.RunID != "" && detail != "" {
			text = detail + "; " + what // a run id leaves no room behind it
		}
		table[i] = []string{moment(r.ScheduledTime), string(r.Outcome), r.Node, text}
	}
	writeTable(w, []string{"SCHEDULED", "OUTCOME", "NODE", "WHAT"}, []int{24, 13, 12, columns}, table)
}

// moment is a time for people, "-" when there is none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return job.FormatTime(t)
}

// describeTrigger says in a few words when a job runs.
func describeTrigger(doc json.RawMessage) string {
	var d struct {
		Type    string          `json:"type"`
		Every   string          `json:"every"`
		Expr    string          `json:"expr"`
		RunDate string          `json:"run_date"`
		Fields  json.RawMessage `json:"fields"`
		Zone    string          `json:"timezone"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return string(doc)
	}
	text := d.Type
	switch {
	case d.Every != "":
		return "every " + d.Every
	case d.Expr != "":
		text = "cron " + d.Expr
	case d.Fields != nil:
		text = "cron " + string(d.Fields)
	case d.RunDate != "":
		text = "at " + d.RunDate
	}
	if d.Zone != "" && d.Zone != "UTC" {
		text += " " + d.Zone
	}
	return text
}
