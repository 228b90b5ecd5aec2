package main

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// applyResult is the answer for one job of an apply.
type applyResult struct {
	ID      string                 `json:"id"`
	Store   string                 `json:"store"`
	Status  string                 `json:"status"`
	Changes []carillon.FieldChange `json:"changes,omitempty"`
	Error   string                 `json:"error,omitempty"`
	Job     *job.Job               `json:"job,omitempty"`
}

// statusOf says what an action makes of a job.
var statusOf = map[carillon.Action]string{
	carillon.ActionAdd: statusAdded, carillon.ActionUpdate: statusUpdated, carillon.ActionRemove: statusRemoved,
	carillon.ActionUnchanged: statusUnchanged, carillon.ActionEnded: statusEnded,
}

// plannedResults are what would become of each job, and the job that would be stored.
func plannedResults(p carillon.Plan) []applyResult {
	results := make([]applyResult, len(p.Changes))
	for i, c := range p.Changes {
		j := c.Job
		results[i] = applyResult{ID: j.ID, Store: j.Store, Status: statusOf[c.Action], Changes: c.Fields, Job: &j}
	}
	return results
}

// appliedResults are what became of each job, and the job as it is stored.
func appliedResults(applied []carillon.Applied) []applyResult {
	results := make([]applyResult, len(applied))
	for i, a := range applied {
		results[i] = applyResult{ID: a.Job.ID, Store: a.Job.Store, Status: statusOf[a.Action], Changes: a.Fields, Job: a.Stored}
		if a.Err != nil {
			results[i].Status, results[i].Error = statusError, a.Err.Error()
		}
	}
	return results
}

// writePlan writes what differs, job by job and field by field, and how much it is.
func writePlan(w io.Writer, p carillon.Plan) {
	line := func(sign string, c carillon.Change, about string) {
		text := sign + " " + c.Job.ID
		if c.Job.Store != job.DefaultName {
			text += " (store " + c.Job.Store + ")"
		}
		if about != "" {
			text += ": " + about
		}
		fmt.Fprintln(w, cut(text, columns))
	}
	for _, c := range p.Changes {
		about := c.Job.Task + ", " + describeTrigger(c.Job.Trigger)
		switch c.Action {
		case carillon.ActionAdd:
			line("+", c, about)
		case carillon.ActionRemove:
			line("-", c, about)
		case carillon.ActionEnded:
			line(".", c, "not added, its trigger has no time left")
		case carillon.ActionUpdate:
			line("~", c, "")
			for _, f := range c.Fields {
				writeField(w, f)
			}
		}
	}
	fmt.Fprintf(w, "%d to add, %d to change, %d to remove, %d unchanged\n", p.Count(carillon.ActionAdd),
		p.Count(carillon.ActionUpdate), p.Count(carillon.ActionRemove), p.Count(carillon.ActionUnchanged))
}

// writeField writes one field, on one line if that is wide enough.
func writeField(w io.Writer, f carillon.FieldChange) {
	before, after := fieldText(f.Old), fieldText(f.New)
	text := fmt.Sprintf("    %s: %s -> %s", f.Field, before, after)
	if utf8.RuneCountInString(text) <= columns {
		fmt.Fprintln(w, cut(text, columns))
		return
	}
	before, after = apart(before, after, columns-len("      - "))
	fmt.Fprintln(w, cut("    "+f.Field+":", columns))
	fmt.Fprintln(w, "      - "+before)
	fmt.Fprintln(w, "      + "+after)
}

func fieldText(value json.RawMessage) string {
	if value == nil {
		return "none"
	}
	return string(value)
}

// apart shortens two texts to a width in which their first difference shows.
func apart(a, b string, width int) (string, string) {
	x, y := []rune(a), []rune(b)
	same := 0
	for same < min(len(x), len(y)) && x[same] == y[same] {
		same++
	}
	if skip := same - width/3; skip > 0 && max(len(x), len(y)) > width {
		x, y = append([]rune("…"), x[skip:]...), append([]rune("…"), y[skip:]...)
	}
	return cut(string(x), width), cut(string(y), width)
}

// writeApplied says what was done, and what could not be.
func writeApplied(w io.Writer, applied []carillon.Applied) {
	counts := map[carillon.Action]int{}
	for _, a := range applied {
		if a.Err != nil {
			fmt.Fprintf(w, "error %s: %s\n", a.Job.ID, a.Err)
			continue
		}
		counts[a.Action]++
	}
	if counts[carillon.ActionAdd]+counts[carillon.ActionUpdate]+counts[carillon.ActionRemove] > 0 {
		fmt.Fprintf(w, "%d added, %d changed, %d removed\n", counts[carillon.ActionAdd], counts[carillon.ActionUpdate], counts[carillon.ActionRemove])
	}
}
