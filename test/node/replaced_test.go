package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Nobody makes anew what was emptied under a cluster; once an operator says that it is to be used, the
// nodes that run go on with it by themselves.
func TestStoreEmptiedUnderARunningNode(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	cfg := config(t, name, "n")
	cfg.Redis = database(8) // nobody else's
	cfg.Logger = nil
	raw := redis.NewClient(must(redis.ParseURL(cfg.Redis))(t))
	t.Cleanup(func() { _ = raw.Close() })
	told := make(chan carillon.Event, 10)
	node := newNode(t, cfg)
	stop := node.AddListener(carillon.Mask(job.StoreReplaced), func(e carillon.Event) { told <- e })
	t.Cleanup(stop)
	n := lift(t, node)
	metric := func(want string) bool {
		_, body := get(t, "http://"+n.Address()+"/metrics")
		return strings.Contains(body, `carillon_store_lost{node="n",store="default"} `+want)
	}
	eventually(t, 10*time.Second, "office to be taken", func() bool { return raw.Exists(t.Context(), "{"+name+":0}:fence").Val() == 1 })
	if err := raw.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, told, "the alarm"); !strings.Contains(e.Cause, "carillon store adopt") || e.Store != "default" {
		t.Errorf("the alarm is %+v", e)
	}
	if status, h := ready(t, n.Address()); status != 503 || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "carillon store adopt") {
		t.Errorf("readyz says %d %+v", status, h)
	}
	eventually(t, 5*time.Second, "the metric to rise", func() bool { return metric("1") })
	if made := raw.Exists(t.Context(), "{"+name+":0}:meta", "{"+name+":0}:fence").Val(); made != 0 {
		t.Error("something was made anew")
	}
	adopt(t, cfg)
	eventually(t, 10*time.Second, "readiness to come back", func() bool { status, _ := ready(t, n.Address()); return status == 200 })
	eventually(t, 5*time.Second, "the metric to fall", func() bool { return metric("0") })
	must(n.AddJob(t.Context(), carillon.Job{ID: "j", Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now())}))(t)
	if got := rows(t, n.Client, "j", 1); got[0].Outcome != job.Executed {
		t.Errorf("the run after it ended with %+v", got)
	}
	if e := receive(t, told, "the end of the alarm"); !strings.Contains(e.Cause, "was adopted in its place") || e.Term == 0 {
		t.Errorf("the end of the alarm is %+v", e)
	}
}

// adopt does what the command store adopt does.
func adopt(t *testing.T, cfg carillon.Config) {
	t.Helper()
	etcd := must(clientv3.New(clientv3.Config{Endpoints: cfg.Etcd}))(t)
	defer func() { _ = etcd.Close() }()
	s := must(store.Open(t.Context(), store.Config{URL: cfg.Redis, Namespace: cfg.Cluster, Create: true, Adopt: true}))(t)
	defer s.Close()
	must(s.Accept(t.Context(), must(cluster.Epoch(t.Context(), etcd, cfg.Cluster))(t)))(t)
	if err := cluster.AdoptStore(t.Context(), etcd, cfg.Cluster, "default", s.UID()); err != nil {
		t.Fatal(err)
	}
}

// The terms of a rebuilt etcd begin again: its leaders are refused until an operator accepts it.
func TestRebuiltEtcdIsRefusedUntilAdopted(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	first := lift(t, newNode(t, cfg))
	must(first.AddJob(t.Context(), carillon.Job{ID: "before", Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now())}))(t)
	rows(t, first.Client, "before", 1)
	first.stop(t, time.Second)
	etcd := must(devstack.StartEtcd(t.Context(), devstack.EtcdConfig{Members: 1, UnsafeNoFsync: true}))(t)
	t.Cleanup(func() { _ = etcd.Close() })
	cfg.Etcd = etcd.Endpoints()
	node := newNode(t, cfg)
	told := make(chan carillon.Event, 100)
	t.Cleanup(node.AddListener(carillon.Mask(job.TermRegressed), func(e carillon.Event) { told <- e }))
	n := lift(t, node)
	if e := receive(t, told, "the alarm"); !strings.Contains(e.Cause, "carillon store adopt --store-name default") {
		t.Errorf("the alarm is %+v", e)
	}
	if status, h := ready(t, n.Address()); status != 503 || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "carillon store adopt") {
		t.Errorf("readyz says %d %+v", status, h)
	}
	if got := scrape(t, n.Address())["carillon_term_regressed"]; got != 1 {
		t.Errorf("carillon_term_regressed is %v", got)
	}
	must(n.AddJob(t.Context(), carillon.Job{ID: "j", Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now())}))(t)
	if got := must(n.History(t.Context(), "j", 1))(t); len(got) != 0 {
		t.Errorf("it ran: %+v", got)
	}
	adopt(t, cfg)
	if got := rows(t, n.Client, "j", 1); got[0].Outcome != job.Executed {
		t.Errorf("the run after it ended with %+v", got)
	}
	eventually(t, 10*time.Second, "readiness to come back", func() bool { status, _ := ready(t, n.Address()); return status == 200 })
	if got, ok := scrape(t, n.Address())["carillon_term_regressed"]; !ok || got != 0 {
		t.Errorf("carillon_term_regressed is %v, %t", got, ok)
	}
	if len(told) != 0 {
		t.Errorf("told again: %+v", <-told)
	}
}
