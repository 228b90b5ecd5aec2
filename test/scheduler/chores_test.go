package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/store"
)

// Removed jobs are forgotten faster than they can be removed, with a backlog and a line beside them, and by
// leaders none of which is long in office.
func TestRemovedJobsAreForgottenAsFastAsTheyAreRemoved(t *testing.T) {
	t.Parallel()
	const uids, messages = 20_000, 20_000
	s := newStand(t, 1)
	ctx := t.Context()
	message := func(i int) string {
		m := store.Message{Attempt: 1, Max: 1, UID: fmt.Sprint("alive-", i), JobID: fmt.Sprint("job-", i), Executor: "default", Slot: "x", Task: "t",
			Runs: []store.MessageRun{{ID: fmt.Sprint("run-", i)}}}
		if i == 0 {
			m.UID = "removed-0"
		}
		return m.Encode()
	}
	_, err := s.raw.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range messages {
			p.XAdd(ctx, &redis.XAddArgs{Stream: s.key(0, "stream:default"), Values: []string{"m", message(i)}})
		}
		for i := range uids {
			p.ZAdd(ctx, s.key(0, "removed"), redis.Z{Score: 1.7e12, Member: fmt.Sprint("removed-", i)})
		}
		p.SAdd(ctx, s.key(0, "waiting"), "x")
		p.ZAdd(ctx, s.key(0, "waiting:x"), redis.Z{Score: 1, Member: "run-1"})
		p.HSet(ctx, s.key(0, "waiting_runs:x"), "run-1", message(1))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	began, term := time.Now(), int64(1)
	stop := s.lead(term)
	next := time.Now().Add(200 * time.Millisecond)
	s.eventually("all but the uid that is referred to are forgotten", func() bool {
		if time.Now().After(next) && term < 5 {
			_ = stop()
			term++
			stop = s.lead(term)
			next = time.Now().Add(200 * time.Millisecond)
		}
		return s.raw.ZCard(ctx, s.key(0, "removed")).Val() == 1
	})
	if took := time.Since(began); took > uids/1000*time.Second {
		t.Errorf("%d uids took %s under %d leaders", uids, took, term)
	}
	if s.raw.ZScore(ctx, s.key(0, "removed"), "removed-0").Err() != nil {
		t.Error("the uid of a message in the stream was forgotten")
	}
}

// The chores of a minute are done once a minute, whoever leads.
func TestChoresGoOnUnderTheNextLeader(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	ctx, field := t.Context(), "chores"
	last := func() int64 {
		n, _ := s.raw.HGet(ctx, s.key(0, "housekeeping"), field).Int64()
		return n
	}
	stop := s.lead(1)
	s.eventually("the first leader does the chores of a new store", func() bool { return last() > 0 })
	_ = stop()
	recent := last()
	for term := int64(2); term < 4; term++ {
		stop := s.lead(term)
		s.eventually("the next leader looks", func() bool {
			return s.raw.HGet(ctx, s.key(0, "fence"), "term").Val() == fmt.Sprint(term)
		})
		_ = stop()
	}
	if last() != recent {
		t.Error("the chores were done again within the minute")
	}
	for i, at := range []int64{recent - 61_000, recent + 3_600_000} { // as another leader, or a clock that was set, left it
		if err := s.raw.HSet(ctx, s.key(0, "housekeeping"), field, at).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.raw.Set(ctx, s.key(0, "slots:ghost"), 3, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.raw.HSet(ctx, s.key(0, "running"), "garbage", "garbage").Err(); err != nil {
			t.Fatal(err)
		}
		stop := s.lead(int64(4 + i))
		s.eventually("they are done again", func() bool { return last() != at })
		_ = stop()
		if s.raw.Exists(ctx, s.key(0, "slots:ghost")).Val() != 0 {
			t.Error("the audit did not mend the counter")
		}
	}
}
