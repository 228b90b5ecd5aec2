package executor_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// backlog is what waits in the streams before an executor begins: per partition the same number of runs, in
// entries of so many messages.
type backlog struct {
	*bench
	partitions, each, shared int

	mu      sync.Mutex
	turn    map[string]int // by run id: its position in its stream, partitions in turn
	started []string       // run ids in the order in which their handlers were called
	open    chan struct{}  // handlers return when it is closed, not before
}

// newBacklog fills the streams. adjust may change each message.
func newBacklog(t *testing.T, partitions, each, shared int, adjust func(*store.Message)) *backlog {
	b := &backlog{bench: newBench(t, partitions), partitions: partitions, each: each, shared: shared, turn: map[string]int{}, open: make(chan struct{})}
	pipe := b.raw.Pipeline()
	for p := range partitions {
		for pos := 0; pos < each; pos += shared {
			var values []any
			for i := range min(shared, each-pos) {
				m := b.message("t")
				adjust(&m)
				b.turn[m.Runs[0].ID] = (pos+i)*partitions + p
				name := "m"
				if shared > 1 {
					name = fmt.Sprintf("m%d", i+1)
				}
				values = append(values, name, m.Encode())
			}
			pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: b.stream(p), Values: values})
		}
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *backlog) stream(partition int) string {
	return strings.Replace(b.prefix, ":0}:", fmt.Sprintf(":%d}:", partition), 1) + "stream:default"
}

// mixed is a handler that notes the order of starts; one run in four takes as long as is said.
func (b *backlog) mixed(slow time.Duration) executor.Handler {
	return func(ctx context.Context, run job.Run) (any, error) {
		b.mu.Lock()
		b.started = append(b.started, run.ID)
		turn := b.turn[run.ID]
		b.mu.Unlock()
		<-b.open
		if turn/b.partitions%4 == 0 {
			ctx, cancel := context.WithTimeout(ctx, slow)
			defer cancel()
			<-ctx.Done()
		}
		return nil, nil
	}
}

func (b *backlog) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.started)
}

// latest is by how many places a run started after its turn, at most.
func (b *backlog) latest() (places int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, id := range b.started {
		places = max(places, i-b.turn[id])
	}
	return places
}

// written is how many messages were ever written to the streams, per run. What is written again is an entry of one
// message.
func (b *backlog) written() float64 {
	b.t.Helper()
	again := int64(0)
	for p := range b.partitions {
		info, err := b.raw.XInfoStream(b.t.Context(), b.stream(p)).Result()
		if err != nil {
			b.t.Fatal(err)
		}
		again += info.EntriesAdded - int64((b.each+b.shared-1)/b.shared)
	}
	return 1 + float64(again)/float64(b.partitions*b.each)
}

func TestOldestFirst(t *testing.T) {
	const places, total = 64, 3000
	for _, tt := range []struct {
		partitions, shared int
		slow               time.Duration
		written            float64
	}{
		{partitions: 1, shared: 1, slow: 100 * time.Millisecond, written: 1.05},
		{partitions: 4, shared: 1, slow: 100 * time.Millisecond, written: 1.05},
		{partitions: 16, shared: 1, slow: 100 * time.Millisecond, written: 1.05},
		{partitions: 4, shared: 8, slow: 100 * time.Millisecond, written: 1.05},
	} {
		t.Run(fmt.Sprintf("%d_partitions_%d_per_entry", tt.partitions, tt.shared), func(t *testing.T) {
			b := newBacklog(t, tt.partitions, total/tt.partitions, tt.shared, func(*store.Message) {})
			m := b.member(map[string]executor.Handler{"t": b.mixed(tt.slow)}, func(c *executor.Config) { c.Concurrency = places })
			close(b.open) // all lines wait for places by now
			want := total / tt.partitions * tt.partitions
			b.until("all runs to start", func() bool { return b.count() == want })
			m.drain()
			t.Logf("%d places late at most, written %.3f times", b.latest(), b.written())
			if late := b.latest(); late > 2*places {
				t.Errorf("a run started %d places after its turn, want at most %d", late, 2*places)
			}
			if w := b.written(); w > tt.written {
				t.Errorf("entries were written %.2f times, want at most %.2f", w, tt.written)
			}
			b.empty()
		})
	}
}

// What a grace cuts off is the end of the backlog, not its beginning.
func TestNothingIsMissedThatHadTime(t *testing.T) {
	const places, total = 64, 3000
	due := time.Now().UnixMilli() // of all, however long it takes to write them
	b := newBacklog(t, 1, total, 1, func(m *store.Message) {
		m.Grace, m.Runs[0].Due = job.Grace(900*time.Millisecond), due
	})
	close(b.open)
	m := b.member(map[string]executor.Handler{"t": b.mixed(100 * time.Millisecond)}, func(c *executor.Config) { c.Concurrency = places })
	missed := map[string]bool{}
	b.until("all runs to start or be missed", func() bool {
		rows, err := b.store.History(t.Context(), "@t", total)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Outcome == job.Missed {
				missed[r.RunID] = true
			}
		}
		return b.count()+len(missed) >= total
	})
	m.drain()
	last := 0
	for _, id := range b.started {
		last = max(last, b.turn[id])
	}
	early := 0
	for id := range missed {
		if b.turn[id] < last-2*places {
			early++
		}
	}
	t.Logf("%d missed, %d of them before their time; last start was of place %d", len(missed), early, last)
	if early > 0 {
		t.Errorf("%d runs were missed that stood before others that ran", early)
	}
	b.empty()
}
