package matrix

import (
	"context"
	"slices"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// Fault is one row of the table. Name, Says, Promise and Strike are needed.
type Fault struct {
	Name    string // of the scenario, as in "leader-sigkill"
	Says    string // what is done, for readers
	Promise string // what holds then, for readers

	// Rig changes the stack that Play starts, before it is started. Nil changes nothing.
	Rig func(*rig.Config)
	// Nodes is how many nodes Play starts, n1 and on; 0 = 3.
	Nodes int
	// Jobs is how many jobs are due each second; 0 = 10.
	Jobs int
	// Rounds is how often the short form strikes; 0 = once. The long form strikes five times as often.
	Rounds int
	// Exact has the long form strike as often as the short one.
	Exact bool
	// Alone marks what takes the whole machine, so that nothing else is played beside it.
	Alone bool
	// Chaos marks what may be drawn at random to strike a cluster that goes on.
	Chaos bool
	// Strike does the harm and returns when all is whole again.
	Strike func(ctx context.Context, f *Field) error
	// Judge returns what else the history must show, one error each, beyond history.Check. Nil asks
	// for nothing more.
	Judge func(f *Field, h history.History) []error
}

// Table returns all rows, in the order in which they are documented. Names are unique.
func Table() []Fault {
	return slices.Concat(leaderFaults(), longStepFaults(), networkFaults(), etcdFaults(), executorFaults(), nodeFaults(), poisonFaults(), loadFaults(), editFaults(), redisFaults(), serverFaults(), groupFaults(), lastingFaults())
}
