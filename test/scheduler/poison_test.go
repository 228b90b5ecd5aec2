package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/store"
)

// plantJobs stores what is no job of this version under many ids, due at given scores.
func (s *stand) plantJobs(value string, n int, score func(i int) float64) {
	s.Helper()
	pipe := s.raw.Pipeline()
	for i := range n {
		id := fmt.Sprintf("bad-%05d", i)
		pipe.HSet(s.Context(), s.key(0, "jobs"), id, value)
		pipe.ZAdd(s.Context(), s.key(0, "run_times"), redis.Z{Score: score(i), Member: id})
	}
	if _, err := pipe.Exec(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// Jobs of a newer format that are due hide nothing that is due behind them, however many there are and whether or
// not they share one instant; they stay as they are.
func TestNewerJobsHideNothing(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]float64{"at one instant": 0, "one after another": 0.25} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 1)
			const newer = 17_000
			now := s.now()
			s.plantJobs("2 of tomorrow", newer, func(i int) float64 { return float64(now-60_000) + step*float64(i) })
			s.add("behind", now-1000, hour, once)
			s.lead(1)
			if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "behind" {
				t.Errorf("dispatched %s", m.JobID)
			}
			s.add("later", s.now()+300, hour, once)
			if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "later" {
				t.Errorf("dispatched %s", m.JobID)
			}
			if n := s.raw.ZCard(t.Context(), s.key(0, "run_times")).Val(); n != newer {
				t.Errorf("%d of %d are in the schedule", n, newer)
			}
		})
	}
}

// A score that is no time, a version, a sequence and a counter that cannot be read cost the leader neither its
// office nor anything beside them.
func TestOddNumbersStopNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	ctx := t.Context()
	for i, score := range []string{"-inf", "-1e300", "0.5", "inf", "1e300"} {
		for _, key := range []string{"run_times", "delayed", "leases"} {
			if err := s.raw.Do(ctx, "ZADD", s.key(0, key), score, fmt.Sprint("odd-", i)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.raw.HSet(ctx, s.key(0, "calendars"), "version", "garbage", "applied", "9e300")
	s.raw.HSet(ctx, s.key(0, "fence"), "seq", "garbage")
	e := s.add("odd", s.now()-1000, hour, once)
	s.raw.Do(ctx, "ZADD", s.key(0, "run_times"), "-inf", "odd")
	s.lead(1)
	if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "odd" || m.Runs[0].Scheduled != e.Next {
		t.Errorf("dispatched %s at %d, want odd at %d", m.JobID, m.Runs[0].Scheduled, e.Next)
	}
	s.eventually("the scores of no job are out of the schedule", func() bool {
		return s.raw.ZCount(ctx, s.key(0, "run_times"), "-inf", "1").Val() == 0
	})
	s.eventually("the calendars can be read again", func() bool {
		c, err := s.Calendars(ctx, 0)
		return err == nil && c.Version > 0
	})
	if d, err := s.Due(ctx, 0, 10); err != nil || d.Sequence == 0 {
		t.Errorf("due says %+v, error %v", d, err)
	}
}

// Jobs of a newer format that refer to calendars keep a change of these from counting as followed; the others
// follow it.
func TestNewerJobsKeepCalendarsUnfollowed(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	first := s.now() + hour
	s.shut("closed")
	for i := range 3 {
		s.add(fmt.Sprint("job", i), first, hour, s.by("closed"))
	}
	if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), "newer", "2 of tomorrow").Err(); err != nil {
		t.Fatal(err)
	}
	s.raw.HSet(t.Context(), s.key(0, "calendar_jobs"), "newer", "closed")
	s.lead(1)
	s.shut("closed", first)
	s.eventually("the others follow", func() bool {
		for _, at := range s.nextTimes() {
			if at != first+hour {
				return false
			}
		}
		return true
	})
	if s.followed() {
		t.Error("the change counts as followed, though a job of a newer format was left out")
	}
	s.raw.HDel(t.Context(), s.key(0, "calendar_jobs"), "newer")
	s.shut("closed", first, first+hour)
	s.eventually("a later change is followed by all", s.followed)
}

// More leases than a page of what no node can read, and of a newer format, keep no run from being recovered.
func TestUnreadableLeasesStarveNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	ctx := t.Context()
	s.add("good", s.now(), hour, once)
	stop := s.lead(1)
	m := s.fetch(0, "n/1", 1)[0]
	s.start("n/1", m, lease)
	_ = stop()
	pipe := s.raw.Pipeline()
	for i := range 300 {
		value := []string{"garbage", "n/b/o\t1\t1\t\tdefault\t0\n2\tof tomorrow"}[i%2]
		pipe.HSet(ctx, s.key(0, "running"), fmt.Sprint("bad-", i), value)
		pipe.ZAdd(ctx, s.key(0, "leases"), redis.Z{Score: float64(i + 1), Member: fmt.Sprint("bad-", i)})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	s.lead(2)
	s.eventually("the run is sent again", func() bool {
		got, err := s.Fetch(ctx, 0, "default", "n/2", 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got {
			if again, err := store.DecodeMessage(f.Bodies[0]); err == nil && again.Runs[0].ID == m.Runs[0].ID && again.Attempt == 2 {
				return true
			}
		}
		return false
	})
	if n := s.raw.HLen(ctx, s.key(0, "running")).Val(); n != 150 {
		t.Errorf("%d are in running, want those of a newer format", n)
	}
}
