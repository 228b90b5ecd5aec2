package storetest

import (
	"testing"

	"github.com/carillon-project/carillon/store"
)

var aheadTests = []conformance{
	{"check: a job that fired while the clock of Redis was ahead is found, and counted", firedAhead},
}

// addFired stores a job whose last time is some ms after now.
func (r *rig) addFired(id string, ahead int64) store.Entry {
	r.Helper()
	e := r.entry(id)
	e.Last = r.now() + ahead
	e.Next = e.Last + 60_000
	e.RunTime = e.Next
	r.must(r.s.Add(r.ctx, unique("op"), e))
	return e
}

func firedAhead(t *testing.T, open Open) {
	r := newRig(t, open, three)
	const hours = 3 * 3_600_000
	silent := r.addFired("silent", hours)
	r.addFired("soon", 20_000)
	r.addFired("past", -hours)
	silentIn := r.s.PartitionOf("silent")
	r.raw.do("HSET", r.keyIn(silentIn, "jobs"), "unreadable", "9 x\n{}")
	for p := range 3 {
		n, one, next, err := r.s.CountAhead(r.ctx, p, 0, 1000)
		r.must(err)
		want, id := 0, ""
		if p == silentIn {
			want, id = 1, "silent"
		}
		equal(r, "ahead, the id of one, cursor", []any{n, one, next}, []any{want, id, uint64(0)})
	}
	var found []store.Finding
	for _, f := range r.findings() {
		if f.Fault == store.FiredAhead {
			found = append(found, f)
		}
	}
	equal(r, "findings", len(found), 1)
	equal(r, "subject", found[0].Subject, "silent")
	mended := silent
	mended.Last = r.now()
	old, err := r.s.Get(r.ctx, "silent")
	r.must(err)
	mended.Header.Next = old.Next
	r.must(r.s.Update(r.ctx, unique("op"), old, mended, "job_modified", ""))
	n, _, _, err := r.s.CountAhead(r.ctx, silentIn, 0, 1000)
	r.must(err)
	equal(r, "ahead when it is mended", n, 0)
}
