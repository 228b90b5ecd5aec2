package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var pastTests = []conformance{
	{"past: the row of a job that is gone stands in its day", pastGone},
	{"past: a second row of the day goes to a list, also within a call", pastTwice},
	{"past: a job that is added again shows its old rows behind the new ones", pastAgain},
	{"past: a call puts each row where it belongs", pastMixed},
	{"past: rows of one call that begin a list are capped", pastCapped},
	{"past: a day lives as long as its rows may, and is given a life once", pastLives},
	{"past: a row that is too old is not shown", pastOld},
	{"past: a node whose clock is wrong by days writes lists, and reads days", pastForeign},
	{"tidy: a day goes when all its rows are too old", pastTidied},
}

const aDay = 24 * time.Hour

// gone begins runs of a job, all under one owner, and removes it.
func (r *rig) gone(jobID string, ids ...string) []store.Finish {
	r.Helper()
	e := r.add(jobID, func(j *job.Job) { j.MaxInstances = 9 })
	for _, id := range ids {
		r.send(message(e, r.now(), id))
	}
	st, replies := r.begin(nodeA, repeat(store.Started, len(ids))...)
	var done []store.Finish
	for _, reply := range replies {
		done = append(done, finishOf(st.Owner, *reply.Message, job.Executed))
	}
	r.removed(jobID)
	return done
}

// inDays are the fields of all days.
func (r *rig) inDays() []string {
	r.Helper()
	fields := []string{}
	for _, key := range r.raw.scan(r.key("past:*")) {
		fields = append(fields, r.raw.texts("HKEYS", key)...)
	}
	slices.Sort(fields)
	return fields
}

// inList is how many rows a job's list has.
func (r *rig) inList(jobID string) int64 {
	r.Helper()
	return r.raw.number("LLEN", r.key("history:"+jobID))
}

func (r *rig) day(d int64) string { return r.key(fmt.Sprint("past:", d)) }

// later waits until the clock of Redis has moved.
func (r *rig) later() {
	r.Helper()
	for from, now := r.now(), int64(0); now <= from; now = r.now() {
		r.must(r.ctx.Err())
	}
}

func pastGone(t *testing.T, open Open) {
	r := newRig(t, open)
	done := r.gone("j", "a")
	equal(r, "first", r.finish(done...), []store.FinishReply{{}})
	equal(r, "again", r.finish(done...), []store.FinishReply{{Refused: true}})
	equal(r, "days", r.inDays(), []string{"j"})
	equal(r, "list", r.inList("j"), 0)
	equal(r, "history", r.outcomes("j"), []string{"a executed"})
	row, _, err := r.s.Ended(r.ctx, "a", "j")
	r.must(err)
	equal(r, "ended", row.RunID, "a")
	equal(r, "started and finished", row.Started.UnixMilli() > 0 && !row.Finished.Before(row.Started), true)
}

func pastTwice(t *testing.T, open Open) {
	r := newRig(t, open)
	r.finish(r.gone("j", "a")...)
	r.later()
	r.finish(r.gone("j", "b")...)
	r.finish(r.gone("k", "c", "d")...)
	equal(r, "days", r.inDays(), []string{"j", "k"})
	for _, id := range []string{"j", "k"} {
		equal(r, "list of "+id, r.inList(id), 1)
		equal(r, "its life", r.raw.number("TTL", r.key("history:"+id)) > 0, true)
	}
	equal(r, "by two calls", r.outcomes("j"), []string{"a executed", "b executed"})
	equal(r, "by one", r.outcomes("k"), []string{"c executed", "d executed"})
	rows, err := r.s.History(r.ctx, "j", 1)
	r.must(err)
	equal(r, "newest", []any{len(rows), rows[0].RunID}, []any{1, "b"})
	row, _, err := r.s.Ended(r.ctx, "a", "j")
	r.must(err)
	equal(r, "ended", row.RunID, "a")
}

func pastAgain(t *testing.T, open Open) {
	r := newRig(t, open)
	r.finish(r.gone("j", "old")...)
	r.later()
	_, owner, m := started(r, "j")
	r.finish(finishOf(owner, m, job.Executed))
	equal(r, "days", r.inDays(), []string{"j"})
	equal(r, "list", r.inList("j"), 1)
	equal(r, "its life", r.raw.number("TTL", r.key("history:j")), -1)
	equal(r, "history", r.outcomes("j"), []string{"old executed", m.Runs[0].ID + " executed"})
	r.removed("j")
	r.finish(r.gone("j", "new")...)
	equal(r, "where there is a list, the row goes", r.inList("j"), 2)
}

func pastMixed(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "lives")
	r.finish(finishOf(owner, m, job.Executed)) // has a list
	r.send(message(e, r.now()))
	again, one := r.begin(nodeA, store.Started)
	_, ownerNew, fresh := started(r, "new")
	r.pastRows("z", 1) // has a list, and is gone
	done := slices.Concat(r.gone("x", "x1"), r.gone("y", "y1", "y2"), r.gone("z", "z1"))
	r.send(adHoc("task"))
	st, replies := r.begin(nodeA, store.Started)
	done = append(done, finishOf(again.Owner, *one[0].Message, job.Executed), finishOf(ownerNew, fresh, job.Failed), finishOf(st.Owner, *replies[0].Message, job.Executed))
	equal(r, "answers", r.finish(done...), make([]store.FinishReply, len(done)))
	equal(r, "days", r.inDays(), []string{"x", "y", "z"})
	for id, want := range map[string][2]int64{"lives": {2, -1}, "new": {1, -1}, "@t": {1, -1}, "x": {0, -2}, "y": {1, 7 * 24 * 3600}} {
		life := r.raw.number("TTL", r.key("history:"+id))
		equal(r, "rows of the list of "+id, r.inList(id), want[0])
		equal(r, "life of the list of "+id, life <= want[1] && life > want[1]-10, true)
	}
	equal(r, "list of z, behind others that have none", r.inList("z"), 1)
	equal(r, "history of x", r.outcomes("x"), []string{"x1 executed"})
	equal(r, "history of y", r.outcomes("y"), []string{"y1 executed", "y2 executed"})
	equal(r, "history of new", r.outcomes("new"), []string{fresh.Runs[0].ID + " error"})
}

func pastCapped(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryLimit = 2 })
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 3 })
	for _, id := range []string{"a", "b", "c"} {
		r.send(message(e, r.now(), id))
	}
	st, replies := r.begin(nodeA, repeat(store.Started, 3)...)
	var done []store.Finish
	for _, reply := range replies {
		done = append(done, finishOf(st.Owner, *reply.Message, job.Executed))
	}
	r.finish(done...)
	equal(r, "history", r.outcomes("j"), []string{"b executed", "c executed"})
}

func pastLives(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryTTL = 36 * time.Hour })
	r.finish(r.gone("j", "a")...)
	const life = 4 * 24 * 3600
	days := r.raw.scan(r.key("past:*"))
	equal(r, "days", len(days), 1)
	ttl := r.raw.number("TTL", days[0])
	equal(r, "two days, rounded up, and two more", ttl > life-10 && ttl <= life, true)
	r.raw.do("EXPIRE", days[0], 1000)
	r.finish(r.gone("k", "b")...)
	equal(r, "life as it was", r.raw.number("TTL", days[0]) <= 1000, true)
}

// plant puts a row so old into its day.
func (r *rig) plant(jobID, runID string, age time.Duration) {
	r.Helper()
	ended := at(r.now()).Add(-age)
	key := r.day(ended.UnixMilli() / aDay.Milliseconds())
	r.raw.do("HSET", key, jobID, store.HistoryRow(job.Row{RunID: runID, Outcome: job.Executed, Attempt: 1, Started: at(1), Finished: ended}))
	r.raw.do("EXPIRE", key, 3600)
}

func pastOld(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryTTL = 3 * aDay })
	r.plant("j", "newest", 0)
	r.plant("j", "day", aDay)
	r.plant("j", "young", 3*aDay-time.Minute)
	r.plant("k", "old", 3*aDay+time.Minute)
	equal(r, "history", r.outcomes("j"), []string{"young executed", "day executed", "newest executed"})
	_, _, err := r.s.Ended(r.ctx, "young", "j")
	r.must(err)
	equal(r, "history of old", r.outcomes("k"), nil)
	_, _, err = r.s.Ended(r.ctx, "old", "k")
	r.wantErr(err, store.ErrRunNotFound)
	r.pastRows("j", 100, 50, 30) // hours: a list keeps what it has
	equal(r, "with a list", r.outcomes("j"), []string{"0 executed", "young executed", "1 executed", "2 executed", "day executed", "newest executed"})
	rows, err := r.s.History(r.ctx, "j", 3)
	r.must(err)
	equal(r, "limited", []any{len(rows), rows[2].RunID}, []any{3, "2"})
}

func pastForeign(t *testing.T, open Open) {
	for _, wrong := range []time.Duration{-5 * aDay, 5 * aDay, -aDay, aDay} {
		t.Run(wrong.String(), func(t *testing.T) {
			now := at(newRig(t, open).now()).Add(wrong)
			r := newRig(t, open, func(c *store.Config) { c.Now = func() time.Time { return now } })
			r.plant("k", "k1", 0)
			r.finish(r.gone("j", "a")...)
			want := int64(0)
			if max(wrong, -wrong) > aDay {
				want = 1
			}
			equal(r, "list", r.inList("j"), want)
			equal(r, "its life", r.raw.number("TTL", r.key("history:j")) > 0, want == 1)
			equal(r, "history", r.outcomes("j"), []string{"a executed"})
			equal(r, "history of a day", r.outcomes("k"), []string{"k1 executed"})
		})
	}
}

func pastTidied(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryTTL = 3 * aDay })
	today := r.now() / aDay.Milliseconds()
	for back := range int64(7) {
		r.plant("j", "a", time.Duration(back)*aDay)
		r.plant("k", "b", time.Duration(back)*aDay)
	}
	_, forgotten, err := r.s.Tidy(r.ctx, 0, r.office, nil, 0)
	r.must(err)
	equal(r, "forgotten", forgotten, 6)
	for back := range int64(7) {
		equal(r, fmt.Sprint("day before by ", back), r.raw.number("EXISTS", r.day(today-back)) == 1, back < 4)
	}
}
