package carillon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

const (
	// MaxBackfill is how many runs one Backfill makes at most.
	MaxBackfill = 10_000
	// backfillLife is how long a backfill's runs are remembered, so that a repeat makes no second.
	backfillLife = 24 * time.Hour
	// backfillMessages is into how many messages a backfill is divided at most: far fewer than a line
	// for a slot holds, so that none is turned away. The runs of one message run one after another.
	backfillMessages = 100
)

// Backfill runs a job once for each of its due times from from to to, both inclusive (a zero to is now),
// and returns
// the ids of the runs in the order of their times; none when its trigger has no time there (an
// interval has none before its start_date, which is when it was added if none was given). It does
// not look at what ran already.
//
// requestID makes a repeat safe: within 24 hours of the first call, one with the same job and id makes no second run
// of any time, so that it can be called again after an error. Empty means one that is never
// repeated. More due times than limit, or than MaxBackfill, are refused before any is enqueued, as
// is a to that lies ahead; limit 0 means MaxBackfill.
//
// The runs obey max_instances and wait in line for a slot whatever the job's overlap; at most 100
// run at once. They have no misfire grace and do not count for max_runs.
func (c *Client) Backfill(ctx context.Context, jobID string, from, to time.Time, limit int, requestID string, opts ...CallOption) ([]string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	repeatable := requestID != ""
	if !repeatable {
		requestID = uuid.NewString()
	}
	if err := job.ValidID("request id", requestID); err != nil {
		return nil, fmt.Errorf("carillon: backfill job %q: %w", jobID, err)
	}
	e, err := s.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	now, err := s.Now(ctx, s.PartitionOf(jobID))
	if err != nil {
		return nil, err
	}
	if to.IsZero() {
		to = time.UnixMilli(now)
	}
	if to.UnixMilli() > now {
		return nil, fmt.Errorf("carillon: backfill job %q: to: %s lies ahead; a backfill is for times that have passed", jobID, job.FormatTime(to))
	}
	times, err := timesBetween(almanacOf(ctx, s, jobID), e.Job, from, to, limit)
	if err != nil {
		return nil, fmt.Errorf("carillon: backfill job %q: %w", jobID, err)
	}
	request := requestID
	if repeatable {
		if request, err = lifeOfBackfill(ctx, s, e, requestID); err != nil {
			return nil, fmt.Errorf("carillon: backfill job %q: %w", jobID, err)
		}
	}
	runs, ids, err := backfillRuns(s.UID(), e.UID, request, times, now)
	if err != nil {
		return nil, fmt.Errorf("carillon: backfill job %q: %w", jobID, err)
	}
	if err := sendBackfill(ctx, s, e, "backfill "+requestID, runs); err != nil {
		return nil, fmt.Errorf("carillon: backfill job %q: some of %d runs may be enqueued; repeat it with the request id %s: %w", jobID, len(ids), requestID, err)
	}
	return ids, nil
}

// timesBetween are the due times of a job from from to to, at most limit.
func timesBetween(by *almanac, j Job, from, to time.Time, limit int) ([]time.Time, error) {
	if to.Before(from) {
		return nil, fmt.Errorf("to: %s lies before from, %s", job.FormatTime(to), job.FormatTime(from))
	}
	if limit <= 0 || limit > MaxBackfill {
		limit = MaxBackfill
	}
	t, err := by.parse(j.Trigger)
	if err != nil {
		return nil, err
	}
	var times []time.Time
	for at := trigger.First(t, from); !at.IsZero() && !at.After(to); at = t.Next(at) {
		if len(times) == limit {
			return nil, fmt.Errorf("more than %d due times lie between %s and %s; take a shorter range, or several", limit, job.FormatTime(from), job.FormatTime(to))
		}
		times = append(times, at)
	}
	return times, nil
}

// lifeOfBackfill names a request in its present life: within 24 hours of the first call it is the same. A
// later call makes runs with ids of their own, since runs of the first may still wait or run.
func lifeOfBackfill(ctx context.Context, s *store.Store, e store.Entry, requestID string) (string, error) {
	name := "backfill:" + e.UID + "/" + requestID
	token, err := s.Life(ctx, s.PartitionOf(e.Job.ID), name, uuid.NewString(), backfillLife)
	if err != nil && !errors.Is(err, ErrNotReplicated) { // the runs are acknowledged by themselves
		return "", err
	}
	return requestID + "/" + token, nil
}

// backfillRuns names the runs for times. A run's id is the UUIDv5 of the job's uid, its nominal time
// and the request in its present life, in the namespace of the store's uid.
func backfillRuns(storeUID, jobUID, requestID string, times []time.Time, now int64) (runs []store.MessageRun, ids []string, err error) {
	namespace, err := uuid.Parse(storeUID)
	if err != nil {
		return nil, nil, err
	}
	runs, ids = make([]store.MessageRun, len(times)), make([]string, len(times))
	for i, at := range times {
		nominal := ceilMillis(at)
		ids[i] = uuid.NewSHA1(namespace, []byte(jobUID+"/"+strconv.FormatInt(nominal, 10)+"/"+requestID)).String()
		runs[i] = store.MessageRun{ID: ids[i], Scheduled: nominal, Due: now + int64(i)} // in line by their times
	}
	return runs, ids, nil
}

func sendBackfill(ctx context.Context, s *store.Store, e store.Entry, cause string, runs []store.MessageRun) error {
	group := max(1, (len(runs)+backfillMessages-1)/backfillMessages)
	var messages []store.Message
	for some := range slices.Chunk(runs, group) {
		m := e.Message(some...)
		m.Grace, m.Overlap = job.GraceNone, job.OverlapQueue
		messages = append(messages, m)
	}
	for some := range slices.Chunk(messages, max(1, bulk/group)) {
		if err := s.Backfill(ctx, e, cause, backfillLife, some); err != nil {
			return err
		}
	}
	return nil
}
