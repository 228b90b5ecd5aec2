package matrix

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func editFaults() []Fault {
	return []Fault{{
		Name: "edits-during-failover", Says: "jobs added, changed, paused, resumed and removed while leaders are killed", Rounds: 2,
		Promise: "what was acknowledged holds; every due time of every definition ran or has a row",
		Strike: func(ctx context.Context, f *Field) error {
			finish := f.edit(ctx, 6, 1500*time.Millisecond)
			err := errors.Join(f.Rest(ctx, 2*time.Second), killLeader(ctx, f), f.Rest(ctx, 3*time.Second))
			return errors.Join(err, finish())
		},
		Judge: func(f *Field, h history.History) []error {
			f.Figure("edits", "%d", len(h.Ops))
			if len(h.Ops) < 10 {
				return []error{fmt.Errorf("only %d edits were made", len(h.Ops))}
			}
			return nil
		},
	}}
}

// edit runs so many editors, each of a job of its own at a time, with about the given pause between
// two edits. The returned function lets each bring its job to an end, waits, and returns what went
// wrong.
func (f *Field) edit(ctx context.Context, editors int, pause time.Duration) (finish func() error) {
	enough := make(chan struct{})
	ended := make(chan error, editors)
	for range editors {
		e := editor{Field: f, random: rand.New(rand.NewPCG(f.Random.Uint64(), 1)), pause: pause, enough: enough}
		go func() { ended <- e.run(ctx) }()
	}
	return func() error {
		close(enough)
		var errs []error
		for range editors {
			errs = append(errs, <-ended)
		}
		return errors.Join(errs...)
	}
}

// editor edits one job after another until it is enough.
type editor struct {
	*Field
	random *rand.Rand
	pause  time.Duration
	enough chan struct{}
	id     string
}

func (e *editor) run(ctx context.Context) error {
	for {
		if err := e.life(ctx); err != nil {
			return fmt.Errorf("matrix: edit %s: %w", e.id, err)
		}
		if e.done() {
			return nil
		}
	}
}

func (e *editor) done() bool {
	select {
	case <-e.enough:
		return true
	default:
		return false
	}
}

// life adds a job, edits it a few times and removes it.
func (e *editor) life(ctx context.Context) error {
	e.id = fmt.Sprintf("edit-%08x", e.random.Uint32())
	spec := rig.Spec{
		Job: history.Job{ID: e.id, First: e.soon(), Every: 500 * time.Millisecond, MaySkip: true}, URL: e.Witness.URL(0),
	}
	err := e.insist(ctx, func(ctx context.Context) error {
		err := e.Add(ctx, e.Client, spec)
		if errors.Is(err, carillon.ErrConflictingID) {
			return nil // an earlier try, whose answer was lost, has added it
		}
		return err
	})
	if err != nil {
		return err
	}
	for range 1 + e.random.IntN(4) {
		if e.done() {
			break
		}
		op := history.Op{JobID: e.id, Kind: history.OpChange, First: e.soon(), Every: time.Duration(3+e.random.IntN(5)) * 100 * time.Millisecond}
		if e.random.IntN(2) == 0 {
			op = history.Op{JobID: e.id, Kind: history.OpPause}
		}
		if err := e.do(ctx, op); err != nil {
			return err
		}
		if op.Kind == history.OpPause {
			if err := e.do(ctx, history.Op{JobID: e.id, Kind: history.OpResume}); err != nil {
				return err
			}
		}
	}
	return e.do(ctx, history.Op{JobID: e.id, Kind: history.OpRemove})
}

// soon is a time to begin at, soon.
func (e *editor) soon() time.Time {
	return e.Now().Add(time.Duration(200+e.random.IntN(300)) * time.Millisecond)
}

// do makes an edit some time after the one before.
func (e *editor) do(ctx context.Context, op history.Op) error {
	if err := e.Rest(ctx, e.pause/2+time.Duration(e.random.Int64N(int64(e.pause)))); err != nil {
		return err
	}
	return e.insist(ctx, func(ctx context.Context) error { return e.Edit(ctx, e.Client, op) })
}

// insist asks again while the outcome is unknown.
func (e *editor) insist(ctx context.Context, ask func(context.Context) error) error {
	for {
		asked, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ask(asked)
		cancel()
		if err == nil {
			return nil
		}
		if e.Rest(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}
