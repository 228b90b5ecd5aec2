package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// PauseExecutor has nodes start no run of an executor, in any partition, until ResumeExecutor: from
// its return on none starts. Runs that nodes have by then go on. One that is paused already stays
// so, with its first reason. op identifies the call for ten minutes. With an error some partitions may have it
// and others not: call it again. ErrUnknownExecutor when no node has ever served the name.
func (s *Store) PauseExecutor(ctx context.Context, op, executor, reason string) error {
	return s.setExecutor(ctx, op, executor, "1", reason)
}

// ResumeExecutor lets nodes start runs of an executor again; one that is not paused stays as it is.
// op and errors are as with PauseExecutor.
func (s *Store) ResumeExecutor(ctx context.Context, op, executor string) error {
	return s.setExecutor(ctx, op, executor, "0", "")
}

func (s *Store) setExecutor(ctx context.Context, op, executor, on, reason string) error {
	known, err := s.Registry(ctx)
	if err != nil {
		return err
	}
	if err := known.KnowsExecutor(executor); err != nil {
		return err
	}
	for p, k := range s.partitions {
		args := append(s.env(), int(opLife.Seconds()), k.wake(), executor, on, clean(reason))
		keys := []string{k.events(), k.jobs(), k.pausedExecutors(), k.op(op)}
		if _, err := s.run(ctx, pauseExecutorScript, keys, args...); err != nil {
			return fmt.Errorf("partition %d of %d, say it again: %w", p+1, len(s.partitions), err)
		}
	}
	return nil
}

// NoteOutage notes that a node has reached a partition again after it could not: for a lease from now on, Start
// answers StartLater for a run whose slot is held by one whose lease was not renewed since.
func (s *Store) NoteOutage(ctx context.Context, partition int, lease time.Duration) error {
	_, err := s.run(ctx, outageScript, []string{s.partitions[partition].outage()}, lease.Milliseconds())
	return err
}

// ExecutorPaused reports whether an executor is paused in one partition.
func (s *Store) ExecutorPaused(ctx context.Context, partition int, executor string) (bool, error) {
	is, err := s.reader.HExists(ctx, s.partitions[partition].pausedExecutors(), executor).Result()
	return is, s.explain("pause state of executor", err)
}

// PausedExecutors returns the executors that are paused in one partition, by name.
func (s *Store) PausedExecutors(ctx context.Context, partition int) (map[string]PauseState, error) {
	all, err := s.reader.HGetAll(ctx, s.partitions[partition].pausedExecutors()).Result()
	if err != nil {
		return nil, s.explain("paused executors", err)
	}
	paused := map[string]PauseState{}
	for name, value := range all {
		paused[name] = s.pauseOf(s.partitions[partition].pausedExecutors(), value)
	}
	return paused, nil
}

// decodePause reads what a pause is stored as.
func decodePause(value string) (PauseState, error) {
	since, reason, _ := strings.Cut(value, "\t")
	n := numbers{}
	p := PauseState{Since: time.UnixMilli(n.read(since)).UTC(), Reason: reason}
	return p, n.unreadable("pause state")
}

// pauseOf is a stored pause. One that cannot be read holds as any other does, since a time nobody knows.
func (s *Store) pauseOf(key, value string) PauseState {
	p, err := decodePause(value)
	if err != nil {
		s.warnOnce("a pause cannot be read, it holds all the same", key, value, "error", err)
		return PauseState{Since: time.UnixMilli(0).UTC(), Reason: "the pause is stored in a form that cannot be read; end it and say it again"}
	}
	return p
}

// ExecutorState is how an executor stands in a store.
type ExecutorState struct {
	Name     string
	Pause    PauseState // the earliest of its partitions; the zero value when none has it
	PausedIn int        // in how many partitions it is paused: not in all while a pause is on its way, or failed
	Backlog  int64      // entries of its streams, waiting or fetched; one may hold several runs
	Running  int        // runs that nodes have now
}

// Executors returns every executor that was ever served from this store, by name. It reads all runs
// that nodes have.
func (s *Store) Executors(ctx context.Context) ([]ExecutorState, error) {
	known, err := s.Registry(ctx)
	if err != nil {
		return nil, err
	}
	states := make([]ExecutorState, len(known.Executors))
	for i, name := range known.Executors {
		states[i].Name = name
		if states[i].Backlog, err = s.StreamLength(ctx, name); err != nil {
			return nil, err
		}
	}
	for p := range s.partitions {
		if err := s.addStates(ctx, p, states); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// addStates adds what one partition knows.
func (s *Store) addStates(ctx context.Context, partition int, states []ExecutorState) error {
	paused, err := s.PausedExecutors(ctx, partition)
	if err != nil {
		return err
	}
	runs, err := s.Running(ctx, partition)
	if err != nil {
		return err
	}
	for i, e := range states {
		if pause, ok := paused[e.Name]; ok {
			if e.PausedIn == 0 || pause.Since.Before(e.Pause.Since) {
				states[i].Pause = pause
			}
			states[i].PausedIn++
		}
		for _, r := range runs {
			if r.Executor == e.Name {
				states[i].Running++
			}
		}
	}
	return nil
}

// HandBack puts entries that a consumer has fetched and not started back into their stream as they
// are. What it does not have pending any more is left alone.
func (s *Store) HandBack(ctx context.Context, c Consumer, entries []string) error {
	for len(entries) > 0 {
		args := []any{group, c.Name}
		for _, id := range entries[:min(len(entries), handBackBatch)] {
			args = append(args, id)
		}
		reply, err := s.run(ctx, handBackScript, []string{s.partitions[c.Partition].stream(c.Executor)}, args...)
		if err != nil {
			return err
		}
		n := numbers{}
		done := n.count(text(reply))
		if n.err != nil || done == 0 || done > len(entries) {
			return fmt.Errorf("store %s: hand back: unexpected answer %q", s.cfg.Name, text(reply))
		}
		entries = entries[done:]
	}
	return nil
}

// handBackBatch is how many entries one call of the script puts back at most.
const handBackBatch = 500
