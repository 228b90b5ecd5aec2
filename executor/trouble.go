package executor

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// trouble is the state of something that is tried again and again. It logs when the state changes
// and says how long to wait. It belongs to one goroutine.
type trouble struct {
	log    hclog.Logger
	doing  string
	rand   func() float64
	failed int // in a row
}

func (t *trouble) note(err error) {
	if t.failed == 0 {
		t.log.Warn("executor cannot reach what it needs, trying again", "doing", t.doing, "error", err)
	}
	t.failed++
}

// clear notes that it worked, and reports whether it had failed before.
func (t *trouble) clear() (ended bool) {
	ended = t.failed > 0
	if ended {
		t.log.Info("executor works again", "doing", t.doing, "failures", t.failed)
	}
	t.failed = 0
	return ended
}

// delay grows with each failure, up to limit, and is spread by half.
func (t *trouble) delay(limit time.Duration) time.Duration {
	d := min(firstPause<<min(max(t.failed-1, 0), 10), lastPause, limit)
	return time.Duration(float64(d) * (0.5 + t.rand()/2))
}

// pause waits for the delay; it returns early when ctx ends, or wake is heard of.
func (t *trouble) pause(ctx context.Context, wake ...<-chan struct{}) {
	var early <-chan struct{}
	if len(wake) > 0 {
		early = wake[0]
	}
	timer := time.NewTimer(t.delay(lastPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-early:
	case <-timer.C:
	}
}
