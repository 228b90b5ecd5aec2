package store

import (
	"context"
	"time"
)

// Held is a run that this node has: what Renew and Finish identify it by.
type Held struct {
	RunID string
	Owner string
	// Bytes is about how long its message is: a call of Renew makes Redis read it. Finish does not need it.
	Bytes int
}

// Renewal is the answer for one run.
type Renewal string

// The answers of Renew.
const (
	Renewed      Renewal = "OK"
	RenewLost    Renewal = "LOST"   // somebody else may run it: stop, and report nothing
	RenewCancels Renewal = "CANCEL" // kept, but somebody asked to cancel it
)

// Renew keeps the leases of runs of one partition for another lease length.
func (s *Store) Renew(ctx context.Context, partition int, lease time.Duration, held []Held) ([]Renewal, error) {
	answers := make([]Renewal, 0, len(held))
	for from, to := range portions(len(held), func(i int) weight { return weight{bytes: held[i].Bytes} }) {
		some, err := s.renewSome(ctx, s.partitions[partition], lease, held[from:to])
		if err != nil {
			return nil, err
		}
		answers = append(answers, some...)
	}
	return answers, nil
}

func (s *Store) renewSome(ctx context.Context, k keys, lease time.Duration, held []Held) ([]Renewal, error) {
	args := []any{lease.Milliseconds()}
	for _, h := range held {
		args = append(args, h.RunID, h.Owner)
	}
	reply, err := s.run(ctx, renewScript, []string{k.running(), k.leases()}, args...)
	if err != nil {
		return nil, err
	}
	answers := make([]Renewal, len(held))
	for i, t := range tags(reply) {
		answers[i] = Renewal(t)
	}
	return answers, nil
}
