package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// With a replica that copies, every mutation of a client is answered as without; a repeat too.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1", master.Addr()[strings.LastIndexByte(master.Addr(), ':')+1:])
	copied := connect(t, replica.URL())
	awaitLink(t, copied)
	s := openStore(t, store.Config{URL: master.URL(), Create: true, WaitReplicas: 1})
	must(t, s.Register(patience(t), []string{"default"}, []string{"t"}))
	e := dueJob("j", 1)
	for range 2 { // the second is a repeat of the op, which writes nothing
		must(t, s.Add(patience(t), "op", e))
		if n := copied.HLen(patience(t), "{default:0}:jobs").Val(); n != 1 {
			t.Fatalf("the replica has %d jobs when the call returns", n)
		}
	}
	if err := s.Add(patience(t), "op2", e); !errors.Is(err, store.ErrConflictingID) {
		t.Errorf("a second add: %v", err)
	}
	must(t, connect(t, master.URL()).ScriptFlush(patience(t)).Err(), s.Pause(patience(t), true, "x"))

	lone := connect(t, master.URL())
	must(t, copied.Do(patience(t), "REPLICAOF", "NO", "ONE").Err())
	for lone.Do(patience(t), "WAIT", 1, 1).Val() != int64(0) {
		pauseBriefly(t)
	}
	tooFew(t, s)
	if n := lone.XLen(patience(t), "{default:0}:stream:default").Val(); n != 1 {
		t.Errorf("%d runs are stored, want the one that was enqueued", n)
	}
}

// tooFew makes mutations that no replica gets: each is carried out and says so beside its answer.
func tooFew(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := patience(t)
	e, err := s.Get(ctx, "j")
	must(t, err)
	answer, err := s.Enqueue(ctx, 0, "op3", "run", time.Hour, "", "", []store.Message{adHoc("run")})
	if answer != "run" {
		t.Errorf("enqueue answers %q", answer)
	}
	calls := map[string]error{
		"enqueue": err,
		"update":  s.Update(ctx, "op4", e, e, job.JobModified, ""),
		"pause":   s.Pause(ctx, false, ""),
		"add":     s.Add(ctx, "op5", dueJob("k", 1)),
	}
	_, calls["remove"] = s.Remove(ctx, "op6", "j")
	for name, err := range calls {
		if !errors.Is(err, store.ErrNotReplicated) || !strings.Contains(err.Error(), "0 of 1") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := s.Get(ctx, "k"); err != nil {
		t.Errorf("the added job: %v", err)
	}
	if _, err := s.Get(ctx, "j"); !errors.Is(err, store.ErrJobNotFound) {
		t.Errorf("the removed job: %v", err)
	}
}

// In a cluster the server that has the keys is waited for.
func TestWaitReplicasInCluster(t *testing.T) {
	t.Parallel()
	s := openStore(t, store.Config{URL: startCluster(t), Create: true, Partitions: 3, WaitReplicas: 1})
	must(t, s.Register(patience(t), []string{"default"}, []string{"t"}))
	if err := s.Add(patience(t), "op", dueJob("j", 1)); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Get(patience(t), "j"); err != nil {
		t.Error(err)
	}
}

func awaitLink(t *testing.T, replica *redis.Client) {
	t.Helper()
	ctx := patience(t)
	for !strings.Contains(replica.Info(ctx, "replication").Val(), "master_link_status:up") {
		must(t, ctx.Err())
		pauseBriefly(t)
	}
}

func pauseBriefly(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	<-ctx.Done()
}
