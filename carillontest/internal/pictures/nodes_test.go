package pictures_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/carillontest/internal/memory"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// runLease is the lease of runs of the nodes here: long enough to be seen in a picture.
const runLease = 3 * time.Minute

// nodes are two nodes over one server in memory, of which the first can die. It has what a stage needs
// of a kit, and no more.
type nodes struct {
	world
	t      *testing.T
	server *memory.Server
	client *carillon.Client

	mu   sync.Mutex
	runs []carillontest.RunRecord
	dead time.Time
}

// member is one of the nodes and its way to the server.
type member struct {
	*carillon.Alone
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

var errCut = errors.New("the node is dead")

func (m *member) dial(server *memory.Server) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.cut {
			return nil, errCut
		}
		conn, err := server.Dial(ctx, network, address)
		m.conns = append(m.conns, conn)
		return conn, err
	}
}

// die takes the node's connections away, so that it can neither finish nor hand back.
func (m *member) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = true
	for _, conn := range m.conns {
		conn.Close()
	}
}

func (n *nodes) join(name string, report func(context.Context, any) (any, error)) *member {
	m := &member{}
	s, err := store.Open(n.t.Context(), store.Config{URL: "redis://memory", Dial: m.dial(n.server), Node: name, Create: true})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(s.Close)
	node, err := carillon.NewNode(carillon.Config{Name: name, Etcd: []string{"memory"}, Redis: "redis://memory", RunLease: runLease})
	if err != nil {
		n.t.Fatal(err)
	}
	node.Use(n.record)
	carillon.Handle(node, "report", report)
	m.Alone = &carillon.Alone{Node: node, Store: s, Rest: time.Minute}
	return m
}

// record notes each attempt; one that the death of its node ends is lost then.
func (n *nodes) record(_ string, next carillon.TaskFunc) carillon.TaskFunc {
	return func(ctx context.Context, run carillon.Run) (any, error) {
		r := carillontest.RunRecord{Run: run, Started: time.Now().UTC(), Outcome: job.Executed}
		result, err := next(ctx, run)
		r.Ended = time.Now().UTC()
		n.mu.Lock()
		defer n.mu.Unlock()
		if err != nil {
			r.Ended, r.Outcome = n.dead, job.Lost
		}
		n.runs = append(n.runs, r)
		return result, err
	}
}

// lead runs a node until the returned function is called, which waits for it.
func (n *nodes) lead(m *member) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		n.server.Release()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
	}
}

// performLoss plays what becomes of a run whose node dies at fourteen past.
func performLoss(t *testing.T, s scene, docs []carillon.Job, then func(*stage)) {
	synctest.Test(t, func(t *testing.T) {
		n := &nodes{t: t, server: memory.New()}
		t.Cleanup(n.server.Close)
		n.AdvanceTo(s.from())
		st := &stage{world: n, t: t, scene: s, docs: docs}
		a, b := n.join("a", st.work), n.join("b", st.work)
		n.client = b.Client()
		n.lead(b)() // so that its next term is above the other's
		first := n.lead(a)
		st.addAll()
		st.minute(14)
		st.ask("its node dies")
		n.mu.Lock()
		n.dead = n.Now()
		n.mu.Unlock()
		a.die()
		second := n.lead(b)
		first()
		defer second()
		st.until(s.to())
		then(st)
	})
}

func (n *nodes) Now() time.Time { return time.Now().UTC() }

func (n *nodes) Up() {}

func (n *nodes) Client() *carillon.Client { return n.client }

func (n *nodes) AddJob(j carillon.Job, opts ...carillon.CallOption) carillon.Job {
	stored, err := n.client.AddJob(n.t.Context(), j, opts...)
	if err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
	return stored
}

func (n *nodes) AdvanceTo(at time.Time) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	<-timer.C
	synctest.Wait()
}

func (n *nodes) Runs(...string) []carillontest.RunRecord {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Clone(n.runs)
	slices.SortFunc(all, func(a, b carillontest.RunRecord) int { return a.Started.Compare(b.Started) })
	return all
}

func (n *nodes) Times(...string) []time.Time {
	var all []time.Time
	for _, r := range n.Runs() {
		if r.Attempt == 1 {
			all = append(all, r.ScheduledTime)
		}
	}
	return all
}

func (n *nodes) Skipped(...string) []carillontest.Skip { return nil }
