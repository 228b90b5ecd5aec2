package executor

import (
	"context"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// BenchmarkHandlers is what a run costs between the answer to its start and its place among the results,
// fifty at a time, with a handler that does nothing but look at its context.
func BenchmarkHandlers(b *testing.B) {
	p := newPool(Config{Name: "default", Concurrency: 100, Node: "n", Boot: "b", Handler: func(string) (Handler, bool) {
		return func(ctx context.Context, _ job.Run) (any, error) { return nil, ctx.Err() }, true
	}})
	l := newLine(p, 0, "default", newFake(), 0)
	m, err := store.DecodeMessage(entry("a").Bodies[0])
	if err != nil {
		b.Fatal(err)
	}
	work, end := context.WithCancelCause(b.Context())
	defer end(nil)
	p.tally.add(1)
	b.ReportAllocs()
	for b.Loop() {
		const batch = 50
		p.slots.take(batch)
		sent := p.cfg.Now()
		for range batch {
			l.begin(work, &m, "n/b/1", sent, 1)
		}
		for n := 0; n < batch; {
			<-l.out.filled
			for _, a := range l.out.take(nil, batch, true) {
				l.settle(a)
				n++
			}
		}
	}
}
