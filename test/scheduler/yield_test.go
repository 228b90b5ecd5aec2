package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

// alone is a loop over a Redis of its own, with a patience that no test waits for.
type alone struct {
	*stand
	server *devstack.Redis
	ended  chan error
}

// leadAlone returns once the loop has dispatched a run.
func leadAlone(t *testing.T, elsewhere func(context.Context, *devstack.Redis) bool) alone {
	t.Helper()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := alone{stand: newStandAt(t, server, 2), server: server, ended: make(chan error, 1)}
	l, err := scheduler.New(scheduler.Config{
		Store: s.Store, Lease: lease, Patience: 5 * time.Minute, Observe: s.observe,
		Elsewhere: func(ctx context.Context) bool { return elsewhere(ctx, server) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ended <- l.Run(ctx, office(1))
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	s.works("first")
	return s
}

// works waits until the loop has dispatched a run of a new job.
func (s *alone) works(id string) {
	s.Helper()
	s.eventually("redis answers", func() bool { _, err := s.Now(s.Context(), 0); return err == nil })
	before := s.observed().Dispatched
	s.add(id, s.now(), 3_600_000, once)
	s.eventually("the loop dispatches "+id, func() bool { return s.observed().Dispatched > before })
}

// TestOfficeIsGivenUpSoonWhereAnotherNodeReachesRedis: far sooner than the patience lasts.
func TestOfficeIsGivenUpSoonWhereAnotherNodeReachesRedis(t *testing.T) {
	t.Parallel()
	s := leadAlone(t, func(context.Context, *devstack.Redis) bool { return true })
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("ended with %v, want ErrUnreachable", err)
		}
	case <-time.After(patience):
		t.Fatal("the office is kept although another node reaches Redis")
	}
}

// TestOfficeIsKeptWhileNobodyReachesRedis: giving it up would only make it wander.
func TestOfficeIsKeptWhileNobodyReachesRedis(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	s := leadAlone(t, func(context.Context, *devstack.Redis) bool {
		asked <- struct{}{}
		return false
	})
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case <-asked:
		case err := <-s.ended:
			t.Fatalf("the office ended: %v", err)
		case <-time.After(patience):
			t.Fatal("no other node was asked")
		}
	}
	if err := s.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.works("second")
}

// TestOfficeIsKeptWhenRedisComesBackAsOthersAreAsked: the answer is older than the next try.
func TestOfficeIsKeptWhenRedisComesBackAsOthersAreAsked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	back := make(chan error, 1)
	s := leadAlone(t, func(ctx context.Context, server *devstack.Redis) bool {
		if asked.Add(1) == 1 {
			back <- server.Restart(context.WithoutCancel(ctx))
		}
		return true
	})
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-back:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("no other node was asked")
	}
	s.works("second")
	select {
	case err := <-s.ended:
		t.Errorf("the office ended: %v", err)
	default:
	}
}
