package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// askTimeout bounds each one-shot question to etcd.
const askTimeout = 5 * time.Second

// Member is what a node tells the others about itself. It is stored as JSON.
type Member struct {
	// Name identifies the node in its cluster; Boot the process, anew with every start.
	Name string `json:"name"`
	Boot string `json:"boot"`
	// Address is where the node's Listener can be reached, "host:port".
	Address string `json:"address"`
	Version string `json:"version"`
	// Executors maps the executors that the node serves to their concurrency.
	Executors map[string]int `json:"executors"`
	// Tasks are the tasks that the node has handlers for.
	Tasks []string `json:"tasks"`
	// Zones is the version of the node's zone rules, "" for a node that does not say.
	Zones string `json:"zones,omitempty"`
	// Started is when the process started, by its own clock.
	Started time.Time `json:"started"`
}

// Leader is the node in office in a group and its term.
type Leader struct {
	Group int    `json:"-"`
	Name  string `json:"node"`
	Term  int64  `json:"term"`
}

// Members returns the nodes that are members now, ordered by name. Entries that cannot be read,
// which a newer version may have written, are left out.
func Members(ctx context.Context, client *clientv3.Client, cluster string) ([]Member, error) {
	if err := check(client, cluster); err != nil {
		return nil, fmt.Errorf("cluster: list members: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := client.Get(actx, keysOf(cluster).nodes(), clientv3.WithPrefix())
	if err != nil {
		return nil, explain(ctx, client, "list members", err)
	}
	members := make([]Member, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		if m, err := decodeMember(kv.Value); err == nil {
			members = append(members, m)
		}
	}
	return members, nil
}

// CurrentLeader returns the node in office in a group, or nil if there is none.
func CurrentLeader(ctx context.Context, client *clientv3.Client, cluster string, group int) (*Leader, error) {
	if err := check(client, cluster); err != nil {
		return nil, fmt.Errorf("cluster: find leader: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, leader, err := firstCandidate(actx, client, keysOf(cluster), group)
	if err != nil {
		return nil, explain(ctx, client, "find leader", err)
	}
	if leader.Term == 0 {
		return nil, nil
	}
	return &leader, nil
}

// StepDown ends the given term of a group's leader: it deletes the election key if the node in office
// still has that term, and else returns ErrNotInOffice and changes nothing. The lease and the membership of the
// node stay; it learns of it by its watch and may stand again, behind all others. Zero means
// whichever term is in office.
func StepDown(ctx context.Context, client *clientv3.Client, cluster string, group int, term int64) error {
	if err := check(client, cluster); err != nil {
		return fmt.Errorf("cluster: step down: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	key, leader, err := firstCandidate(actx, client, keysOf(cluster), group)
	if err != nil {
		return explain(ctx, client, "step down", err)
	}
	if leader.Term == 0 {
		return fmt.Errorf("cluster: step down: %w: nobody is", ErrNotInOffice)
	}
	if term == 0 {
		term = leader.Term
	}
	if leader.Term != term {
		return fmt.Errorf("cluster: step down: term %d: %w (now %q with term %d)", term, ErrNotInOffice, leader.Name, leader.Term)
	}
	ended, err := deleteCandidate(actx, client, key, term)
	if err != nil {
		return explain(ctx, client, "step down", err)
	}
	if !ended {
		return fmt.Errorf("cluster: step down: term %d: %w (it ended just now)", term, ErrNotInOffice)
	}
	return nil
}

// deleteCandidate deletes an election key if it is still the one that was created at that revision, and
// reports whether it was.
func deleteCandidate(ctx context.Context, client *clientv3.Client, key string, created int64) (bool, error) {
	resp, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", created)).
		Then(clientv3.OpDelete(key)).
		Commit()
	if err != nil {
		return false, err
	}
	return resp.Succeeded, nil
}

func decodeMember(text []byte) (Member, error) {
	var m Member
	if err := json.Unmarshal(text, &m); err != nil {
		return Member{}, fmt.Errorf("cluster: read member: %w", err)
	}
	return m, nil
}
