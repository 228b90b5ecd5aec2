package model_test

import (
	"testing"

	"github.com/carillon-project/carillon/test/model"
)

// The spaces of messages that hold several runs, of runs that are cancelled, replaced or handed back, and of
// nudges.
var (
	several   = with(model.Bounds{Jobs: 1, Times: 3, All: true, MaxLost: 2}, model.Faults{Crashes: 1, Resends: 1})
	stopped   = editing(with(several, model.Faults{Stops: 1, Resends: 1}), model.RemoveJob)
	cancelled = editing(with(model.Bounds{Jobs: 1, Times: 2, All: true, MaxLost: 2}, model.Faults{Crashes: 1, Failures: 1, Stops: 1}), model.CancelRun)
	dropped   = editing(with(model.Bounds{Jobs: 1, Times: 2, All: true, Drop: true, MaxLost: 2}, model.Faults{Crashes: 1, Resends: 1}), model.CancelRun)
	replaces  = with(model.Bounds{Jobs: 1, Times: 3, Replace: true, MaxLost: 2}, model.Faults{Crashes: 1, Failures: 1})
	nudged    = with(model.Bounds{Jobs: 2, Times: 1, Shared: true, Queue: true, Drop: true, MaxLost: 2}, model.Faults{Resends: 1, Expiries: 1})
	failing   = with(model.Bounds{Jobs: 1, Times: 3, Queue: true, Drop: true, MaxLost: 2}, model.Faults{Resends: 1, Failures: 1})
	wide      = with(model.Bounds{Jobs: 1, Times: 2, All: true, Max: 2, MaxLost: 2}, model.Faults{Resends: 1, Failures: 1})
)

func TestMessagesAreClean(t *testing.T) {
	for _, c := range []struct {
		name    string
		bounds  model.Bounds
		atLeast int
	}{
		{"three runs in a message, a crash, a call sent twice", several, 300_000},
		{"runs are handed back while their job is removed", stopped, 150_000},
		{"a run is cancelled that fails, is handed back or is lost", cancelled, 290_000},
		{"a run is cancelled that must not be repeated", dropped, 125_000},
		{"runs replace one another, a crash, a run that fails", replaces, 230_000},
		{"two jobs in line for one slot, a call sent twice, a lease that ends", nudged, 20_000},
		{"three runs in line for a slot, a call sent twice, a run that fails", failing, 90_000},
		{"two runs at once, a run that fails, a call sent twice", wide, 4_500},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := explore(t, model.Protocol{Bounds: c.bounds})
			if r.Broken != "" {
				t.Errorf("broken: %s", r)
			}
			if r.States < c.atLeast {
				t.Errorf("explored %d states, want at least %d", r.States, c.atLeast)
			}
		})
	}
}

func TestBrokenMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds model.Bounds
		want   string
	}{
		{"a message that is handed back ends as one run", leavingOut(model.HandBackEndsOne, stopped), model.OnePlace},
		{"what follows a cancelled run that is handed back is forgotten", leavingOut(model.CancelDropsRest, cancelled), model.OnePlace},
		{"a cancelled run is tried again", leavingOut(model.CancelRetried, cancelled), model.CancelStands},
		{"a replaced run is tried again", leavingOut(model.CancelRetried, replaces), model.CancelStands},
		{"a cancelled run is closed as lost", leavingOut(model.CancelLost, dropped), model.CancelStands},
		{"a cancelled run is sent again when it is lost", leavingOut(model.CancelLost, cancelled), model.CancelStands},
		{"next is asked once", leavingOut(model.NextAskedOnce, nudged), model.StartsAreHeard},
		{"next starts for a nudge that was answered", leavingOut(model.NextAnyNudge, failing), model.StartsAreHeard},
		{"what follows is told again only while the run is nowhere", leavingOut(model.ResentIfGone, wide), model.StartsAreHeard},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := explore(t, model.Protocol{Bounds: c.bounds})
			if r.Broken != c.want {
				t.Errorf("broken: %q, want %q", r.Broken, c.want)
			}
		})
	}
}

func TestDangerOfMessagesIsReached(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds model.Bounds
		moment func(model.State) bool
	}{
		{"two runs handed back, the job removed, the hand-back sent twice", stopped, func(s model.State) bool {
			c := s.Executors[1].Call
			return c.Back && c.Message.More == 1 && s.Jobs[0].Stage == model.Removed && s.Left.Resends == 0
		}},
		{"a run that was asked to cancel and handed back, another follows", cancelled, func(s model.State) bool {
			c := s.Executors[1].Call
			return c.Back && s.Running[0].Cancel && s.Running[0].More == 1
		}},
		{"a cancelled run whose node is gone, about to be recovered", dropped, func(s model.State) bool {
			return s.Leaders[1].Call.Script == model.Recover && s.Running[0].Cancel && s.Running[0].Owner != 0
		}},
		{"a run withdrawn from backoff while it is promoted", cancelled, func(s model.State) bool {
			return s.Client.Call.Script == model.Withdraw && s.Client.Call.Place == model.InDelayed && s.Delayed[0].Attempt == 0 && s.Stream[0].Attempt == 2
		}},
		{"a run that was replaced and fails", replaces, func(s model.State) bool {
			c := s.Executors[1].Call
			return c.Flag && c.Script == model.Finish && s.Running[c.Run].Cancel
		}},
		{"a next under way whose nudge has been answered", failing, func(s model.State) bool {
			return s.Strays[1].Script == model.Next && s.Strays[1].Entry == 0
		}},
		{"a finish sent again while the run runs elsewhere, and what follows it here", wide, func(s model.State) bool {
			c := s.Executors[1].Call
			return c.Script == model.Finish && c.Message.More == 1 && s.Running[0].Attempt == 2 && s.Running[1].Owner == c.Owner
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := explore(t, seeking{model.Protocol{Bounds: c.bounds}, c.moment}); r.Broken != "found" {
				t.Error("never happens")
			}
		})
	}
}
