package scheduler

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// watched is a Run of two partitions whose loops are up to the test.
func watched(t *testing.T, stall time.Duration) (r *running, stalled func() []int) {
	t.Helper()
	var mu sync.Mutex
	var told []int
	r = &running{log: hclog.NewNullLogger(), partitions: []*partition{{}, {index: 1}}}
	r.cfg = Config{Stall: stall, Stalled: func(partition int, stood time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if stood < stall {
			t.Errorf("told after %s", stood)
		}
		told = append(told, partition)
	}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.watchdog(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return r, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(told)
	}
}

func TestWatchdogTellsOfALoopThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall = 5 * time.Second
		r, stalled := watched(t, stall)
		for range 40 {
			r.partitions[0].pulse.beat()
			r.partitions[1].pulse.beat()
			time.Sleep(3 * time.Second) // three looks
		}
		if got := stalled(); got != nil {
			t.Fatalf("partitions %v were called stalled while they went on", got)
		}
		// The second hangs from now on.
		for range 4 {
			r.partitions[0].pulse.beat()
			time.Sleep(time.Second)
		}
		if got := stalled(); got != nil {
			t.Fatalf("partitions %v were called stalled too early", got)
		}
		for range 20 {
			r.partitions[0].pulse.beat()
			time.Sleep(time.Second)
		}
		if got := stalled(); !slices.Equal(got, []int{1}) {
			t.Errorf("told of partitions %v, want [1] once", got)
		}
	})
}

func TestWatchdogIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stalled := watched(t, 0)
		time.Sleep(time.Hour)
		if got := stalled(); got != nil {
			t.Errorf("told of partitions %v", got)
		}
	})
}
