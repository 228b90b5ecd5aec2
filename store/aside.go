package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/carillon-project/carillon/job"
)

// unreadableMark begins an entry of dead whose message could not be read: the reason follows on the
// same line, then the message byte for byte.
const unreadableMark = "X\t"

// SetAside moves the messages of a fetched entry that no node can read to the dead list, each with
// the reason, and puts the others of the entry back. Their runs, as far as they can be told, end
// with the outcome error. An entry that is not in the consumer's own pending list is left alone, and
// so is one in which every message can be read here or by a newer node.
func (s *Store) SetAside(ctx context.Context, c Consumer, e Fetched) error {
	k := s.partitions[c.Partition]
	keys := []string{k.events(), k.jobs(), k.stream(c.Executor), k.dead()}
	args := append(s.env(), group, c.Name, e.ID)
	var back []any
	for _, body := range e.Bodies {
		_, err := DecodeMessage(body)
		if err == nil || errors.Is(err, ErrNewerFormat) {
			back = append(back, body)
			continue
		}
		jobID, runs := traces(body)
		reason := clean(err.Error())
		keys = append(keys, k.history(jobID))
		args = append(args, unreadableMark+reason+"\n"+body, jobID, runs, reason)
	}
	if len(back) == len(e.Bodies) {
		return nil
	}
	_, err := s.run(ctx, setAsideScript, keys, append(args, back...)...)
	return err
}

// traces are the job and the line of runs of a message that cannot be read, each empty when it
// cannot be told.
func traces(body string) (jobID, runs string) {
	const jobField = 6
	head, rest, _ := strings.Cut(body, "\n")
	if f := strings.Split(head, "\t"); len(f) > jobField && job.ValidID("job", strings.TrimPrefix(f[jobField], "@")) == nil {
		jobID = f[jobField]
	}
	line, _, _ := strings.Cut(rest, "\n")
	n := numbers{}
	if known := decodeRuns(line, &n); n.err == nil && len(known) > 0 && clean(line) == line {
		runs = line
	}
	return jobID, runs
}

// decodeDead reads an entry of the dead list.
func decodeDead(partition int, stored string) (Dead, error) {
	d := Dead{Partition: partition, body: stored}
	marked, ok := strings.CutPrefix(stored, unreadableMark)
	if !ok {
		m, err := DecodeMessage(stored)
		d.Message = m
		return d, err
	}
	reason, body, ok := strings.Cut(marked, "\n")
	if !ok {
		return d, fmt.Errorf("store: dead run: %w: no message", ErrUnreadable)
	}
	jobID, line := traces(body)
	d.Unreadable = reason
	d.JobID, d.Attempt, d.Runs = jobID, 1, decodeRuns(line, &numbers{})
	if len(d.Runs) == 0 {
		d.Runs = []MessageRun{{}}
	}
	return d, nil
}
