package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

// PauseState says since when and why schedule times of a partition, or an executor in it, are paused. The zero value is
// not paused.
type PauseState struct {
	Since  time.Time // time of Redis
	Reason string    // as it was given, "" for none
}

// PausedSince returns the pause of one partition.
func (s *Store) PausedSince(ctx context.Context, partition int) (PauseState, error) {
	value, err := s.reader.Get(ctx, s.partitions[partition].paused()).Result()
	if errors.Is(err, redis.Nil) {
		return PauseState{}, nil
	}
	if err != nil {
		return PauseState{}, s.explain("pause state", err)
	}
	return s.pauseOf(s.partitions[partition].paused(), value), nil
}

// EventsAbout returns the events that the log of a job's partition keeps of that job, or of no job,
// and whose kind is in mask, oldest first. The latest ScanLimit entries are looked through. Events
// that cannot be read are logged and left out.
func (s *Store) EventsAbout(ctx context.Context, jobID string, mask job.EventMask) ([]job.Event, error) {
	key := s.partitions[s.PartitionOf(jobID)].events()
	var found []job.Event
	till := "+"
	for seen := 0; seen < ScanLimit; {
		entries, err := s.reader.XRevRangeN(ctx, key, till, "-", eventsPage).Result()
		if err != nil {
			return nil, s.explain("events", err)
		}
		if len(entries) == 0 {
			break
		}
		for _, entry := range entries {
			events := s.decodeEntryEvents(entry)
			for _, e := range slices.Backward(events) {
				if mask.Has(e.Kind) && (e.JobID == "" || e.JobID == jobID) {
					found = append(found, e)
				}
			}
		}
		seen += len(entries)
		till = "(" + entries[len(entries)-1].ID
	}
	slices.Reverse(found)
	return found, nil
}
