package cluster_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/carillon-project/carillon/cluster"
)

// deaths collects whose processes a node was told to be gone.
type deaths struct {
	mu    sync.Mutex
	names []string
}

func (d *deaths) hear(c *cluster.Config) {
	c.OnGone = func(m cluster.Member) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.names = append(d.names, m.Name)
	}
}

func (d *deaths) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.names)
}

// process is a member whose listener stands behind a proxy, which can end as a killed process does:
// without a word, and with its port closed.
type process struct {
	*node
	proxy *proxy
	etcd  *proxy // its way to etcd, where a test has to cut it
	asked atomic.Int64
}

func begin(t *testing.T, clusterName, name string, calls chan call, opts ...option) *process {
	t.Helper()
	p := &process{}
	l, run := serve(t, &p.asked)
	p.proxy = startProxy(t, l.Address())
	p.node = start(t, dial(t), clusterName, name, calls, append(opts, withTTL(longLease), at(p.proxy.listener.Addr().String()))...)
	run(p.node)
	return p
}

func (p *process) kill() {
	p.proxy.listener.Close()
	p.proxy.sever()
}

// TestLeaderIsToldOfTheProcessesThatAreGone: only of them, whatever else ends or was never there.
func TestLeaderIsToldOfTheProcessesThatAreGone(t *testing.T) {
	t.Parallel()
	name, calls := clusterName(t), make(chan call)
	var told deaths
	leader := begin(t, name, "a", calls, told.hear)
	next(t, calls)
	killed := begin(t, name, "killed", calls)
	var asked atomic.Int64
	l, run := serve(t, &asked)
	hangUp := run(start(t, dial(t), name, "in-peace", calls, withTTL(longLease), at(l.Address())))
	eventually(t, "in-peace is watched", func() bool { return asked.Load() > 0 })
	reset := begin(t, name, "reset", calls)
	start(t, dial(t), name, "elsewhere", calls, withTTL(longLease)) // refuses the first dial
	start(t, dial(t), name, "shared", calls, withTTL(longLease), at(killed.proxy.listener.Addr().String()))
	eventually(t, "three are watched", func() bool { return leader.Watched() == 3 })
	hangUp()
	before := reset.asked.Load()
	reset.proxy.sever()
	reset.proxy.mend()
	eventually(t, "the one whose connection was cut is asked again", func() bool { return reset.asked.Load() > before })
	killed.kill()
	eventually(t, "the leader knows who was killed", func() bool { return slices.Contains(told.all(), "killed") })
	last := begin(t, name, "last", calls)
	eventually(t, "two are watched", func() bool { return leader.Watched() == 2 }) // reset and last
	last.kill()
	eventually(t, "the leader knows of the last", func() bool { return slices.Contains(told.all(), "last") })
	for _, name := range told.all() {
		if name != "killed" && name != "last" {
			t.Errorf("%s is taken for gone", name)
		}
	}
}

// TestFollowersAreToldThatTheLeaderIsGone: whoever of them is elected needs the proof.
func TestFollowersAreToldThatTheLeaderIsGone(t *testing.T) {
	t.Parallel()
	name, calls := clusterName(t), make(chan call)
	leader := begin(t, name, "a", calls)
	next(t, calls)
	var told [2]deaths
	for i, follower := range []string{"b", "c"} {
		p := begin(t, name, follower, calls, told[i].hear)
		eventually(t, follower+" holds a connection to the leader", p.guards)
	}
	leader.kill()
	next(t, calls)
	for i := range told {
		eventually(t, "each follower knows", func() bool { return slices.Equal(told[i].all(), []string{"a"}) })
	}
}
