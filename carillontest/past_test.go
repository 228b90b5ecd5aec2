package carillontest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest/internal/memory"
	"github.com/carillon-project/carillon/store"
)

// alone runs a node over a server of its own, until the returned function is called.
func alone(t *testing.T, cfg store.Config) (*carillon.Client, func()) {
	t.Helper()
	server := memory.New()
	cfg.URL, cfg.Dial, cfg.Node, cfg.Create = "redis://memory", server.Dial, "n", true
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	n, err := carillon.NewNode(carillon.Config{Name: "n", Etcd: []string{"memory"}, Redis: cfg.URL, RunLease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	n.HandleFunc("fine", func(context.Context, carillon.Run) (any, error) { return nil, nil })
	a := &carillon.Alone{Node: n, Store: s, Rest: time.Minute, Grace: time.Minute}
	if err := a.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, ctx) }()
	return a.Client(), func() {
		synctest.Wait()
		cancel()
		synctest.Wait()
		server.Release()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
		server.Close()
	}
}

// A store that has run ten times as long as it keeps the past has no more of it than its limits and
// ages allow.
func TestThePastIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const life, lag = 10 * time.Minute, 2 * time.Minute // lag is how late the leader may tidy up
		c, end := alone(t, store.Config{HistoryLimit: 20, HistoryTTL: life, HistoryAge: life, EventAge: life})
		defer end()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		rows := func(id string) int {
			t.Helper()
			all, err := c.History(t.Context(), id, 1_000_000)
			must(err)
			return len(all)
		}
		for id, every := range map[string]time.Duration{"often": 10 * time.Second, "seldom": 2 * time.Minute} {
			_, err := c.AddJob(t.Context(), carillon.Job{ID: id, Task: "fine", Trigger: carillon.Every(every)})
			must(err)
		}
		for round := range 10 {
			for range 10 {
				_, err := c.Enqueue(t.Context(), "fine", nil)
				must(err)
			}
			_, err := c.AddJob(t.Context(), carillon.Job{ID: fmt.Sprint("gone", round), Task: "fine", Trigger: carillon.At(time.Now())})
			must(err)
			time.Sleep(life + time.Second)
		}
		for id, most := range map[string]int{"often": 20, "@fine": 10, "seldom": int((life + lag) / (2 * time.Minute)), "gone0": 0} {
			if n := rows(id); n > most || n == 0 && most > 0 {
				t.Errorf("the history of %s has %d rows, at most %d are due to be kept", id, n, most)
			}
		}
		events, err := c.Events(t.Context())
		must(err)
		if len(events) == 0 || time.Since(events[0].Time) > life+lag {
			t.Errorf("%d events, the oldest of %s, at %s", len(events), events[0].Time, time.Now())
		}
	})
}
