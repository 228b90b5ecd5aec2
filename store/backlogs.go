package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Backlog is a job of which more due times line up than one message holds: what its next message waits for.
// dispatch writes it, so that the next leader goes on where this one ended.
type Backlog struct {
	JobID string
	UID   string // of the incarnation of the job
	Run   string // the last run of its last message
	value string
}

// Backlogs returns the backlogs of a partition. Those that cannot be read are left out.
func (s *Store) Backlogs(ctx context.Context, partition int) ([]Backlog, error) {
	values, err := s.reader.HGetAll(ctx, s.partitions[partition].backlogs()).Result()
	if err != nil {
		return nil, s.explain("backlogs", err)
	}
	all := make([]Backlog, 0, len(values))
	for id, value := range values {
		if f := strings.Split(value, "\t"); len(f) >= 2 && f[0] != "" && f[1] != "" { // a later version may add to it
			all = append(all, Backlog{JobID: id, UID: f[0], Run: f[1], value: value})
		}
	}
	return all, nil
}

// ForgetBacklogs forgets backlogs that are still as they were read.
func (s *Store) ForgetBacklogs(ctx context.Context, partition int, o Office, backlogs []Backlog) error {
	k := s.partitions[partition]
	for some := range slices.Chunk(backlogs, 500) {
		var args []any
		for _, b := range some {
			args = append(args, b.JobID, b.value)
		}
		if _, err := s.office(ctx, backlogsScript, o, []string{k.events(), k.jobs(), k.fence(), k.backlogs()}, args...); err != nil {
			return err
		}
	}
	return nil
}

// backlogText tells dispatch what to do about the backlog of a job: nothing, forget it, or keep it.
func (o *oddJobs) backlogText(k keys, d *Dispatch) string {
	if d.Backlog == "" && !d.BacklogEnds {
		return ""
	}
	text := ""
	if d.Backlog != "" {
		text = d.Old.UID + "\t" + d.Backlog
	}
	return strconv.Itoa(o.at(k.backlogs())) + " " + text
}
