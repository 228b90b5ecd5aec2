package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

// A store that is emptied under its leader has nothing due; that must not pass for a quiet day.
func TestStoreEmptiedUnderItsLeaderEndsTheOffice(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	l, err := scheduler.New(scheduler.Config{Store: s.Store, Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(t.Context(), office(1)) }()
	s.eventually("office is taken", func() bool { return s.raw.Exists(t.Context(), s.key(0, "fence")).Val() == 1 })
	if err := s.raw.Del(t.Context(), s.key(0, "meta"), s.key(0, "fence"), s.key(0, "registry")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, store.ErrStoreLost) {
		t.Errorf("ended with %v, want ErrStoreLost", err)
	}
	if n := s.raw.Exists(t.Context(), s.key(0, "fence"), s.key(0, "meta")).Val(); n != 0 {
		t.Error("something was made anew")
	}
}

// What a cut append-only file loses shows in the sequence of dispatches: it is told once, and the
// schedule goes on.
func TestSequenceThatWentBackIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	var told []job.Event
	l, err := scheduler.New(scheduler.Config{
		Store: s.Store, Lease: lease, Listen: func(e job.Event) { told = append(told, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	fence := s.key(0, "fence")
	if err := s.raw.HSet(t.Context(), fence, "seq", 40).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.raw.HSet(t.Context(), fence, "seq", 33).Err(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go func() { ended <- l.Run(ctx, office(1)) }()
	s.eventually("the sequence is set right", func() bool { return s.raw.HGet(t.Context(), fence, "seq").Val() == "40" })
	s.eventually("an event", func() bool {
		events, _, err := s.Events(t.Context(), nil, 0)
		return err == nil && slices.ContainsFunc(events, func(e job.Event) bool { return e.Kind == job.StoreRolledBack })
	})
	s.add("later", s.now()+20, 1000, once)
	s.eventually("a dispatch", func() bool { return s.raw.HGet(t.Context(), fence, "seq").Val() == "41" })
	end()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if len(told) != 1 || told[0].Kind != job.StoreRolledBack {
		t.Errorf("told of %v, want one %s", told, job.StoreRolledBack)
	}
}
