package store

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Suspect is a run of a process that seems to be gone.
type Suspect struct {
	RunID string
	Owner string
	Lease string // its end, as Redis prints it; "" = it has none
}

// Suspects returns the runs of one boot of a node, with their leases as they are now. boot is the "node/boot"
// that begins its owner tokens.
func (s *Store) Suspects(ctx context.Context, partition int, boot string) ([]Suspect, error) {
	runs, err := s.Running(ctx, partition)
	if err != nil {
		return nil, err
	}
	var all []Suspect
	for _, r := range runs {
		if strings.HasPrefix(r.Owner, boot+"/") {
			all = append(all, Suspect{RunID: r.Runs[0].ID, Owner: r.Owner})
		}
	}
	for part := range slices.Chunk(all, callItems) {
		if err := s.readLeases(ctx, partition, part); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *Store) readLeases(ctx context.Context, partition int, suspects []Suspect) error {
	scores := make([]*redis.FloatCmd, len(suspects))
	_, err := s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range suspects {
			scores[i] = p.ZScore(ctx, s.partitions[partition].leases(), suspects[i].RunID)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return s.explain("leases", err)
	}
	for i, score := range scores {
		switch err := score.Err(); {
		case err == nil:
			suspects[i].Lease = scoreText(score.Val())
		case !errors.Is(err, redis.Nil):
			return s.explain("leases", err)
		}
	}
	return nil
}

// scoreText is a score as Redis prints it in scripts.
func scoreText(score float64) string {
	switch {
	case math.IsInf(score, 1):
		return "inf"
	case math.IsInf(score, -1):
		return "-inf"
	case score == math.Trunc(score) && math.Abs(score) < 1<<53:
		return strconv.FormatInt(int64(score), 10)
	}
	return strconv.FormatFloat(score, 'g', 17, 64)
}

// AskToRenew has every node that hears the wakes of a partition renew the leases of its runs at once. The word is
// the one that has always told nodes of a request to cancel, so that nodes of earlier versions answer too.
func (s *Store) AskToRenew(ctx context.Context, partition int) error {
	return s.explain("ask to renew", s.writer.Publish(ctx, s.partitions[partition].wake(), "cancel").Err())
}

// RecoverSuspects takes those of the runs whose owner and lease are still the ones that were read: nobody has
// renewed them since. Their leases need not have ended. It returns how many were taken.
func (s *Store) RecoverSuspects(ctx context.Context, partition int, o Office, suspects []Suspect) (int, error) {
	taken := 0
	for chunk := range slices.Chunk(suspects, 100) {
		n, _, err := s.recoverSome(ctx, partition, o, chunk, true, "node is gone")
		taken += n
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// Owners returns the processes that have runs in a partition, as "node/boot".
func (s *Store) Owners(ctx context.Context, partition int) ([]string, error) {
	runs, err := s.Running(ctx, partition)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, r := range runs {
		node, rest, _ := strings.Cut(r.Owner, "/")
		boot, _, whole := strings.Cut(rest, "/")
		if whole {
			all = append(all, node+"/"+boot)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
