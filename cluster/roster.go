package cluster

import (
	"cmp"
	"context"
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

	turned  []bell // by group: when its leader or the leader's boot has changed
	lined   bell   // when a candidate came or went
	moved   bell   // when a member came or went
	shifted bell   // when there are others next in a line
}

func newRoster(k keys, groups int) roster { return roster{keys: k, turned: make([]bell, groups)} }

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

// holder returns who leads a group and its entry among the members; the entry is zero when there is
// none.
func (r *roster) holder(group int) (Leader, Member) {
	l := r.leader(group)
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
	default:
		if group, ok := r.keys.stood(key); ok && group < len(r.turned) {
			r.candidates[key] = Leader{Group: group, Name: string(kv.Value), Term: kv.CreateRevision}
		}
	}
}

// leader returns the candidate of a group created first, or a Leader without term.
func (r *roster) leader(group int) Leader {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := Leader{Group: group}
	for _, l := range r.candidates {
		if l.Group == group && (first.Term == 0 || l.Term < first.Term) {
			first = l
		}
	}
	return first
}

// ahead returns the members that would be elected next if the leader of any group went, at most inLine
// of each, and only those before the candidate of that name. A member may be there more than once.
func (r *roster) ahead(name string, lines lines) []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ahead []Member
	for _, line := range lines {
		for i, l := range line {
			if l.Name == name || i > inLine {
				break
			}
			if m, ok := r.nodes[r.keys.node(l.Name)]; ok && i > 0 {
				ahead = append(ahead, m)
			}
		}
	}
	return ahead
}

// lines returns the candidates of every group, in the order in which they stand.
func (r *roster) lines() lines {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(lines, len(r.turned))
	for _, l := range r.candidates {
		all[l.Group] = append(all[l.Group], l)
	}
	for _, line := range all {
		slices.SortFunc(line, func(a, b Leader) int { return cmp.Compare(a.Term, b.Term) })
	}
	return all
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
	lines   lines
	members []Member
	ahead   []Member
}

// leader is who led a group, as told; a Leader without term when nobody did.
func (a announcement) leader(group int) Leader {
	if a.begun && len(a.lines[group]) > 0 {
		return a.lines[group][0]
	}
	return Leader{Group: group}
}

func (c *Cluster) announce(told *announcement) {
	now := announcement{begun: true, lines: c.roster.lines(), members: c.roster.members()}
	now.ahead = c.roster.ahead(c.cfg.Member.Name, now.lines)
	lined := !told.begun
	for group := range now.lines {
		leader, was := now.leader(group), told.leader(group)
		if !told.begun || leader != was || bootOf(leader.Name, now.members) != bootOf(leader.Name, told.members) {
			c.roster.turned[group].ring()
		}
		if !told.begun || leader != was {
			c.cfg.OnLeader(leader)
		}
		lined = lined || !slices.Equal(now.lines[group], told.lines[group])
	}
	if lined {
		c.roster.lined.ring()
	}
	if !told.begun || !slices.EqualFunc(now.members, told.members, sameProcess) {
		c.roster.moved.ring()
		c.cfg.OnMembers(slices.Clone(now.members))
	}
	if !slices.EqualFunc(now.ahead, told.ahead, sameProcess) {
		c.roster.shifted.ring()
	}
	*told = now
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
