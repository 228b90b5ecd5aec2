package store

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// A score of run_times that is no time, such as -inf or a fraction, is due at once or never; the job keeps its
// nominal times, so that it harms itself only. These are the first and the last time that a document can show.
const (
	firstMoment = -62_135_596_800_000 // of the year 1
	lastMoment  = 253_402_300_799_999 // of the year 9999
)

// moment is the time in Unix ms that a score stands for.
func moment(score float64) int64 {
	switch {
	case score <= firstMoment:
		return firstMoment
	case score >= lastMoment:
		return lastMoment
	}
	return int64(math.Floor(score))
}

// dueJob is a job with its score as Redis printed it.
func dueJob(id, score string) DueJob {
	n := numbers{}
	if at := n.read(score); n.err == nil && at == moment(float64(at)) {
		return DueJob{ID: id, RunTime: at}
	}
	f, err := strconv.ParseFloat(score, 64)
	if err != nil {
		f = math.Inf(-1)
	}
	return DueJob{ID: id, RunTime: moment(f), Score: score}
}

// jobAt is a member of run_times.
func jobAt(z redis.Z) DueJob {
	at := moment(z.Score)
	if float64(at) == z.Score {
		return DueJob{ID: text(z.Member), RunTime: at}
	}
	return DueJob{ID: text(z.Member), RunTime: at, Score: printed(z.Score)}
}

// printed is a score as Redis prints it.
func printed(score float64) string {
	switch {
	case math.IsInf(score, 1):
		return "inf"
	case math.IsInf(score, -1):
		return "-inf"
	}
	return strconv.FormatFloat(score, 'g', 17, 64)
}

// orWarn reads a number that may be missing; one that cannot be read counts as missing, and is logged once.
func (s *Store) orWarn(key, text string) int64 {
	n := numbers{}
	v := n.orZero(text)
	if n.err != nil {
		s.warnOnce("a number in redis cannot be read, going on without it", key, text, "error", n.err)
		return 0
	}
	return v
}

// NextAfter is the earliest run time after a time, 0 = none.
func (s *Store) NextAfter(ctx context.Context, partition int, now int64) (int64, error) {
	found, err := s.reader.ZRangeByScoreWithScores(ctx, s.partitions[partition].runTimes(), &redis.ZRangeBy{
		Min: fmt.Sprintf("(%d", now), Max: "+inf", Count: 1,
	}).Result()
	if err != nil || len(found) == 0 {
		return 0, s.explain("next run time", err)
	}
	return moment(found[0].Score), nil
}

// MendCalendars gives the calendars of a partition a version that can be read, in place of one that cannot, so that
// every job follows them anew.
func (s *Store) MendCalendars(ctx context.Context, partition int, o Office, broken string) error {
	k := s.partitions[partition]
	_, err := s.office(ctx, mendCalendarsScript, o, []string{k.events(), k.jobs(), k.fence(), k.calendars()}, broken)
	return err
}
