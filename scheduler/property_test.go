package scheduler

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

func anyTrigger(t *rapid.T) trigger.Trigger {
	every, end := rapid.Int64Range(1, 50).Draw(t, "every"), rapid.Int64Range(0, 3000).Draw(t, "end")
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return grid{every, end}
	case 1:
		return counted{grid{every, end}}
	}
	jitter := rapid.Int64Range(0, 100).Draw(t, "jitter")
	tr, err := trigger.Parse(fmt.Appendf(nil,
		`{"type":"interval","every":"%dms","start_date":"1970-01-01T00:00:00Z","jitter":"%dms"}`, every, jitter))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return tr
}

// fates says of every nominal time up to the last what a job's decisions made of it.
func fates(t *rapid.T, tr trigger.Trigger, d decision, from int64) map[int64]string {
	got := map[int64]string{}
	fate := func(nominal int64, f string) {
		if got[nominal] != "" {
			t.Fatalf("%d is both %s and %s", nominal, got[nominal], f)
		}
		got[nominal] = f
	}
	for _, r := range d.runs {
		fate(r.nominal, "run")
	}
	spread := func(s stretch, f string) {
		n := int64(0)
		for at := s.first; s.count > 0 && at != 0 && at <= s.last; n++ {
			fate(at, f)
			at = (&walk{rules: rules{trigger: tr}}).next(at)
		}
		if n != s.count {
			t.Fatalf("%s: %d from %d to %d, which are %d times", f, s.count, s.first, s.last, n)
		}
	}
	spread(d.missed, "missed")
	spread(d.coalesced, "coalesced")
	for at := from; at != 0 && at <= d.last; at = (&walk{rules: rules{trigger: tr}}).next(at) {
		if got[at] == "" {
			t.Fatalf("%d is not accounted for", at)
		}
	}
	return got
}

func TestEveryDueTimeHasOneFate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := anyTrigger(t)
		r := rules{
			trigger: tr, uid: rapid.StringN(1, 8, -1).Draw(t, "uid"),
			coalesce: rapid.SampledFrom([]job.Coalesce{job.CoalesceLatest, job.CoalesceEarliest, job.CoalesceAll}).Draw(t, "coalesce"),
			grace:    time.Duration(rapid.Int64Range(-1, 500).Draw(t, "grace")) * time.Millisecond,
		}
		h := store.Header{Next: rapid.Int64Range(1, 200).Draw(t, "first")}
		w := &walk{rules: r}
		runTime := w.dueOf(h.Next)
		now := runTime + rapid.Int64Range(0, 1500).Draw(t, "late")
		b := &budget{}
		d, rest, done, err := decide(r, h, runTime, now, tally{}, b)
		for ; !done && err == nil; d, rest, done, err = decide(r, h, runTime, now, rest, b) {
			b.left = rapid.IntRange(1, 40).Draw(t, "steps")
		}
		if err != nil {
			t.Fatalf("decide: %v", err)
		}
		got := fates(t, tr, d, h.Next)
		checkAgainstTheRules(t, w, h.Next, now, d, got)
	})
}

// checkAgainstTheRules walks all times one by one, as the definition of misfire and coalesce reads.
func checkAgainstTheRules(t *rapid.T, w *walk, first, now int64, d decision, got map[int64]string) {
	var kept []int64
	last := int64(0)
	at := first
	for ; at != 0 && w.dueOf(at) <= now; at = w.next(at) {
		last = at
		if w.grace >= 0 && now-w.dueOf(at) > w.grace.Milliseconds() {
			if got[at] != "missed" {
				t.Fatalf("%d is beyond its grace and %q", at, got[at])
			}
			continue
		}
		kept = append(kept, at)
	}
	if d.more {
		return // only with more than a message holds
	}
	for i, k := range kept {
		want := "coalesced"
		if w.coalesceRuns(i, len(kept)) {
			want = "run"
		}
		if got[k] != want {
			t.Fatalf("%d, number %d of %d, is %q, want %q", k, i, len(kept), got[k], want)
		}
	}
	if d.last != last || d.next.nominal != at || (at != 0 && d.next.nominal <= d.last) {
		t.Fatalf("last %d and next %d, want %d and %d", d.last, d.next.nominal, last, at)
	}
	if d.next.nominal != 0 && d.next.due != w.dueOf(d.next.nominal) {
		t.Fatalf("next run is due at %d, want %d", d.next.due, w.dueOf(d.next.nominal))
	}
	for i, r := range d.runs {
		if r.due > now || (i > 0 && r.nominal <= d.runs[i-1].nominal) {
			t.Fatalf("runs %+v are out of order or early at %d", d.runs, now)
		}
	}
}

func (w *walk) coalesceRuns(i, n int) bool {
	switch w.rules.coalesce {
	case job.CoalesceAll:
		return true
	case job.CoalesceEarliest:
		return i == 0
	}
	return i == n-1
}
