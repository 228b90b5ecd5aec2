package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
)

// FiredAhead is that a job was dispatched while the clock of Redis was ahead: its last time has still to come, and
// the job is silent until then.
const FiredAhead Fault = "fired_ahead"

// aheadSlack is by how much the last time of a job may lie ahead of the clock of Redis, which may be set back a
// little.
const aheadSlack = time.Minute

// Ahead reports whether a job was dispatched while the clock of Redis was ahead of now, Unix ms of Redis: its last
// time lies more than a minute after it.
func (h Header) Ahead(now int64) bool { return h.Last > now+aheadSlack.Milliseconds() }

// CountAhead looks through about limit jobs of a partition from cursor on, which is 0 at the beginning and, in the
// reply, at the end. It returns how many of them are ahead, see Header.Ahead, and the id of one; jobs that cannot be
// read are left out.
func (s *Store) CountAhead(ctx context.Context, partition int, cursor uint64, limit int64) (n int, one string, next uint64, err error) {
	fields, next, err := s.reader.HScan(ctx, s.partitions[partition].jobs(), cursor, "", limit).Result()
	if err != nil {
		return 0, "", 0, s.explain("jobs ahead", err)
	}
	now, err := s.Now(ctx, partition)
	if err != nil {
		return 0, "", 0, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		line, _, _ := strings.Cut(fields[i+1], "\n")
		if h, err := DecodeHeader(line); err == nil && h.Ahead(now) {
			n, one = n+1, fields[i]
		}
	}
	return n, one, next, nil
}

// judgeAhead tells of a job that is silent until the clock of Redis has come to its last time.
func (c *checker) judgeAhead(id, value string, now int64) []Finding {
	line, _, _ := strings.Cut(value, "\n")
	h, err := DecodeHeader(line)
	if err != nil || !h.Ahead(now) {
		return nil // what cannot be read is told of as a job
	}
	last := job.FormatTime(time.UnixMilli(h.Last))
	return []Finding{c.finding(FiredAhead, c.keys.jobs(), id,
		fmt.Sprintf("its last time is %s and the clock of Redis says %s: the clock was ahead when the job was dispatched, and the job is silent until then", last, job.FormatTime(time.UnixMilli(now))),
		"see that the clock of Redis is right, then: carillon job rewind ID, or carillon job rewind --all")}
}
