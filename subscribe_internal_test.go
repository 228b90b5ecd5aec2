package carillon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/carillon-project/carillon/store"
)

// ailing is a log that cannot be read for the first failures readings, and then has one event for
// each reading that was begun where the last one ended.
type ailing struct {
	failures int
	asked    int
}

func (a *ailing) Events(ctx context.Context, after store.Cursor, block time.Duration) ([]Event, store.Cursor, error) {
	if a.asked++; a.asked <= a.failures {
		return nil, nil, errors.New("connection refused")
	}
	rest(ctx, block)
	return []Event{{RunID: after[0]}}, store.Cursor{after[0] + "+"}, nil
}

func TestSubscriptionOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log, out := &ailing{failures: 1000}, make(chan Event)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			follow(ctx, log, store.Cursor{"begin"}, out)
		}()
		began := time.Now()
		if e := <-out; e.RunID != "begin" {
			t.Errorf("after the outage it went on at %q", e.RunID)
		}
		// Six pauses from 50 ms to 1.6 s, 994 of two seconds, and one reading.
		want := 3150*time.Millisecond + 994*2*time.Second + time.Second
		if took := time.Since(began); took != want {
			t.Errorf("1000 failed readings took %s, want %s", took, want)
		}
		if e := <-out; e.RunID != "begin+" {
			t.Errorf("then it went on at %q", e.RunID)
		}
		cancel()
		<-ended
	})
}
