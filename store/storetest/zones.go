package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/store"
)

// zoneTests are the rules of a change of zone rules.
var zoneTests = []conformance{
	{"a change of zone rules outlives the leader that dies in the middle of it", zonesChangeInTheMiddle},
	{"a leader that does not tell its zone rules makes the next one go through all jobs", zonesOfAnUnawareLeader},
	{"new zone rules move no job that has changed since it was read", zonesCompare},
}

// follows makes a leader with zone rules of one version take office, and returns the office.
func (r *rig) follows(term int64, zones string) store.Office {
	r.Helper()
	o := store.Office{Epoch: r.office.Epoch, Term: term, Zones: zones}
	r.must(r.s.TakeOffice(r.ctx, 0, o))
	return o
}

// zonesAre fails unless the store follows one version, and jobs may have times of another.
func (r *rig) zonesAre(rules, before string) {
	r.Helper()
	got, err := r.s.ZoneRules(r.ctx, 0)
	r.must(err)
	gotBefore, err := r.s.ZonesBefore(r.ctx, 0)
	r.must(err)
	equal(r, "zone rules, and those before", []string{got, gotBefore}, []string{rules, before})
}

// moves reads all jobs in pages, and moves the next time of each by an hour.
func (r *rig) moves(page int64) (moves []store.Follow) {
	r.Helper()
	for cursor := uint64(0); ; {
		entries, next, _, err := r.s.JobsFrom(r.ctx, 0, cursor, page)
		r.must(err)
		for _, e := range entries {
			f := store.Follow{Old: e, Next: e.Header, RunTime: e.RunTime + time.Hour.Milliseconds()}
			f.Next.Next += time.Hour.Milliseconds()
			moves = append(moves, f)
		}
		if cursor = next; cursor == 0 {
			return moves
		}
	}
}

func (r *rig) followZones(o store.Office, last bool, moves []store.Follow) (whole bool) {
	r.Helper()
	whole, err := r.s.FollowZones(r.ctx, 0, o, "zone rules changed", last, moves)
	r.must(err)
	return whole
}

func zonesChangeInTheMiddle(t *testing.T, open Open) {
	r := newRig(t, open)
	first := r.follows(8, "2026a")
	r.followZones(first, true, nil)
	r.zonesAre("2026a", "")
	for i := range 700 { // Redis gives them in pages
		r.addAt(fmt.Sprint("job", i), "2030-01-01T01:00:00Z")
	}
	second := r.follows(9, "2026b")
	r.zonesAre("2026b", "2026a")
	moves := r.moves(250)
	if !r.followZones(second, false, moves[:250]) {
		t.Fatal("a job that nobody changed was stale")
	}
	third := r.follows(10, "2026b") // the second leader died
	r.zonesAre("2026b", "2026a")
	if _, err := r.s.FollowZones(r.ctx, 0, second, "late", true, moves[250:]); err == nil {
		t.Fatal("a leader whose office is over moved jobs")
	}
	r.zonesAre("2026b", "2026a")
	if r.followZones(third, true, moves) {
		t.Fatal("jobs that the second leader moved were moved again")
	}
	r.zonesAre("2026b", "2026a")
	fourth := r.follows(11, "2026c") // a newer release takes over in the middle
	r.zonesAre("2026c", "2026a")
	if !r.followZones(fourth, true, nil) {
		t.Fatal("no job, and one was stale")
	}
	r.zonesAre("2026c", "")
	all := r.moves(250)
	seen := map[string]bool{}
	for _, f := range all {
		if seen[f.Old.Job.ID] {
			continue
		}
		seen[f.Old.Job.ID] = true
		equal(r, "next time of "+f.Old.Job.ID, time.UnixMilli(f.Old.Next).UTC().Format(time.RFC3339), "2030-01-01T02:00:00Z")
	}
	equal(r, "jobs", len(seen), 700)
}

func zonesOfAnUnawareLeader(t *testing.T, open Open) {
	r := newRig(t, open)
	r.followZones(r.follows(8, "2026a"), true, nil)
	r.follows(9, "2026a") // the same rules: there is nothing to go through
	r.zonesAre("2026a", "")
	r.follows(10, "") // an older program
	r.zonesAre("2026a", "")
	r.follows(11, "2026a")
	r.zonesAre("2026a", "unknown")
	r.follows(12, "2026b")
	r.zonesAre("2026b", "unknown")
}

func zonesCompare(t *testing.T, open Open) {
	r := newRig(t, open)
	r.addAt("moved", "2030-01-01T01:00:00Z")
	r.addAt("gone", "2030-01-01T01:00:00Z")
	r.addAt("still", "2030-01-01T01:00:00Z")
	o := r.follows(8, "2026a")
	moves := r.moves(250)
	for _, f := range moves {
		if f.Old.Job.ID == "moved" {
			r.must(r.s.Update(r.ctx, unique("op"), f.Old, f.Old, "job_modified", ""))
		}
	}
	r.removed("gone")
	if r.followZones(o, true, moves) {
		t.Fatal("jobs that changed since they were read count as moved")
	}
	r.zonesAre("2026a", "unknown")
	again := r.moves(250)
	got := map[string]string{}
	for _, f := range again {
		got[f.Old.Job.ID] = time.UnixMilli(f.Old.Next).UTC().Format("15:04")
	}
	equal(r, "next times", got, map[string]string{"moved": "01:00", "still": "02:00"})
	if !r.followZones(o, true, nil) {
		t.Fatal("no job, and one was stale")
	}
	r.zonesAre("2026a", "")
}
