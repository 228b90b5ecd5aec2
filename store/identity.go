package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

// UID identifies the stored data: it changes only when the database is emptied or replaced, and the
// new one is accepted with Follow.
func (s *Store) UID() string { return *s.uid.Load() }

// Verify returns ErrStoreLost if a partition is not what was opened: it was emptied meanwhile, or
// replaced by another. It also notes how far the partition was dispatched, which Due compares.
func (s *Store) Verify(ctx context.Context, partition int) error {
	k := s.partitions[partition]
	var uid, seq *redis.StringCmd
	known := s.UID()
	_, err := s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
		uid, seq = p.HGet(ctx, k.meta(), "uid"), p.HGet(ctx, k.fence(), "seq")
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return s.explain("verify", err)
	}
	if uid.Val() != known {
		return s.replaced(partition, uid.Val())
	}
	n := numbers{}
	s.sequences[partition].atLeast(n.orZero(seq.Val()))
	return n.unreadable("verify")
}

// VerifyAll is Verify of every partition: one that was lost, if any was, else the first error.
func (s *Store) VerifyAll(ctx context.Context) error {
	faults := slices.DeleteFunc(s.VerifyEach(ctx), func(err error) bool { return err == nil })
	for _, err := range faults {
		if errors.Is(err, ErrStoreLost) {
			return err
		}
	}
	if len(faults) > 0 {
		return faults[0]
	}
	return nil
}

// VerifyEach is Verify of every partition, all at once, so that those of a server that is gone hold up
// nobody: an error, or nil, for each.
func (s *Store) VerifyEach(ctx context.Context) []error {
	faults := make([]error, len(s.partitions))
	var asked sync.WaitGroup
	for p := range s.partitions {
		asked.Go(func() { faults[p] = s.Verify(ctx, p) })
	}
	asked.Wait()
	return faults
}

// Follow goes on with what is in the database now if every partition of it has the given uid, which is
// what an operator has accepted; else ErrStoreLost. A database with another number of partitions needs
// a new Open. What this process knew of the old one is forgotten.
func (s *Store) Follow(ctx context.Context, uid string) error {
	if _, err := uuid.Parse(uid); err != nil {
		return fmt.Errorf("store %s: follow: %w: uid %q", s.cfg.Name, ErrUnreadable, uid)
	}
	for p, k := range s.partitions {
		got, err := s.reader.HMGet(ctx, k.meta(), "uid", "partitions", "format").Result()
		if err != nil {
			return s.explain("follow", err)
		}
		if text(got[0]) != uid {
			return s.replaced(p, text(got[0]))
		}
		if text(got[1]) != strconv.Itoa(len(s.partitions)) || text(got[2]) != storeFormat {
			return fmt.Errorf("store %s: %w: the accepted database has %s partitions and format %s, the old one had %d and %s; restart the nodes",
				s.cfg.Name, ErrStoreLost, text(got[1]), text(got[2]), len(s.partitions), storeFormat)
		}
	}
	s.know(uid)
	return nil
}

// know takes the database with this uid for the store's.
func (s *Store) know(uid string) {
	for p := range s.sequences {
		s.sequences[p].known.Store(0)
	}
	s.uid.Store(&uid)
}

// Accept opens the fences to the given incarnation of etcd, and returns whether one was closed to it:
// the operator's word that etcd was rebuilt or restored. Offices under the old one are refused from then on.
func (s *Store) Accept(ctx context.Context, epoch string) (bool, error) {
	if epoch == "" {
		return false, fmt.Errorf("store %s: accept: epoch is empty", s.cfg.Name)
	}
	any := false
	for _, k := range s.partitions {
		reply, err := s.run(ctx, acceptScript, []string{k.fence()}, epoch)
		if err != nil {
			return any, err
		}
		any = any || text(reply) == "1"
	}
	return any, nil
}

// NoteRolledBack raises the event store_rolled_back after Due found that the dispatch sequence went
// back: Redis has lost its latest writes. It returns false if another has raised it. Run ids make it
// safe to go on: what is dispatched again is the same run.
func (s *Store) NoteRolledBack(ctx context.Context, partition int, o Office, due Due) (bool, error) {
	k := s.partitions[partition]
	cause := fmt.Sprintf("redis has lost its latest writes: %d dispatches of partition %d are gone", due.Known-due.Sequence, partition)
	event := EventLine(job.Event{Kind: job.StoreRolledBack, Node: s.cfg.Node, Term: o.Term, Cause: cause})
	t, err := s.office(ctx, rolledBackScript, o, []string{k.events(), k.jobs(), k.fence()}, due.Known, event)
	return err == nil && t[0] == "OK", err
}

// life names the process of Redis that serves a partition: each orders its hashes in a way of its own.
// It is empty where INFO is not to be had.
func (s *Store) life(ctx context.Context, k keys) (string, error) {
	server, err := s.serverOf(ctx, k)
	if err != nil {
		return "", s.explain("info", err)
	}
	info, err := server.Info(ctx, "server").Result()
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return "", s.explain("info", err)
	}
	return parseInfo(info)["run_id"], nil
}

func (s *Store) lost(how string) error {
	return fmt.Errorf("store %s: %w: %s; restore the database, or accept this one with: carillon store adopt --store-name %s, then carillon store import FILE", s.cfg.Name, ErrStoreLost, how, s.cfg.Name)
}

func (s *Store) replaced(partition int, uid string) error {
	if uid == "" {
		return s.lost(fmt.Sprintf("partition %d has been emptied", partition))
	}
	return s.lost(fmt.Sprintf("partition %d has been replaced by one of the store %s", partition, uid))
}
