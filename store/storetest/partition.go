package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/store"
)

var partitionTests = []conformance{
	{"partitions: jobs spread, each in its own", partitionsSpread},
	{"partitions: ids with the same tag share one", partitionsTag},
	{"partitions: a run is found in all of them", partitionsLookup},
	{"partitions: one is emptied: store lost", partitionEmptied},
	{"open: not initialised", openEmpty},
	{"open: another uid than the cluster knows", openLost},
	{"open: found again with its uid and partitions", openAgain},
	{"open: a newer format is refused", openNewer},
	{"open: created by many at once it is one store", openTogether},
}

func three(c *store.Config) { c.Partitions = 3 }

func partitionsSpread(t *testing.T, open Open) {
	r := newRig(t, open, three)
	want := map[int]int64{}
	for i := range 60 {
		id := fmt.Sprintf("job-%d", i)
		r.add(id)
		want[r.s.PartitionOf(id)]++
	}
	for p := range 3 {
		n := r.raw.number("HLEN", r.keyIn(p, "jobs"))
		equal(r, "jobs", n, want[p])
		equal(r, "some", n > 5, true)
		due, err := r.s.Due(r.ctx, p, 100)
		r.must(err)
		equal(r, "due", int64(len(due.Jobs)), n)
		for _, j := range due.Jobs {
			equal(r, "partition", r.s.PartitionOf(j.ID), p)
		}
	}
	all, err := r.s.List(r.ctx)
	r.must(err)
	equal(r, "listed", len(all), 60)
}

func partitionsTag(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 100 })
	for _, tag := range []string{"a", "customer-7", "é"} {
		want := r.s.PartitionOf(tag)
		for _, id := range []string{"{" + tag + "}", "x{" + tag + "}y", "{" + tag + "}{other}", "z{" + tag + "}}"} {
			equal(r, id, r.s.PartitionOf(id), want)
		}
	}
}

func partitionsLookup(t *testing.T, open Open) {
	r := newRig(t, open, three)
	for p := range 3 {
		m := adHoc(unique("run"))
		_, err := r.s.Enqueue(r.ctx, p, unique("op"), "x", time.Hour, "", "", []store.Message{m})
		r.must(err)
		st := r.fetchFrom(p, executor, nodeA)
		r.start(st)
		r.must(r.s.Cancel(r.ctx, m.Runs[0].ID))
		runs, err := r.s.Running(r.ctx, p)
		r.must(err)
		equal(r, "runs", len(runs), 1)
		equal(r, "cancelled and partition", []any{runs[0].Cancelled, runs[0].Partition}, []any{true, p})
	}
	n, err := r.s.StreamLength(r.ctx, executor)
	r.must(err)
	equal(r, "entries left", n, 0)
}

func partitionEmptied(t *testing.T, open Open) {
	r := newRig(t, open, three)
	r.raw.do("DEL", r.keyIn(2, "meta"))
	_, err := store.Open(r.ctx, r.cfg)
	r.wantErr(err, store.ErrStoreLost)
}

func openEmpty(t *testing.T, open Open) {
	r := newRig(t, open)
	cfg := r.cfg
	cfg.Namespace, cfg.Create = unique("empty"), false
	_, err := store.Open(r.ctx, cfg)
	r.wantErr(err, store.ErrNotInitialised)
	equal(r, "keys", r.raw.scan("{"+cfg.Namespace+":*"), nil)
}

func openLost(t *testing.T, open Open) {
	r := newRig(t, open)
	cfg := r.cfg
	cfg.ExpectUID = "00000000-0000-4000-8000-000000000000"
	_, err := store.Open(r.ctx, cfg)
	r.wantErr(err, store.ErrStoreLost)
	cfg.ExpectUID = r.s.UID()
	r.raw.do("DEL", r.key("meta"))
	_, err = store.Open(r.ctx, cfg)
	r.wantErr(err, store.ErrStoreLost)
	equal(r, "meta", r.raw.number("EXISTS", r.key("meta")), 0)
}

func openAgain(t *testing.T, open Open) {
	r := newRig(t, open, three)
	again := r.reopen(func(c *store.Config) { c.Partitions, c.Create, c.ExpectUID = 7, false, r.s.UID() })
	equal(r, "uid", again.UID(), r.s.UID())
	equal(r, "partitions", again.Partitions(), 3)
}

func openNewer(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("HSET", r.key("meta"), "format", "2")
	_, err := store.Open(r.ctx, r.cfg)
	r.wantErr(err, store.ErrNewerFormat)
}

func openTogether(t *testing.T, open Open) {
	r := newRig(t, open)
	cfg := r.cfg
	cfg.Namespace, cfg.Partitions = unique("together"), 3
	type opened struct {
		s   *store.Store
		err error
	}
	all := make(chan opened)
	for range 8 {
		go func() {
			s, err := store.Open(r.ctx, cfg)
			all <- opened{s, err}
		}()
	}
	uids := map[string]bool{}
	for range 8 {
		o := <-all
		if o.err != nil {
			t.Error(o.err)
			continue
		}
		uids[o.s.UID()] = true
		o.s.Close()
	}
	equal(r, "uids", len(uids), 1)
}
