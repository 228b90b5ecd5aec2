package matrix

import (
	"fmt"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// trialJobs is how many jobs are due each second while takeovers are measured: one each 10 ms, which a
// takeover that is measured by the next run may take longer.
const trialJobs = 100

// Trials returns the scenarios that takeovers are measured with for publication: so many leaders
// killed one after another, two for each five of them told to end, one for each ten stopped; one of
// each at least. In the long form the published bounds apply, without allowance.
func Trials(kills int) []Fault {
	return []Fault{
		trial("takeover-sigkill", "leader killed (SIGKILL)", kills, Fault{
			Promise: "p99 at most 150 ms", Strike: killLeader,
			Judge: func(f *Field, h history.History) []error {
				return quick(f, h, history.Killed, 99, killBound, 6*time.Second)
			},
		}),
		trial("takeover-sigterm", "leader told to end (SIGTERM)", kills*2/5, Fault{
			Promise: "at most 50 ms, nothing run again", Strike: tellLeader,
			Judge: func(f *Field, h history.History) []error {
				return append(quick(f, h, history.Told, 100, toldBound, time.Second), noReruns(h)...)
			},
		}),
		trial("takeover-sigstop", "leader stopped (SIGSTOP), lease 2 s", kills/10, Fault{
			Promise: "at most 3.5 s: the lease and 1.5 s", Strike: stopLeader,
			Judge: func(f *Field, h history.History) []error {
				return quick(f, h, history.Suspended, 100, f.LeaseTTL()+1500*time.Millisecond, f.LeaseTTL()+6*time.Second)
			},
		}),
	}
}

func trial(name, says string, rounds int, f Fault) Fault {
	f.Name, f.Says, f.Rounds, f.Exact = name, says, max(rounds, 1), true
	f.Jobs, f.Alone, f.Rig = trialJobs, true, threeMembers
	return f
}

// quick checks that each leader that was struck was followed, and that the given percentile of the
// takeovers is within the bound of the form that is played.
func quick(f *Field, h history.History, kind history.FaultKind, p int, long, short time.Duration) []error {
	bound := short
	if f.Long {
		bound = long
	}
	bad := takeovers(f, h, kind, time.Minute)
	if took := h.Takeovers(); len(took) > 0 && Percentile(took, p) > bound {
		bad = append(bad, fmt.Errorf("%d takeovers took %s at the %d-th percentile, more than %s",
			len(took), Percentile(took, p), p, bound))
	}
	return bad
}
