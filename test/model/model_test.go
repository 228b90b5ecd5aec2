package model_test

import (
	"testing"

	"github.com/carillon-project/carillon/test/model"
)

// limit bounds the memory of a test: about 400 bytes a state while it runs.
const limit = 1_500_000

// The spaces in which the protocol must be clean, by what goes wrong in them.
var (
	twoTimes = model.Bounds{Jobs: 1, Times: 2, MaxLost: 2}
	anything = with(twoTimes, model.Faults{Crashes: 1, Resends: 1, Expiries: 1})
	crashes  = with(twoTimes, model.Faults{Crashes: 2, Resends: 1})
	losses   = with(model.Bounds{Jobs: 1, Times: 1, MaxLost: 2}, model.Faults{Crashes: 2, Resends: 1, Expiries: 1})
	backlog  = with(model.Bounds{Jobs: 1, Times: 3, MaxLost: 2}, model.Faults{Crashes: 1, Resends: 1})
	modified = editing(with(twoTimes, model.Faults{Crashes: 1, Resends: 1}), model.Modify)
	replaced = editing(with(twoTimes, model.Faults{Crashes: 1, Resends: 1}), model.RemoveJob, model.AddAgain)
	removed  = editing(with(model.Bounds{Jobs: 1, Times: 1, MaxLost: 2}, model.Faults{Resends: 1, Expiries: 1, Failures: 1}), model.Modify, model.RemoveJob)
	twoJobs  = with(model.Bounds{Jobs: 2, Times: 2, MaxLost: 2}, model.Faults{Crashes: 1})
	queued   = with(model.Bounds{Jobs: 2, Times: 2, Shared: true, Queue: true, MaxLost: 2}, model.Faults{Expiries: 1})
	retried  = with(model.Bounds{Jobs: 2, Times: 1, Shared: true, MaxLost: 2}, model.Faults{Crashes: 1, Expiries: 1, Failures: 1})
)

func with(b model.Bounds, f model.Faults) model.Bounds {
	b.Faults = f
	return b
}

func editing(b model.Bounds, edits ...model.Edit) model.Bounds {
	b.Edits = edits
	return b
}

func leavingOut(v model.Variant, b model.Bounds) model.Bounds {
	b.Variant = v
	return b
}

func explore(t *testing.T, m model.Machine[model.State]) model.Result {
	t.Helper()
	r, err := model.Explore(m, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	return r
}

func TestProtocolIsClean(t *testing.T) {
	for _, c := range []struct {
		name    string
		bounds  model.Bounds
		atLeast int // states: fewer mean that something in the model cannot happen any more
	}{
		{"a crash, a call sent twice, a lease that ends", anything, 800_000},
		{"two crashes, a call sent twice", crashes, 430_000},
		{"one run, two crashes, a call sent twice, a lease that ends", losses, 400_000},
		{"three due times, a crash, a call sent twice", backlog, 300_000},
		{"the job is modified, a crash, a call sent twice", modified, 240_000},
		{"the job is removed and added again, a crash, a call sent twice", replaced, 800_000},
		{"one run that fails, the job is modified and removed, a call sent twice, a lease that ends", removed, 60_000},
		{"two jobs, a crash", twoJobs, 160_000},
		{"two jobs in line for one slot, a lease that ends", queued, 180_000},
		{"two jobs with one slot, a crash, a lease that ends, a run that fails", retried, 280_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := explore(t, model.Protocol{Bounds: c.bounds})
			if r.Broken != "" {
				t.Errorf("broken: %s", r.Broken)
			}
			if r.States < c.atLeast {
				t.Errorf("explored %d states, want at least %d", r.States, c.atLeast)
			}
		})
	}
}

func TestBrokenVariants(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds model.Bounds
		want   string
	}{
		{"dispatch without the fence", leavingOut(model.NoFence, anything), model.TermsRise},
		{"office for a lower term", leavingOut(model.NoTermOrder, anything), model.TermsRise},
		{"start without the own pending list", leavingOut(model.NoPendingCheck, anything), model.OnePlace},
		{"finish without the owner", leavingOut(model.NoOwnerCheck, anything), model.LeaseIsKept},
		{"recover without the owner", leavingOut(model.RecoverAnyOwner, anything), model.LeaseIsKept},
		{"a counter not gated by the removal", leavingOut(model.UngatedCounter, anything), model.CounterIsTruth},
		{"compare-and-set without the version", leavingOut(model.NoVersion, modified), model.OwnDefinition},
		{"compare-and-set without the uid", leavingOut(model.NoVersion, replaced), model.OwnDefinition},
		{"dispatch without compare-and-set", leavingOut(model.NoCompare, anything), model.OneDispatch},
		{"Campaign taken as success", leavingOut(model.Unverified, anything), model.TermsAreGiven},
		{"early recovery when a membership ends", leavingOut(model.MembershipOnly, anything), model.LeaseIsKept},
		{"no reclaim of what was fetched", leavingOut(model.NoReclaim, twoJobs), model.Stuck},
		{"mutations without an op id", leavingOut(model.NoOps, replaced), model.EditsStand},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := explore(t, model.Protocol{Bounds: c.bounds})
			if r.Broken != c.want {
				t.Errorf("broken: %q, want %q", r.Broken, c.want)
			}
			if len(r.Trace) == 0 {
				t.Error("no trace")
			}
		})
	}
}

// seeking takes a moment that is worth seeing for a broken invariant, so that Explore finds it.
type seeking struct {
	model.Protocol
	moment func(model.State) bool
}

func (s seeking) Broken(at model.State) string {
	if s.moment(at) {
		return "found"
	}
	return ""
}

// A clean space says nothing if what is dangerous never happens in it.
func TestDangerIsReached(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds model.Bounds
		moment func(model.State) bool
	}{
		{"a dispatch under way after the next leader took office", anything, func(s model.State) bool {
			return s.Leaders[0].Call.Script == model.Dispatch && s.Leaders[0].Call.Term < s.Fence
		}},
		{"a candidate in doubt, whose key has gone", anything, func(s model.State) bool {
			return s.Leaders[0].Phase == model.Won && s.Leaders[0].Key == 0
		}},
		{"a finish under way, of a run that another node has", anything, func(s model.State) bool {
			late := s.Executors[1] // Canonical has it follow the one that runs
			return late.Call.Script == model.Finish && s.Running[late.Run].Owner == s.Executors[0].Owner && s.Executors[0].Phase == model.Executing
		}},
		{"two attempts of a run at once, the first without a lease", anything, func(s model.State) bool {
			a, b := s.Executors[0], s.Executors[1]
			return a.Phase == model.Executing && b.Phase == model.Executing && a.Run == b.Run && a.Void != b.Void
		}},
		{"a run about to be closed, since it was lost twice", losses, func(s model.State) bool {
			c := s.Leaders[0].Call
			return c.Script == model.Recover && c.Message.Lost == 2 && c.Term == s.Fence && c.Owner == s.Running[0].Owner
		}},
		{"a rerun in line for its slot", queued, func(s model.State) bool { return s.Waiting[0].Attempt == 2 }},
		{"a run put off after a failure", retried, func(s model.State) bool { return s.Delayed[0].Attempt == 2 }},
		{"a run of a removed job in the stream, its successor stored", replaced, func(s model.State) bool {
			return s.Jobs[1].Stage == model.Stored && s.Stream[0].ID != 0 && s.Stream[0].Run == 0
		}},
		{"a due time folded into a later one", backlog, func(s model.State) bool { return s.Fates[1].Skipped }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := explore(t, seeking{model.Protocol{Bounds: c.bounds}, c.moment}); r.Broken != "found" {
				t.Error("never happens")
			}
		})
	}
}
