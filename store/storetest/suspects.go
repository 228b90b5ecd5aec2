package storetest

import (
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var suspectTests = []conformance{
	{"suspects: only runs that have not moved since they were read are taken", suspectsThatMoved},
	{"suspects: a run without a lease is taken while it has none", suspectWithoutLease},
	{"suspects: owners of what runs are named once", ownersOnce},
	{"suspects: a question is a word that every version of a node knows", questionIsHeard},
}

// suspectsThatMoved has each run of a process change in its own way between the question and the recovery.
func suspectsThatMoved(t *testing.T, open Open) {
	r := newRig(t, open)
	changes := []struct {
		name   string
		change func(id, owner string, m *store.Message)
		taken  bool
	}{
		{"nothing", func(string, string, *store.Message) {}, true},
		{"renewed", func(id, owner string, _ *store.Message) {
			answers, err := r.s.Renew(r.ctx, 0, 2*lease, []store.Held{{RunID: id, Owner: owner}})
			r.must(err)
			equal(r, "renewal", answers, []store.Renewal{store.Renewed})
		}, false},
		{"ended", func(_, owner string, m *store.Message) { r.finish(finishOf(owner, *m, job.Executed)) }, false},
		{"runs elsewhere, with the same end of its lease", func(id, owner string, m *store.Message) {
			score := r.raw.text("ZSCORE", r.key("leases"), id)
			f := finishOf(owner, *m, job.Failed)
			f.Retry = m
			r.finish(f)
			r.raw.do("ZADD", r.key("delayed"), 1, id)
			_, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
			r.must(err)
			r.begin(nodeB, store.Started)
			r.raw.do("ZADD", r.key("leases"), score, id)
		}, false},
		{"its lease has ended meanwhile, as it was read", func(string, string, *store.Message) {}, true},
	}
	var owners []string
	var messages []store.Message
	for range changes {
		e := r.add(unique("job"))
		r.send(message(e, r.now()))
		st, replies := r.begin(nodeA, store.Started)
		owners, messages = append(owners, st.Owner), append(messages, *replies[0].Message)
	}
	r.expire(messages[4].Runs[0].ID)
	suspects, err := r.s.Suspects(r.ctx, 0, nodeA)
	r.must(err)
	equal(r, "suspects", len(suspects), len(changes))
	want := 0
	for i, c := range changes {
		c.change(messages[i].Runs[0].ID, owners[i], &messages[i])
		if c.taken {
			want++
		}
	}
	n, err := r.s.RecoverSuspects(r.ctx, 0, r.office, suspects)
	r.must(err)
	equal(r, "taken", n, want)
	for i, c := range changes {
		taken := len(r.outcomes(messages[i].JobID)) == 0 && len(r.places(0)[messages[i].Runs[0].ID]) == 1 &&
			r.places(0)[messages[i].Runs[0].ID][0] == "stream:default"
		equal(r, c.name, taken, c.taken)
	}
	n, err = r.s.RecoverSuspects(r.ctx, 0, r.office, suspects)
	r.must(err)
	equal(r, "taken again", n, 0)
}

func suspectWithoutLease(t *testing.T, open Open) {
	r := newRig(t, open)
	_, _, m := started(r, "j")
	id := m.Runs[0].ID
	r.raw.do("ZREM", r.key("leases"), id)
	suspects, err := r.s.Suspects(r.ctx, 0, nodeA)
	r.must(err)
	r.raw.do("ZADD", r.key("leases"), r.now()+1000, id)
	n, err := r.s.RecoverSuspects(r.ctx, 0, r.office, suspects)
	r.must(err)
	equal(r, "taken with a lease", n, 0)
	r.raw.do("ZREM", r.key("leases"), id)
	n, err = r.s.RecoverSuspects(r.ctx, 0, r.office, suspects)
	r.must(err)
	equal(r, "taken without", n, 1)
}

func ownersOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, consumer := range []string{nodeB, nodeA, nodeA} {
		r.send(message(r.add(unique("job")), r.now()))
		r.begin(consumer, store.Started)
	}
	owners, err := r.s.Owners(r.ctx, 0)
	r.must(err)
	equal(r, "owners", owners, []string{nodeA, nodeB})
}

func questionIsHeard(t *testing.T, open Open) {
	r := newRig(t, open)
	heard := make(chan string, 8)
	go func() {
		_ = r.s.Wakes(r.ctx, func(_ int, what string) { heard <- what })
	}()
	equal(r, "first", <-heard, "subscribed")
	r.must(r.s.AskToRenew(r.ctx, 0))
	equal(r, "the word", <-heard, "cancel")
}
