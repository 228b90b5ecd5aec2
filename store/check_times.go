package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/trigger"
)

// The faults of next times.
const (
	WrongNextTime  Fault = "wrong_next_time"  // its trigger does not give it, or gives an earlier one
	OtherZoneRules Fault = "other_zone_rules" // next times were not looked at: this program has other zone rules
)

// timesCheck is what the next times of a partition are judged by.
type timesCheck struct {
	now       int64
	calendars Calendars
	stale     bool // jobs do not follow the calendars yet
}

// probeNextTimes tells of next times that their triggers do not give. While the leader gives jobs the times of
// other zone rules none is told of.
func (c *checker) probeNextTimes(ctx context.Context, ids []string) ([]Finding, error) {
	rules, err := c.ZoneRules(ctx, c.partition)
	if err != nil {
		return nil, err
	}
	if mine := trigger.ZonesInUse().Version(); rules != "" && rules != mine {
		return []Finding{c.finding(OtherZoneRules, c.keys.meta(), "zones", "the store follows the zone rules "+rules+", this program has "+mine+": next times were not looked at",
			"check with the release of carillon that leads, or give --zoneinfo FILE the file that the nodes have")}, nil
	}
	before, err := c.ZonesBefore(ctx, c.partition)
	if err != nil || before != "" {
		return nil, err
	}
	by := timesCheck{}
	if by.calendars, err = c.Calendars(ctx, c.partition); errors.Is(err, ErrUnreadable) {
		return nil, nil // probeNumbers tells of their version; the times follow once it can be read
	} else if err != nil {
		return nil, err
	}
	var values *redis.SliceCmd
	var scores []*redis.FloatCmd
	var applied *redis.StringCmd
	err = c.together(ctx, func(p redis.Pipeliner) {
		values, applied = p.HMGet(ctx, c.keys.jobs(), ids...), p.HGet(ctx, c.keys.calendars(), "applied")
		for _, id := range ids {
			scores = append(scores, p.ZScore(ctx, c.keys.runTimes(), id))
		}
	})
	if err == nil {
		err = values.Err()
	}
	if err != nil {
		return nil, err
	}
	by.stale = by.calendars.Version != 0 && applied.Val() != fmt.Sprint(by.calendars.Version)
	if by.now, err = c.Now(ctx, c.partition); err != nil {
		return nil, err
	}
	var found []Finding
	for i, v := range values.Val() {
		if v == nil || scores[i].Err() != nil {
			continue
		}
		e, err := decodeEntry(ids[i], text(v))
		if err != nil || e.State != Active {
			continue // told of as a job
		}
		e.RunTime = int64(scores[i].Val())
		if detail := by.wrong(e); detail != "" {
			found = append(found, c.finding(WrongNextTime, c.keys.runTimes(), ids[i], detail,
				"give it the next one of its trigger: carillon job pause ID, then carillon job resume ID"))
		}
	}
	return found, nil
}

// wrong says what is wrong with the next time of an active job, "" for nothing. Legitimate are a time of the
// trigger without an earlier one that is still to come; one that has passed and waits to be dispatched; one that
// next_run_time asked for; and each with jitter. What the trigger or its calendars cannot tell is not judged.
func (by timesCheck) wrong(e Entry) string {
	refers := calendarsOf(e.Job.Trigger) != ""
	resolved, err := trigger.Resolve(e.Job.Trigger, time.UnixMilli(by.now))
	if err != nil || !bytes.Equal(resolved, e.Job.Trigger) || refers && by.stale {
		return ""
	}
	t, err := trigger.ParseWith(e.Job.Trigger, by.calendars.Find)
	if err != nil {
		return ""
	}
	at := func(ms int64) string { return job.FormatTime(time.UnixMilli(ms)) }
	latest := e.Next + trigger.Jitter(t).Milliseconds()
	switch {
	case e.RunTime > latest:
		return fmt.Sprintf("it runs at %s, its next time is %s: it is late by then", at(e.RunTime), at(e.Next))
	case e.Next == e.Asked:
		return ""
	}
	if next := ceilMilli(t.Next(time.UnixMilli(e.Next - 1))); next != e.Next {
		return fmt.Sprintf("its next time %s is none of its trigger, which gives %s", at(e.Next), timeText(next))
	}
	if e.Next <= by.now {
		return ""
	}
	if next := ceilMilli(t.Next(time.UnixMilli(max(e.Last, by.now)))); next != 0 && next < e.Next {
		return fmt.Sprintf("its next time is %s, and its trigger gives %s before that", at(e.Next), at(next))
	}
	return ""
}

func timeText(ms int64) string {
	if ms == 0 {
		return "none after it"
	}
	return job.FormatTime(time.UnixMilli(ms))
}

// ceilMilli is t in Unix ms, rounded up; 0 for the zero time.
func ceilMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}
