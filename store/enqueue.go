package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

// Pause stops the schedule times of every partition, or resumes them, and returns when every
// partition has it.
func (s *Store) Pause(ctx context.Context, pause bool, reason string) error {
	on := "0"
	if pause {
		on = "1"
	}
	var short error
	for _, k := range s.partitions {
		args := append(s.env(), k.wake(), on, clean(reason))
		_, err := s.run(ctx, pauseScript, []string{k.events(), k.jobs(), k.paused()}, args...)
		if refused(err) {
			return err
		}
		short = errors.Join(short, err)
	}
	return short
}

// IsPaused reports whether any partition's schedule times are paused.
func (s *Store) IsPaused(ctx context.Context) (bool, error) {
	for _, k := range s.partitions {
		n, err := s.reader.Exists(ctx, k.paused()).Result()
		if err != nil {
			return false, s.explain("pause state", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// RunningRun is a run that a node has now.
type RunningRun struct {
	Message   // as it was started; its first run is the one that runs
	Partition int
	Owner     string
	Node      string
	Started   int64 // Unix ms
	Cancelled bool  // somebody asked to cancel it
}

// Running returns the runs of one partition that nodes have now.
func (s *Store) Running(ctx context.Context, partition int) ([]RunningRun, error) {
	values, err := s.reader.HVals(ctx, s.partitions[partition].running()).Result()
	if err != nil {
		return nil, s.explain("running", err)
	}
	runs := make([]RunningRun, 0, len(values))
	for _, v := range values {
		r, err := decodeRunning(v)
		if err != nil { // it is recovered, or laid aside, when its lease ends
			s.warnOnce("entry of running cannot be read", s.partitions[partition].running(), v[:min(len(v), 200)], "error", err)
			continue
		}
		r.Partition = partition
		runs = append(runs, r)
	}
	return runs, nil
}

func decodeRunning(value string) (RunningRun, error) {
	head, body, _ := strings.Cut(value, "\n")
	f := strings.Split(head, "\t")
	if version, _, _ := strings.Cut(body, "\t"); len(f) != 6 && !newerFormat(version) {
		return RunningRun{}, fmt.Errorf("store: running: %w: %d fields", ErrUnreadable, len(f))
	}
	m, err := DecodeMessage(body)
	if err != nil {
		return RunningRun{}, err
	}
	n := numbers{}
	r := RunningRun{Message: m, Owner: f[0], Started: n.read(f[1]), Cancelled: f[5] == "1"}
	r.Attempt = n.count(f[2])
	if r.Started < 0 || len(f[5]) != 1 || f[5][0] < '0' || f[5][0] > '9' { // scripts could not read it either
		n.note(fmt.Errorf("head %.40q", head))
	}
	r.Node, _, _ = strings.Cut(f[0], "/")
	return r, n.unreadable("running")
}

// CancelJob asks the nodes that have runs of the removed job to cancel them, and returns how
// many were asked.
func (s *Store) CancelJob(ctx context.Context, jobID, uid string) (int, error) {
	partition := s.PartitionOf(jobID)
	runs, err := s.Running(ctx, partition)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range runs {
		if r.UID != uid {
			continue
		}
		asked, err := s.cancelRunning(ctx, s.partitions[partition], r.Runs[0].ID)
		if err != nil {
			return n, err
		}
		if asked {
			n++
		}
	}
	return n, nil
}

// Note appends events that no other call raises: a node joined, a leader was lost, and so on.
func (s *Store) Note(ctx context.Context, partition int, events ...job.Event) error {
	k := s.partitions[partition]
	args := s.env()
	for _, e := range events {
		args = append(args, EventLine(e))
	}
	_, err := s.run(ctx, noteScript, []string{k.events(), k.jobs()}, args...)
	return err
}

// Wakes calls f for every message on the wake channels: with the next run time a change brought,
// "cancel", "executor" (one was paused or resumed), or "". It calls f with "subscribed" after each (re)subscription, since messages sent
// before are lost, and returns when ctx ends.
func (s *Store) Wakes(ctx context.Context, f func(partition int, what string)) error {
	channels := make([]string, len(s.partitions))
	at := map[string]int{}
	for p, k := range s.partitions {
		channels[p] = k.wake()
		at[channels[p]] = p
	}
	sub := s.reader.Subscribe(ctx, channels...)
	defer func() { _ = sub.Close() }()
	check := 15 * time.Second
	if s.cfg.Dial != nil {
		check = 30 * 24 * time.Hour
	}
	msgs := sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(check))
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, ok := <-msgs:
			if !ok {
				return fmt.Errorf("store %s: wakes: subscription closed", s.cfg.Name)
			}
			switch m := m.(type) {
			case *redis.Subscription:
				f(at[m.Channel], "subscribed")
			case *redis.Message:
				f(at[m.Channel], m.Payload)
			}
		}
	}
}
