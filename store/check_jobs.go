package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// together reads at one moment; what the commands answer is asked of them one by one, since one
// that is refused does not concern the others.
func (c *checker) together(ctx context.Context, queue func(redis.Pipeliner)) error {
	_, err := c.reader.TxPipelined(ctx, func(p redis.Pipeliner) error {
		queue(p)
		return nil
	})
	var refused redis.Error
	if err == nil || errors.As(err, &refused) {
		return nil
	}
	return err
}

func (c *checker) probeJobs(ctx context.Context, ids []string) ([]Finding, error) {
	var values, names *redis.SliceCmd
	var scores []*redis.FloatCmd
	err := c.together(ctx, func(p redis.Pipeliner) {
		values, names = p.HMGet(ctx, c.keys.jobs(), ids...), p.HMGet(ctx, c.keys.calendarJobs(), ids...)
		for _, id := range ids {
			scores = append(scores, p.ZScore(ctx, c.keys.runTimes(), id))
		}
	})
	if err = errors.Join(err, values.Err(), names.Err()); err != nil {
		return nil, err
	}
	now, err := c.Now(ctx, c.partition)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, v := range values.Val() {
		if v != nil {
			found = append(found, c.judgeJob(ids[i], text(v), scores[i].Err() == nil)...)
			found = append(found, c.judgeReferences(ids[i], text(v), text(names.Val()[i]))...)
			found = append(found, c.judgeAhead(ids[i], text(v), now)...)
		}
	}
	return found, nil
}

// judgeReferences compares what calendar_jobs has of a job with its trigger.
func (c *checker) judgeReferences(id, value, names string) []Finding {
	e, err := decodeEntry(id, value)
	if err != nil {
		return nil // told of as a job
	}
	if refers := calendarsOf(e.Job.Trigger); names != refers {
		return []Finding{c.finding(JobCalendars, c.keys.calendarJobs(), id,
			fmt.Sprintf("the job refers to the calendars %q, counted are %q: it may keep its times when they change", refers, names),
			"remove the job and add it again")}
	}
	return nil
}

// probeReferences tells of references of jobs that are not there.
func (c *checker) probeReferences(ctx context.Context, ids []string) ([]Finding, error) {
	var jobs, names []*redis.BoolCmd
	err := c.together(ctx, func(p redis.Pipeliner) {
		for _, id := range ids {
			jobs = append(jobs, p.HExists(ctx, c.keys.jobs(), id))
			names = append(names, p.HExists(ctx, c.keys.calendarJobs(), id))
		}
	})
	var found []Finding
	for i, id := range ids {
		if err == nil && names[i].Val() && jobs[i].Err() == nil && !jobs[i].Val() {
			found = append(found, c.finding(JobCalendars, c.keys.calendarJobs(), id, "a job that is not there is counted: its calendars cannot be removed",
				"add a job with this id and remove it"))
		}
	}
	return found, err
}

func (c *checker) judgeJob(id, value string, timed bool) []Finding {
	e, err := decodeEntry(id, value)
	switch {
	case errors.Is(err, ErrNewerFormat):
		return nil // a newer program can read it
	case err != nil:
		return []Finding{c.finding(UnreadableJob, c.keys.jobs(), id, err.Error(),
			"read it with "+redisCommand("HGET", c.keys.jobs(), id)+", then remove the job and add it again")}
	case e.State == Active && !timed:
		return []Finding{c.finding(JobWithoutTime, c.keys.runTimes(), id, "the job is active and has no next run time: it never fires",
			"give it that again: carillon job resume ID")}
	case e.State != Active && timed:
		return []Finding{c.finding(StoppedJobWithTime, c.keys.runTimes(), id, "the job is paused or parked and has a next run time",
			redisCommand("ZREM", c.keys.runTimes(), id))}
	}
	return nil
}

func (c *checker) probeTimes(ctx context.Context, ids []string) ([]Finding, error) {
	return c.pairs(ctx, ids, c.keys.runTimes(), c.keys.jobs(), func(id string) Finding {
		return c.finding(TimeWithoutJob, c.keys.runTimes(), id, "a next run time of a job that is not there",
			"the leader drops it when it is due; or "+redisCommand("ZREM", c.keys.runTimes(), id))
	})
}

func (c *checker) probeLeases(ctx context.Context, ids []string) ([]Finding, error) {
	return c.pairs(ctx, ids, c.keys.leases(), c.keys.running(), func(id string) Finding {
		return c.finding(LeaseWithoutRun, c.keys.leases(), id, "a lease of a run that nobody has",
			"the leader drops it when it ends; or "+redisCommand("ZREM", c.keys.leases(), id))
	})
}

// pairs tells of members of a sorted set that the hash beside it does not have.
func (c *checker) pairs(ctx context.Context, ids []string, zset, hash string, tell func(id string) Finding) ([]Finding, error) {
	scores, there, err := c.present(ctx, ids, zset, hash)
	var found []Finding
	for i, id := range ids {
		if err == nil && scores[i].Err() == nil && !there[i].Val() {
			found = append(found, tell(id))
		}
	}
	return found, err
}

// present asks for ids in a sorted set and in a hash.
func (c *checker) present(ctx context.Context, ids []string, zset, hash string) (scores []*redis.FloatCmd, there []*redis.BoolCmd, err error) {
	err = c.together(ctx, func(p redis.Pipeliner) {
		for _, id := range ids {
			scores = append(scores, p.ZScore(ctx, zset, id))
			there = append(there, p.HExists(ctx, hash, id))
		}
	})
	return scores, there, err
}

func (c *checker) probeRunning(ctx context.Context, ids []string) ([]Finding, error) {
	var values *redis.SliceCmd
	var leases []*redis.FloatCmd
	err := c.together(ctx, func(p redis.Pipeliner) {
		values = p.HMGet(ctx, c.keys.running(), ids...)
		for _, id := range ids {
			leases = append(leases, p.ZScore(ctx, c.keys.leases(), id))
		}
	})
	if err = errors.Join(err, values.Err()); err != nil {
		return nil, err
	}
	var found []Finding
	for i, v := range values.Val() {
		if v == nil {
			continue
		}
		_, err := decodeRunning(text(v))
		if err != nil && !errors.Is(err, ErrNewerFormat) {
			found = append(found, c.finding(UnreadableRun, c.keys.running(), ids[i], err.Error(),
				"when no node runs it: "+redisCommand("HDEL", c.keys.running(), ids[i])))
		}
		if leases[i].Err() != nil {
			found = append(found, c.finding(RunWithoutLease, c.keys.leases(), ids[i], "a run that a node has, without a lease: if the node dies nobody recovers it",
				"let the leader recover it: "+redisCommand("ZADD", c.keys.leases(), "0", ids[i])))
		}
	}
	return found, nil
}

// probeSlots compares counters with running, both at one moment. What is too busy for that is left out.
func (c *checker) probeSlots(ctx context.Context, slots []string) ([]Finding, error) {
	var found []Finding
	err := c.eachGroup(ctx, c.keys, slots, func(keys, slots []string, args []any) error {
		reply, err := c.run(ctx, tallyScript, append([]string{c.keys.events(), c.keys.running()}, keys...), args...)
		t := tags(reply)
		if err != nil || len(t) == 1 && t[0] == "BUSY" {
			return err
		}
		if len(t) != 1+2*len(slots) {
			return unexpected(len(t), 1+2*len(slots))
		}
		for i, slot := range slots {
			if counter, runs := t[1+2*i], t[2+2*i]; counter != runs {
				found = append(found, c.finding(SlotCounter, c.keys.slot(slot), slot, "the counter says "+counter+", runs that hold the slot: "+runs,
					"the leader's audit mends it within a minute; please report it, and see why no leader is in office if it stays"))
			}
		}
		return nil
	})
	return found, err
}

func unexpected(got, want int) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("unexpected answer of %d parts, want %d", got, want)
}

func (c *checker) probeDelayed(ctx context.Context, ids []string) ([]Finding, error) {
	found, err := c.pairs(ctx, ids, c.keys.delayed(), c.keys.delayedRuns(), func(id string) Finding {
		return c.finding(PlaceWithoutRun, c.keys.delayed(), id, "a delayed run without its message", redisCommand("ZREM", c.keys.delayed(), id))
	})
	if err != nil {
		return nil, err
	}
	scores, there, err := c.present(ctx, ids, c.keys.delayed(), c.keys.running())
	for i, id := range ids {
		if err == nil && scores[i].Err() == nil && there[i].Val() {
			found = append(found, c.finding(RunInTwoPlaces, c.keys.delayed(), id, "a run that a node has is delayed too", redisCommand("ZREM", c.keys.delayed(), id)))
		}
	}
	return found, err
}

func (c *checker) probeDelayedRuns(ctx context.Context, ids []string) ([]Finding, error) {
	scores, there, err := c.present(ctx, ids, c.keys.delayed(), c.keys.delayedRuns())
	var found []Finding
	for i, id := range ids {
		if err == nil && there[i].Val() && scores[i].Err() != nil {
			found = append(found, c.finding(RunWithoutPlace, c.keys.delayed(), id, "the message of a delayed run that is due never",
				"let it run now: "+redisCommand("ZADD", c.keys.delayed(), "0", id)))
		}
	}
	return found, err
}

// probeLines compares each line with its messages and with the index of lines.
func (c *checker) probeLines(ctx context.Context, slots []string) ([]Finding, error) {
	var indexed []*redis.BoolCmd
	var lines []*redis.StringSliceCmd
	var bodies []*redis.StringSliceCmd
	err := c.together(ctx, func(p redis.Pipeliner) {
		for _, slot := range slots {
			indexed = append(indexed, p.SIsMember(ctx, c.keys.waitingIndex(), slot))
			lines = append(lines, p.ZRange(ctx, c.keys.waiting(slot), 0, -1))
			bodies = append(bodies, p.HKeys(ctx, c.keys.waitingRuns(slot)))
		}
	})
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, slot := range slots {
		line, runs := lines[i].Val(), bodies[i].Val()
		if len(line) > 0 && !indexed[i].Val() {
			found = append(found, c.finding(LineNotIndexed, c.keys.waitingIndex(), slot, strconv.Itoa(len(line))+" in line, and the leader does not know of the line",
				redisCommand("SADD", c.keys.waitingIndex(), slot)))
		}
		if ids := missing(line, runs); len(ids) > 0 {
			found = append(found, c.finding(PlaceWithoutRun, c.keys.waiting(slot), slot,
				fmt.Sprintf("%d in line without their messages, the first is %s: the line stands still", len(ids), ids[0]),
				redisCommand(append([]string{"ZREM", c.keys.waiting(slot)}, ids[:min(len(ids), 10)]...)...)))
		}
		if ids := missing(runs, line); len(ids) > 0 {
			found = append(found, c.finding(RunWithoutPlace, c.keys.waitingRuns(slot), slot,
				fmt.Sprintf("%d messages of a line that they are not in, the first is of run %s", len(ids), ids[0]),
				"put it in line: "+redisCommand("ZADD", c.keys.waiting(slot), "0", ids[0])+" && "+redisCommand("SADD", c.keys.waitingIndex(), slot)))
		}
	}
	return found, nil
}

// missing returns what of all is not in there.
func missing(all, there []string) []string {
	have := make(map[string]bool, len(there))
	for _, one := range there {
		have[one] = true
	}
	var not []string
	for _, one := range all {
		if !have[one] {
			not = append(not, one)
		}
	}
	return not
}
