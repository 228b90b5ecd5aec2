package scheduler_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon/scheduler"
)

// A loop that hangs, here in what observes it, is told of; one that is idle or busy is not.
func TestLoopThatHangsIsToldOf(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	release, told := make(chan struct{}), make(chan int, 1)
	letGo := sync.OnceFunc(func() { close(release) })
	l, err := scheduler.New(scheduler.Config{
		Store: s.Store, Node: "leader", Stall: 100 * time.Millisecond,
		Stalled: func(partition int, _ time.Duration) { told <- partition },
		Observe: func(scheduler.Observation) { <-release },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx, office(1)) }()
	defer func() { letGo(); cancel(); <-ended }()
	s.eventually("the loop has begun", func() bool {
		return s.raw.Exists(t.Context(), s.key(0, "fence")).Val() == 1
	})
	idle := time.Now()
	s.eventually("an idle loop is left alone for longer than that", func() bool { return time.Since(idle) > 4*time.Second })
	select {
	case <-told:
		t.Fatal("an idle loop was called stalled")
	default:
	}
	s.add("a", s.now(), 3_600_000, once)
	s.eventually("it is told of", func() bool {
		select {
		case <-told:
			return true
		default:
			return false
		}
	})
}
