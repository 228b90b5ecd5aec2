package matrix

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// Field is the running cluster that a fault strikes.
type Field struct {
	*rig.Stack
	Client *carillon.Client
	Random *rand.Rand
	// Long asks for the bounds of the documentation; else they are generous.
	Long bool
	// Say tells what happens, for people.
	Say func(format string, args ...any)

	mu      sync.Mutex
	figures map[string]string
	fresh   int               // nodes that were given a new name
	before  map[*rig.Node]int // goroutines, see usage
}

// usage reads how many goroutines each running node has.
func (f *Field) usage(ctx context.Context) (map[*rig.Node]int, error) {
	found := map[*rig.Node]int{}
	for _, n := range f.Running() {
		count, err := n.Metric(ctx, "go_goroutines")
		if err != nil {
			return nil, err
		}
		found[n] = int(count)
	}
	return found, nil
}

// Figure records a number that the result shows beside the tally.
func (f *Field) Figure(name, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.figures == nil {
		f.figures = map[string]string{}
	}
	f.figures[name] = fmt.Sprintf(format, args...)
}

// Within is the bound in the long form, and three times it in the short one, which shares its two
// cores with other scenarios.
func (f *Field) Within(bound time.Duration) time.Duration {
	if f.Long {
		return bound
	}
	return 3 * bound
}

// Rest lets processes work for a while: how long a harm lasts, or when it comes.
func (f *Field) Rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Office returns the leader's process and its term. It waits for one.
func (f *Field) Office(ctx context.Context) (*rig.Node, history.Term, error) {
	for {
		n, term, err := f.Leader(ctx, 0)
		if err != nil || n != nil {
			return n, term, err
		}
		if err := f.Rest(ctx, 20*time.Millisecond); err != nil { // it died, and etcd is yet to say so
			return nil, term, fmt.Errorf("matrix: no leader runs: %w", err)
		}
	}
}

// Follower returns a node that is not in office, at random.
func (f *Field) Follower(ctx context.Context) (*rig.Node, error) {
	_, term, err := f.Office(ctx)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(f.Running(), func(n *rig.Node) bool { return n.Name == term.Node })
	if len(others) == 0 {
		return nil, fmt.Errorf("matrix: no node but the leader %s runs", term.Node)
	}
	return others[f.Random.IntN(len(others))], nil
}

// Replace starts a node in the place of one that has ended, under its name or a new one, and
// returns when it is ready.
func (f *Field) Replace(ctx context.Context, name string) error {
	if f.Random.IntN(2) == 0 {
		f.fresh++
		name = fmt.Sprintf("x%d", f.fresh)
	}
	return f.StartNodes(ctx, name)
}

// Succeeded returns when a leader with a higher term than the fault's is there, and a run that was
// due after it took office has arrived.
func (f *Field) Succeeded(ctx context.Context, fault history.Fault) error {
	if _, err := f.Watch.Leader(ctx, fault.Term); err != nil {
		return err
	}
	return f.Runs(ctx, f.Now())
}

// Runs returns when a run that was due after the given time has arrived.
func (f *Field) Runs(ctx context.Context, after time.Time) error {
	return f.Witness.Wait(ctx, "a run due after "+after.UTC().Format("15:04:05.000"), func(seen []history.Execution) bool {
		return len(seen) > 0 && seen[len(seen)-1].Scheduled.After(after)
	})
}

// Mend returns when a node that was hurt and lives is ready, or, when it ended by itself, which a
// node does that finds it was out for longer than its lease, when another is in its place.
func (f *Field) Mend(ctx context.Context, n *rig.Node) error {
	for {
		select {
		case <-n.Done():
			return f.Replace(ctx, n.Name)
		default:
		}
		if n.Healthy(ctx) {
			return nil
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: %s is not ready again: %w", n.Name, err)
		}
	}
}
