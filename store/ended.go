package store

import (
	"context"
	"strings"

	"github.com/carillon-project/carillon/job"
)

// Ended returns the history row of a run that has ended, and its job. jobID says whose history to
// look in; when it is empty, the event log, the dead list and the histories of ad-hoc tasks are
// asked, so that a run of a job whose events have gone is not found. ErrRunNotFound then.
func (s *Store) Ended(ctx context.Context, runID, jobID string) (job.Row, string, error) {
	jobs := []string{jobID}
	if jobID == "" {
		var err error
		if jobs, err = s.likelyJobs(ctx, runID); err != nil {
			return job.Row{}, "", err
		}
	}
	for _, id := range jobs {
		row, ok, err := s.rowOf(ctx, id, runID)
		if ok || err != nil {
			return row, id, err
		}
	}
	return job.Row{}, "", runNotFound(runID, "it is not in the histories that were searched; name its job if you know it")
}

// likelyJobs are the jobs in whose histories a run may stand, the likeliest first.
func (s *Store) likelyJobs(ctx context.Context, runID string) ([]string, error) {
	var jobs []string
	if id, err := s.jobInEvents(ctx, runID); err != nil || id != "" {
		return append(jobs, id), err
	}
	if d, err := s.FindDead(ctx, runID); err == nil {
		return append(jobs, d.JobID), nil
	}
	reg, err := s.Registry(ctx)
	for _, task := range reg.Tasks {
		jobs = append(jobs, "@"+task)
	}
	return jobs, err
}

// jobInEvents is the job that the event log names with the run, "" when it names none.
func (s *Store) jobInEvents(ctx context.Context, runID string) (string, error) {
	for _, k := range s.partitions {
		till := "+"
		for {
			entries, err := s.reader.XRevRangeN(ctx, k.events(), till, "-", eventsPage).Result()
			if err != nil {
				return "", s.explain("events", err)
			}
			if len(entries) == 0 {
				break
			}
			for _, entry := range entries {
				if !strings.Contains(text(entry.Values["e"]), runID) {
					continue
				}
				for _, e := range s.decodeEntryEvents(entry) {
					if e.RunID == runID {
						return e.JobID, nil
					}
				}
			}
			till = "(" + entries[len(entries)-1].ID
		}
	}
	return "", nil
}

func (s *Store) rowOf(ctx context.Context, jobID, runID string) (job.Row, bool, error) {
	where := []keys{s.partitions[s.PartitionOf(jobID)]}
	if strings.HasPrefix(jobID, "@") {
		where = s.partitions
	}
	for _, k := range where {
		lines, err := s.rows(ctx, k, jobID, 0)
		if err != nil {
			return job.Row{}, false, err
		}
		for _, line := range lines {
			if !strings.Contains(line, runID) {
				continue
			}
			if r, err := decodeRow(line); err == nil && r.RunID == runID {
				return r, true, nil
			}
		}
	}
	return job.Row{}, false, nil
}
