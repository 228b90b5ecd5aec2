package carillon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

// ErrZoneRules is wrapped when a store follows other zone rules than this process has: a node does not stand for
// leader, and a client does not find next times of triggers in a zone other than UTC.
var ErrZoneRules = errors.New("other zone rules than the store's")

// zonesAnswer bounds how long a node that has just been elected waits for Redis to name a store's zone rules.
const zonesAnswer = time.Second

// foreignZones is since when stores follow rules that no other living node has.
type foreignZones struct {
	mu    sync.Mutex
	since map[string]time.Time // by the version of the store's rules
}

// zonesAllow says why this node must not lead a group: a store of it follows other zone rules, which a
// living node has. Rules of a newer IANA release may take the store forward at any time. Other rules may once
// no node with the store's has been a member for two lengths of the lease, so that a node that is restarted
// finds the store as it left it. The leader that follows then gives jobs the times of its own rules.
//
// A store that does not answer says nothing: whether the node can lead is then for others to judge.
func (r *running) zonesAllow(ctx context.Context, group int) error {
	mine := r.zones
	for _, name := range r.client.Stores() {
		s := r.client.stores[name]
		for _, p := range r.partitionsOf(s, group) {
			asking, done := context.WithTimeout(ctx, zonesAnswer)
			theirs, err := s.ZoneRules(asking, p)
			done()
			if err != nil {
				r.log.Debug("zone rules of the store not read", "store", name, "error", err)
				break
			}
			if theirs == "" || theirs == mine || trigger.NewerZones(mine, theirs) {
				continue
			}
			if why := r.keepers(theirs); why != "" {
				return fmt.Errorf("carillon: store %s: %w: the store follows %s, this node has %s: it runs jobs and does not lead (%s); give all nodes the same release, or the same --zoneinfo FILE",
					name, ErrZoneRules, theirs, mine, why)
			}
		}
	}
	return nil
}

// keepers says who keeps a store at its rules; "" when nobody has for long enough.
func (r *running) keepers(theirs string) string {
	f := &r.foreign
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range r.ring.Members() {
		if m.Zones == theirs && m.Boot != r.boot {
			delete(f.since, theirs)
			return "node " + m.Name + " has the store's"
		}
	}
	now := r.cfg.Now()
	if f.since == nil {
		f.since = map[string]time.Time{}
	}
	if f.since[theirs].IsZero() {
		f.since[theirs] = now
	}
	if patience := 2 * r.cfg.LeaseTTL; now.Sub(f.since[theirs]) < patience {
		return fmt.Sprintf("it will when no node with the store's has lived for %s", patience)
	}
	return ""
}
