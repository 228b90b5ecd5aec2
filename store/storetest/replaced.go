package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func officeOfAReplacedStore(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.VerifyAll(r.ctx))
	for _, uid := range []string{"", "another"} {
		r.raw.do("DEL", r.key("meta"), r.key("fence"))
		if uid != "" {
			r.raw.do("HSET", r.key("meta"), "uid", uid)
		}
		r.wantErr(r.s.VerifyAll(r.ctx), store.ErrStoreLost)
		r.wantErr(r.s.TakeOffice(r.ctx, 0, r.office), store.ErrStoreLost)
		_, err := r.s.Due(r.ctx, 0, 10)
		r.wantErr(err, store.ErrStoreLost)
		_, err = r.s.NoteRolledBack(r.ctx, 0, r.office, store.Due{Known: 9}) // as any script that looks at the fence
		r.wantErr(err, store.ErrStoreLost)
		equal(r, "fences", r.raw.number("EXISTS", r.key("fence")), 0)
	}
}

func fenceAccepts(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("HSET", r.key("fence"), "seq", "5")
	rebuilt := store.Office{Epoch: "f", Term: 2} // lower: revisions began again
	r.wantErr(r.s.TakeOffice(r.ctx, 0, rebuilt), store.ErrEpoch)
	for _, want := range []bool{true, false} {
		refuses, err := r.s.Refuses(r.ctx, rebuilt.Epoch)
		r.must(err)
		equal(r, "refuses", refuses, want)
		opened, err := r.s.Accept(r.ctx, rebuilt.Epoch)
		r.must(err)
		equal(r, "opened", opened, want)
		r.must(r.s.TakeOffice(r.ctx, 0, rebuilt))
	}
	r.wantErr(r.s.TakeOffice(r.ctx, 0, r.office), store.ErrEpoch)
	equal(r, "sequence", r.raw.text("HGET", r.key("fence"), "seq"), "5")
	if _, err := r.s.Accept(r.ctx, ""); err == nil {
		t.Error("an empty epoch was accepted")
	}
}

func followsAccepted(t *testing.T, open Open) {
	r := newRig(t, open, three)
	old, fresh := r.s.UID(), uuid.NewString()
	for p := range 3 {
		r.raw.do("DEL", r.keyIn(p, "meta"), r.keyIn(p, "fence"))
	}
	r.wantErr(r.s.Follow(r.ctx, fresh), store.ErrStoreLost)
	for p := range 3 {
		r.raw.do("HSET", r.keyIn(p, "meta"), "uid", fresh, "partitions", "3", "format", "1")
	}
	r.wantErr(r.s.Follow(r.ctx, old), store.ErrStoreLost)
	r.wantErr(r.s.Follow(r.ctx, ""), store.ErrUnreadable)
	r.wantErr(r.s.VerifyAll(r.ctx), store.ErrStoreLost)
	r.must(r.s.Follow(r.ctx, fresh))
	equal(r, "uid", r.s.UID(), fresh)
	r.must(r.s.TakeOffice(r.ctx, 2, r.office))
	r.raw.do("HSET", r.keyIn(1, "meta"), "partitions", "4")
	r.wantErr(r.s.Follow(r.ctx, fresh), store.ErrStoreLost)
	r.raw.do("DEL", r.keyIn(1, "meta")) // one shard: an operator's word mends it, nothing else
	_, err := store.Open(r.ctx, r.cfg)
	r.wantErr(err, store.ErrStoreLost)
	again := r.reopen(func(c *store.Config) { c.Adopt = true })
	equal(r, "uid", again.UID(), fresh)
	r.must(r.s.VerifyAll(r.ctx))
}

func rolledBackOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	equal(r, "dispatch", r.dispatch(advance(e, message(e, e.RunTime, "run"))), []store.Dispatched{store.DispatchOK})
	other := r.reopen()
	r.must(other.Verify(r.ctx, 0))
	r.raw.do("HDEL", r.key("fence"), "seq")
	for _, s := range []*store.Store{r.s, other} {
		due, err := s.Due(r.ctx, 0, 10)
		r.must(err)
		equal(r, "known", due.Known, int64(1))
		said, err := s.NoteRolledBack(r.ctx, 0, r.office, due)
		r.must(err)
		equal(r, "said", said, s == r.s)
	}
	_, err := r.s.NoteRolledBack(r.ctx, 0, store.Office{Epoch: "e", Term: 6}, store.Due{Known: 9})
	r.wantErr(err, store.ErrFenced)
	var told []job.Event
	for _, e := range r.events() {
		if e.Kind == job.StoreRolledBack {
			told = append(told, e)
		}
	}
	equal(r, "told", len(told), 1)
	equal(r, "term", told[0].Term, r.office.Term)
	equal(r, "sequence", r.raw.text("HGET", r.key("fence"), "seq"), "1")
}
