package carillon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// Node is one process's part in a cluster. Make it with NewNode, register handlers, then call Run.
// Its methods are safe for concurrent use.
type Node struct {
	cfg       Config
	boot      string
	zones     string // version of the zone rules that this process has
	log       hclog.Logger
	listeners listeners
	meters    *meters
	lines     *lineKeeper

	mu         sync.Mutex
	tasks      map[string]TaskFunc
	middleware []Middleware
	etcd       *clientv3.Client
	client     *Client // set once the stores are open
	ran        bool

	ready    chan struct{} // closed when the node is a member and consumes
	stop     chan struct{} // closed by Shutdown
	stopOnce sync.Once
	drained  context.Context // ends when handlers have to stop
	drain    context.CancelFunc
	done     chan struct{} // closed when Run has returned
	address  string
}

// NewNode returns a node that does nothing until Run or Client. The error names every fault of
// the configuration.
func NewNode(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	boot := strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	if cfg.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		cfg.Name = host + "-" + boot[:6]
	}
	n := &Node{
		cfg: cfg, boot: boot, zones: trigger.ZonesInUse().Version(), log: cfg.Logger.With("node", cfg.Name), tasks: map[string]TaskFunc{},
		ready: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}), meters: newMeters(cfg.Name, cfg.Groups),
	}
	n.listeners.log = n.log
	n.lines = newLineKeeper(cfg.Now, n.log, n.meters.registry)
	n.drained, n.drain = context.WithCancel(context.Background())
	return n, nil
}

// Name is the node's name in the cluster.
func (n *Node) Name() string { return n.cfg.Name }

// Ready is closed once the node is a member of the cluster and consumes.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Address is what the node listens on, once it is ready.
func (n *Node) Address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.address
}

// Client returns the node's own client, which adds jobs with the node's defaults. It may be called
// before Run: it then connects, creates the stores if they are new, and makes the node's tasks and
// executors known. It is closed when Run returns, or by Close if Run is never called.
func (n *Node) Client(ctx context.Context) (*Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client != nil {
		return n.client, nil
	}
	if err := n.dialEtcd(); err != nil {
		return nil, err
	}
	c := &Client{stores: map[string]*store.Store{}, defaults: n.cfg.Defaults}
	for name, url := range storeURLs(n.cfg.Redis, n.cfg.Stores) {
		s, err := n.openStore(ctx, name, url)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.stores[name] = s
	}
	n.client = c
	return c, nil
}

func (n *Node) dialEtcd() error {
	if n.etcd != nil {
		return nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: n.cfg.Etcd, TLS: n.cfg.EtcdTLS, Username: n.cfg.EtcdUser, Password: n.cfg.EtcdPassword,
		DialTimeout: 5 * time.Second, DialKeepAliveTime: 5 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		Logger: zap.NewNop(),
	})
	if err != nil {
		return fmt.Errorf("carillon: etcd at %s: %w", strings.Join(n.cfg.Etcd, ", "), err)
	}
	n.etcd = client
	return nil
}

// openStore opens a store that the cluster knows, or creates it and makes it known.
func (n *Node) openStore(ctx context.Context, name, url string) (*store.Store, error) {
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	uid, err := cluster.StoreUID(asking, n.etcd, n.cfg.Cluster, name)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, store.Config{
		Name: name, URL: url, Namespace: n.cfg.Namespace, Node: n.cfg.Name, TLS: n.cfg.RedisTLS, AllowUnfit: n.cfg.AllowUnfit,
		Create: uid == "", Partitions: n.cfg.Partitions, ExpectUID: uid,
		HistoryLimit: n.cfg.HistoryLimit, HistoryAge: n.cfg.HistoryAge, EventLimit: n.cfg.EventLimit, EventAge: n.cfg.EventAge,
		WaitReplicas: n.cfg.WaitReplicas, Logger: n.log,
	})
	if err != nil {
		return nil, err
	}
	if uid == "" {
		uid, err = cluster.ClaimStore(asking, n.etcd, n.cfg.Cluster, name, s.UID())
		if err == nil && uid != s.UID() {
			err = fmt.Errorf("carillon: store %s: %w: its uid is %s, the cluster %s knows %s; give every node the same URL", name, ErrStoreLost, s.UID(), n.cfg.Cluster, uid)
		}
	}
	if err == nil {
		err = s.Register(ctx, n.executorNames(), n.taskNames())
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close releases the connections of a node that was never run. After Run it does nothing.
func (n *Node) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client != nil {
		n.client.Close()
		n.client = nil
	}
	if n.etcd != nil {
		if err := n.etcd.Close(); err != nil {
			n.log.Debug("closing the etcd client failed", "error", err)
		}
		n.etcd = nil
	}
}

// Shutdown makes Run end: the node resigns if it leads, stops fetching, and lets its handlers run
// until ctx ends, then cancels them and hands their runs to other nodes. With an ended context it
// does not wait for handlers. It returns when Run has returned.
func (n *Node) Shutdown(ctx context.Context) error {
	n.mu.Lock()
	ran := n.ran
	n.mu.Unlock()
	if !ran {
		return errors.New("carillon: shutdown: the node is not running")
	}
	stop := context.AfterFunc(ctx, n.drain)
	defer stop()
	n.stopOnce.Do(func() { close(n.stop) })
	<-n.done
	return nil
}
