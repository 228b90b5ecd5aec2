package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// roster is what the watch has said so far about members and candidates.
type roster struct {
	keys keys

	mu         sync.Mutex
	nodes      map[string]Member // by key
	candidates map[string]Leader // by key

	turned  bell // when the leader or its boot has changed
	moved   bell // when a member came or went
	shifted bell // when there are others next in line
}

// bell tells everybody who waits for it.
type bell struct {
	mu   sync.Mutex
	rung chan struct{} // nil until asked for
}

// wait returns a channel that closes when the bell rings after this call.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// holder returns who leads and its entry among the members; the entry is zero when there is none.
func (r *roster) holder() (Leader, Member) {
	l := r.leader()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.nodes {
		if m.Name == l.Name {
			return l, m
		}
	}
	return l, Member{}
}

// reset replaces everything by what a read of the whole cluster gave.
func (r *roster) reset(kvs []*mvccpb.KeyValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes, r.candidates = map[string]Member{}, map[string]Leader{}
	for _, kv := range kvs {
		r.put(kv)
	}
}

// apply takes the events of one watch response.
func (r *roster) apply(events []*clientv3.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range events {
		if ev.Type == mvccpb.Event_DELETE {
			delete(r.nodes, string(ev.Kv.Key))
			delete(r.candidates, string(ev.Kv.Key))
			continue
		}
		r.put(ev.Kv)
	}
}

func (r *roster) put(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	switch {
	case strings.HasPrefix(key, r.keys.nodes()):
		// An entry that cannot be read is no member; a newer version may have written it.
		if m, err := decodeMember(kv.Value); err == nil {
			r.nodes[key] = m
		} else {
			delete(r.nodes, key)
		}
	case strings.HasPrefix(key, r.keys.candidates()):
		r.candidates[key] = Leader{Name: string(kv.Value), Term: kv.CreateRevision}
	}
}

// leader returns the candidate created first, or the zero Leader.
func (r *roster) leader() Leader {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first Leader
	for _, l := range r.candidates {
		if first.Term == 0 || l.Term < first.Term {
			first = l
		}
	}
	return first
}

// ahead returns the members that would be elected next if the leader went, at most inLine, and only
// those before the candidate of that name.
func (r *roster) ahead(name string) []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := slices.SortedFunc(maps.Values(r.candidates), func(a, b Leader) int { return cmp.Compare(a.Term, b.Term) })
	var ahead []Member
	for i, l := range line {
		if l.Name == name || i > inLine {
			break
		}
		if m, ok := r.nodes[r.keys.node(l.Name)]; ok && i > 0 {
			ahead = append(ahead, m)
		}
	}
	return ahead
}

// members returns the members by name.
func (r *roster) members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Member, 0, len(r.nodes))
	for _, m := range r.nodes {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// follow keeps the roster and tells the observers, until ctx ends or the client is closed.
func (c *Cluster) follow(ctx context.Context) {
	told := announcement{}
	for {
		var resp *clientv3.GetResponse
		err := c.ask(ctx, func(ctx context.Context) (err error) {
			resp, err = c.cfg.Client.Get(ctx, c.keys.root, clientv3.WithPrefix())
			return err
		})
		if err != nil {
			return
		}
		c.roster.reset(resp.Kvs)
		c.announce(&told)
		c.watchRoster(ctx, resp.Header.Revision+1, &told)
		if !pause(ctx, rewatchAfter) {
			return
		}
	}
}

// watchRoster applies events from revision from on until the watch is disrupted.
func (c *Cluster) watchRoster(ctx context.Context, from int64, told *announcement) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range c.cfg.Client.Watch(ctx, c.keys.root, clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if resp.Err() != nil {
			return
		}
		c.roster.apply(resp.Events)
		c.announce(told)
	}
}

// announcement is what the observers were told last.
type announcement struct {
	begun   bool
	leader  Leader
	members []Member
	ahead   []Member
}

func (c *Cluster) announce(told *announcement) {
	leader, members, ahead := c.roster.leader(), c.roster.members(), c.roster.ahead(c.cfg.Member.Name)
	if !told.begun || leader != told.leader || bootOf(leader.Name, members) != bootOf(leader.Name, told.members) {
		c.roster.turned.ring()
	}
	if !told.begun || leader != told.leader {
		c.cfg.OnLeader(leader)
	}
	if !told.begun || !slices.EqualFunc(members, told.members, sameProcess) {
		c.roster.moved.ring()
		c.cfg.OnMembers(slices.Clone(members))
	}
	if !slices.EqualFunc(ahead, told.ahead, sameProcess) {
		c.roster.shifted.ring()
	}
	*told = announcement{begun: true, leader: leader, members: members, ahead: ahead}
}

func bootOf(name string, members []Member) string {
	for _, m := range members {
		if m.Name == name {
			return m.Boot
		}
	}
	return ""
}

// sameProcess reports whether a and b are the same boot of the same node. What a process tells
// about itself does not change while it lives.
func sameProcess(a, b Member) bool { return a.Name == b.Name && a.Boot == b.Boot }
