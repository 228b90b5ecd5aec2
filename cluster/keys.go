package cluster

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// keys makes every etcd key of one cluster.
//
//	key                    written by                      goes with
//	nodes/<name>           the node, when it joins         its lease
//	election/<lease>       the node, when it campaigns     its lease, Resign, StepDown
//	election-<g>/<lease>   the same, for group g from 1 on its lease, Resign, StepDown
//	groups                 the first node, unless it is 1  the next first node
//	epoch                  the first node or caller        never
//	stores/<store>         ClaimStore, AdoptStore          never
type keys struct{ root string }

func keysOf(cluster string) keys { return keys{root: "/carillon/" + cluster + "/"} }

func (k keys) nodes() string               { return k.root + "nodes/" }
func (k keys) node(name string) string     { return k.nodes() + name }
func (k keys) candidates(group int) string { return k.election(group) + "/" }
func (k keys) groups() string              { return k.root + "groups" }
func (k keys) epoch() string               { return k.root + "epoch" }
func (k keys) store(name string) string    { return k.root + "stores/" + name }

// election is the election of a group, as concurrency.NewElection takes it.
func (k keys) election(group int) string {
	if group == 0 {
		return k.root + "election"
	}
	return k.root + "election-" + strconv.Itoa(group)
}

// candidate is the key of the candidate with that lease, as concurrency.Election names it.
func (k keys) candidate(group int, id clientv3.LeaseID) string {
	return fmt.Sprintf("%s%x", k.candidates(group), int64(id))
}

// stood returns the group in whose election a key stands; ok is false for any other key.
func (k keys) stood(key string) (group int, ok bool) {
	election, _, found := strings.Cut(strings.TrimPrefix(key, k.root), "/")
	number, several := strings.CutPrefix(election, "election-")
	switch {
	case !found || !strings.HasPrefix(key, k.root):
		return 0, false
	case !several:
		return 0, election == "election"
	}
	group, err := strconv.Atoi(number)
	return group, err == nil && group > 0 && k.election(group) == k.root+election
}

// maxName bounds names of clusters, nodes and stores, in bytes.
const maxName = 128

// checkName refuses names that could reach into somebody else's keys or upset a log line.
func checkName(kind, name string) error {
	if name == "" {
		return fmt.Errorf("%s name is empty", kind)
	}
	if len(name) > maxName {
		return fmt.Errorf("%s name is longer than %d bytes", kind, maxName)
	}
	bad := func(r rune) bool {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !plain && !strings.ContainsRune("._-:@", r)
	}
	if i := strings.IndexFunc(name, bad); i >= 0 {
		return fmt.Errorf("%s name %q: only letters, digits and . _ - : @ are allowed", kind, name)
	}
	return nil
}

// check refuses what a one-shot call cannot use.
func check(client *clientv3.Client, cluster string) error {
	if client == nil {
		return errors.New("no etcd client given")
	}
	return checkName("cluster", cluster)
}
