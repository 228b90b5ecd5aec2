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

func (t *trouble) clear() {
	if t.failed > 0 {
		t.log.Info("executor works again", "doing", t.doing, "failures", t.failed)
	}
	t.failed = 0
}

// delay grows with each failure, up to limit, and is spread by half.
func (t *trouble) delay(limit time.Duration) time.Duration {
	d := min(firstPause<<min(max(t.failed-1, 0), 10), lastPause, limit)
	return time.Duration(float64(d) * (0.5 + t.rand()/2))
}

// pause waits for the delay; it returns early when ctx ends.
func (t *trouble) pause(ctx context.Context) {
	timer := time.NewTimer(t.delay(lastPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
