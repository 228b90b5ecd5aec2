package cluster

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

func node(name, boot string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte("/carillon/c/nodes/" + name), Value: fmt.Appendf(nil, `{"name":%q,"boot":%q}`, name, boot)}
}

func candidate(lease, name string, created int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte("/carillon/c/election/" + lease), Value: []byte(name), CreateRevision: created}
}

func put(kv *mvccpb.KeyValue) *clientv3.Event { return &clientv3.Event{Type: mvccpb.Event_PUT, Kv: kv} }

func gone(kv *mvccpb.KeyValue) *clientv3.Event {
	return &clientv3.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: kv.Key}}
}

func TestRoster(t *testing.T) {
	bad := &mvccpb.KeyValue{Key: []byte("/carillon/c/nodes/a"), Value: []byte("not json")}
	tests := []struct {
		name    string
		read    []*mvccpb.KeyValue
		events  []*clientv3.Event
		leader  Leader
		members []string // name/boot
	}{
		{name: "empty"},
		{name: "read", read: []*mvccpb.KeyValue{node("b", "1"), node("a", "1"), candidate("x", "b", 7)},
			leader: Leader{Name: "b", Term: 7}, members: []string{"a/1", "b/1"}},
		{name: "first candidate leads", read: []*mvccpb.KeyValue{candidate("x", "a", 9), candidate("y", "b", 8)}, leader: Leader{Name: "b", Term: 8}},
		{name: "next candidate takes over", read: []*mvccpb.KeyValue{candidate("x", "a", 9), candidate("y", "b", 8)},
			events: []*clientv3.Event{gone(candidate("y", "", 0))}, leader: Leader{Name: "a", Term: 9}},
		{name: "nobody is left", read: []*mvccpb.KeyValue{candidate("y", "b", 8)}, events: []*clientv3.Event{gone(candidate("y", "", 0))}},
		{name: "node comes and goes", events: []*clientv3.Event{put(node("a", "1")), put(node("b", "1")), gone(node("a", ""))}, members: []string{"b/1"}},
		{name: "node restarts", read: []*mvccpb.KeyValue{node("a", "1")}, events: []*clientv3.Event{put(node("a", "2"))}, members: []string{"a/2"}},
		{name: "unreadable is no member", read: []*mvccpb.KeyValue{bad}},
		{name: "turned unreadable", read: []*mvccpb.KeyValue{node("a", "1")}, events: []*clientv3.Event{put(bad)}},
		{name: "other keys are left alone", read: []*mvccpb.KeyValue{{Key: []byte("/carillon/c/epoch"), Value: []byte("e")}, {Key: []byte("/carillon/c/stores/default")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoster(keysOf("c"), 2)
			r.reset([]*mvccpb.KeyValue{node("stale", "1"), candidate("stale", "stale", 1)})
			r.reset(tt.read)
			r.apply(tt.events)
			var members []string
			for _, m := range r.members() {
				members = append(members, m.Name+"/"+m.Boot)
			}
			if diff := cmp.Diff(tt.members, members); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if got := r.leader(0); got != tt.leader {
				t.Errorf("leader %+v, want %+v", got, tt.leader)
			}
		})
	}
}

// TestRosterAgreesWithReading holds the roster, fed by events, against one that read the result.
func TestRosterAgreesWithReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fed, state := newRoster(keysOf("c"), 2), map[string]*mvccpb.KeyValue{}
		fed.reset(nil)
		for rev := range int64(rapid.IntRange(0, 30).Draw(t, "steps")) {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			kv := node(name, fmt.Sprint(rev))
			if rapid.Bool().Draw(t, "candidate") {
				kv = candidate(name, name, rev+1)
				if old := state[string(kv.Key)]; old != nil {
					kv.CreateRevision = old.CreateRevision
				}
			}
			if rapid.Bool().Draw(t, "delete") {
				delete(state, string(kv.Key))
				fed.apply([]*clientv3.Event{gone(kv)})
				continue
			}
			state[string(kv.Key)] = kv
			fed.apply([]*clientv3.Event{put(kv)})
		}
		read, all := newRoster(keysOf("c"), 2), []*mvccpb.KeyValue{}
		for _, kv := range state {
			all = append(all, kv)
		}
		read.reset(all)
		if diff := cmp.Diff(read.members(), fed.members()); diff != "" || read.leader(0) != fed.leader(0) {
			t.Fatalf("read %+v, fed %+v\n%s", read.leader(0), fed.leader(0), diff)
		}
	})
}

func TestAnnounceTellsChangesOnly(t *testing.T) {
	var leaders []Leader
	var members [][]Member
	c := &Cluster{roster: newRoster(keysOf("c"), 1), cfg: Config{
		OnLeader:  func(l Leader) { leaders = append(leaders, l) },
		OnMembers: func(m []Member) { members = append(members, m) },
	}}
	var told announcement
	for _, step := range []struct {
		read             []*mvccpb.KeyValue
		leaders, members int // told so far
	}{
		{nil, 1, 1}, // the first state is told even if empty
		{nil, 1, 1},
		{[]*mvccpb.KeyValue{node("a", "1")}, 1, 2},
		{[]*mvccpb.KeyValue{node("a", "1"), candidate("x", "a", 5)}, 2, 2},
		{[]*mvccpb.KeyValue{node("a", "1"), candidate("x", "a", 5), candidate("y", "b", 6)}, 2, 2},
		{[]*mvccpb.KeyValue{node("a", "2"), candidate("x", "a", 9)}, 3, 3},
		{nil, 4, 4},
	} {
		c.roster.reset(step.read)
		c.announce(&told)
		if len(leaders) != step.leaders || len(members) != step.members {
			t.Errorf("after %v: told %d leaders and %d memberships, want %d and %d", step.read, len(leaders), len(members), step.leaders, step.members)
		}
	}
	if last := leaders[len(leaders)-1]; last != (Leader{}) {
		t.Errorf("nobody leads and %+v was told", last)
	}
}

// TestRosterKnowsWhoIsAhead: those next after the leader, as far as they stand before the asking node.
func TestRosterKnowsWhoIsAhead(t *testing.T) {
	line := []*mvccpb.KeyValue{candidate("4", "d", 4), candidate("1", "a", 1), candidate("3", "c", 3), candidate("2", "b", 2)}
	members := []*mvccpb.KeyValue{node("a", "1"), node("b", "1"), node("c", "1"), node("d", "1"), node("e", "1")}
	tests := []struct {
		name, asks string
		read       []*mvccpb.KeyValue
		want       []string
	}{
		{name: "the leader has nobody before it", asks: "a", read: append(members, line...)},
		{name: "the next has the leader only", asks: "b", read: append(members, line...)},
		{name: "the third", asks: "c", read: append(members, line...), want: []string{"b"}},
		{name: "the fourth", asks: "d", read: append(members, line...), want: []string{"b", "c"}},
		{name: "one that does not stand", asks: "e", read: append(members, line...), want: []string{"b", "c"}},
		{name: "a candidate that is no member", asks: "d", read: append(line, node("c", "1")), want: []string{"c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoster(keysOf("c"), 1)
			r.reset(tt.read)
			var got []string
			for _, m := range r.ahead(tt.asks, r.lines()) {
				got = append(got, m.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ahead of %s (-want +got):\n%s", tt.asks, diff)
			}
		})
	}
}
