package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

// leadPart runs a loop on some partitions until the test ends, and returns where its error comes.
func (s *stand) leadPart(term int64, partitions ...int) chan error {
	s.Helper()
	l, err := scheduler.New(scheduler.Config{Store: s.Store, Partitions: partitions, Lease: s.lease, Observe: s.observe})
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() {
		err := l.Run(ctx, office(term))
		ended <- err
		ended <- err
	}()
	s.Cleanup(func() { cancel(); <-ended })
	return ended
}

// inEach adds a job that is due once, at once, to every partition, and returns their ids.
func (s *stand) inEach(name string) []string {
	ids := make([]string, s.Partitions())
	for i, left := 0, len(ids); left > 0; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		if p := s.PartitionOf(id); ids[p] == "" {
			s.add(id, s.now(), 3_600_000, once)
			ids[p], left = id, left-1
		}
	}
	return ids
}

// TestLoopsShareTheStore: each of two loops fires its own partitions only, and one that is fenced out
// of them leaves the other alone.
func TestLoopsShareTheStore(t *testing.T) {
	t.Parallel()
	s := newStand(t, 4)
	even := s.leadPart(5, 0, 2)
	first := s.inEach("first")
	s.eventually("the even partitions are fired", func() bool { return !s.exists(first[0]) && !s.exists(first[2]) })
	if !s.exists(first[1]) || !s.exists(first[3]) {
		t.Error("partitions of nobody were fired")
	}
	odd := s.leadPart(6, 3, 1)
	s.eventually("the odd partitions are fired", func() bool { return !s.exists(first[1]) && !s.exists(first[3]) })
	if err := s.TakeOffice(t.Context(), 1, office(7)); err != nil {
		t.Fatal(err)
	}
	s.inEach("second") // has the odd loop write
	if err := <-odd; !errors.Is(err, store.ErrFenced) {
		t.Errorf("the odd loop ended with %v, want ErrFenced", err)
	}
	third := s.inEach("third")
	s.eventually("the even partitions are fired further", func() bool { return !s.exists(third[0]) && !s.exists(third[2]) })
	if !s.exists(third[1]) {
		t.Error("a partition was fired from which its loop was fenced out")
	}
	select {
	case err := <-even:
		t.Errorf("the even loop ended too, with %v", err)
	default:
	}
}

func TestLoopRefusesPartitionsThatAreNotThere(t *testing.T) {
	t.Parallel()
	s := newStand(t, 2)
	for _, bad := range [][]int{{2}, {-1}, {0, 0}} {
		_, err := scheduler.New(scheduler.Config{Store: s.Store, Partitions: bad})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("partition %d", bad[len(bad)-1])) {
			t.Errorf("partitions %v: %v", bad, err)
		}
	}
}
