package carillon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
)

// Config says what a node is and whom it talks to. Etcd and a store (Redis, or one of Stores) are
// required; every other field's zero value works.
type Config struct {
	Name    string // unique in the cluster; default: the host name and a random suffix
	Cluster string // default "default"

	Etcd         []string // endpoints, such as http://localhost:2379
	EtcdTLS      *tls.Config
	EtcdUser     string
	EtcdPassword string

	Redis      string            // URL of the store "default"
	Stores     map[string]string // further stores: name to URL; the same on all nodes, since a leader serves those it is given
	Namespace  string            // prefix of all keys; default: the cluster's name
	RedisTLS   *tls.Config       // for rediss:// URLs; nil = the system's roots
	AllowUnfit bool              // use a Redis that may evict keys or is too old, with a warning
	Partitions int               // of stores that this node creates; default 1; one that exists keeps its own, with a warning

	// Groups is how many leaders share the partitions of the stores: group g of them leads the
	// partitions p with p mod Groups == g, and each group elects its leader by itself, of all nodes. It
	// is one for the whole cluster: a node that was given another number does not start while a node
	// lives. More groups than partitions leave some nothing to do. Default 1, at most 128.
	Groups int

	Executors map[string]int // name to concurrency; default {"default": 64}
	Defaults  Options        // for jobs added through this node's client

	Listen    string // of liveness, health and metrics; default 127.0.0.1:0
	Advertise string // what other nodes dial; default: the address listened on

	LeaseTTL     time.Duration // of the etcd session; default 5s, at least 2s
	RunLease     time.Duration // of a run; default 15s, at least 1s
	DrainTimeout time.Duration // how long Run waits for handlers after its context ended; default 30s

	// OnStall is told, with the store and for how long, when the loop of this node, as leader, has
	// made no step for longer than LeaseTTL and the longest call to Redis. What is stuck keeps Run from
	// returning, so a server had better end its process, as the command does. Default: the node gives
	// up its office, never leads again, and goes on running handlers.
	OnStall func(error)

	// ExportDir is where the leader writes an export of every store, as WriteExport does, into a file of
	// its own, each ExportEvery by Redis's clock; the newest ExportKeep files of a store stay. Files are
	// named TIME.STORE@CLUSTER.jsonl, so that they sort by time and clusters may share a directory. A
	// store that is empty, lost or unreadable is not exported. Give it to all nodes. Default: none.
	ExportDir   string
	ExportEvery time.Duration // default 1h, at least 10s
	ExportKeep  int           // default 24

	WaitReplicas int // as in ClientConfig, of this node's client

	// What a store keeps of the past; give all nodes the same. Each has a default when it is 0. What is too
	// old goes within a day.
	HistoryLimit int           // rows kept per job; default 1,000
	HistoryAge   time.Duration // older rows go, but for the newest of a job; default 90 days, at least 1m
	EventLimit   int           // entries kept in the event log of a partition, about; default 10,000
	EventAge     time.Duration // older ones go; default 7 days, at least 1m

	Logger hclog.Logger     // default: silent
	Now    func() time.Time // default time.Now; no decision rests on it
}

// Validate returns every fault of the configuration, joined. It contacts nothing.
func (c Config) Validate() error {
	var faults []error
	if len(c.Etcd) == 0 {
		faults = append(faults, errors.New("etcd: no endpoint is given, such as http://localhost:2379"))
	}
	if len(storeURLs(c.Redis, c.Stores)) == 0 {
		faults = append(faults, errors.New("redis: no store is given, such as redis://localhost:6379/0"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Stores)) {
		if err := job.ValidID("store", name); err != nil {
			faults = append(faults, err)
		}
	}
	if c.Redis != "" && c.Stores[job.DefaultName] != "" && c.Stores[job.DefaultName] != c.Redis {
		faults = append(faults, errors.New("store default: has two URLs, one in Redis and one in Stores"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Executors)) {
		if err := job.ValidID("executor", name); err != nil {
			faults = append(faults, err)
		}
		if n := c.Executors[name]; n < 1 || n > 100_000 {
			faults = append(faults, fmt.Errorf("executor %s: concurrency %d is not between 1 and 100000", name, n))
		}
	}
	if c.Name != "" {
		faults = append(faults, job.ValidID("name", c.Name))
	}
	faults = append(faults, validListen(c.Listen))
	if c.LeaseTTL != 0 && c.LeaseTTL < cluster.MinTTL {
		faults = append(faults, fmt.Errorf("lease TTL %s must be at least %s", c.LeaseTTL, cluster.MinTTL))
	}
	if c.Groups < 0 || c.Groups > cluster.MaxGroups {
		faults = append(faults, fmt.Errorf("groups %d must be between 1 and %d", c.Groups, cluster.MaxGroups))
	}
	if c.RunLease != 0 && c.RunLease < time.Second {
		faults = append(faults, fmt.Errorf("run lease %s must be at least 1s", c.RunLease))
	}
	if c.DrainTimeout < 0 {
		faults = append(faults, fmt.Errorf("drain timeout %s must not be negative", c.DrainTimeout))
	}
	if c.ExportEvery != 0 && c.ExportEvery < minExportEvery {
		faults = append(faults, fmt.Errorf("export every %s must be at least %s", c.ExportEvery, minExportEvery))
	}
	if c.ExportKeep < 0 {
		faults = append(faults, fmt.Errorf("export keep %d must not be negative", c.ExportKeep))
	}
	faults = append(faults, validPast(c)...)
	probe := Job{Task: "any", Trigger: Every(time.Second), Options: c.Defaults}
	if err := probe.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("defaults: %w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("carillon: configuration: %w", err)
	}
	return nil
}

// validPast reports what is wrong with how much of the past is kept.
func validPast(c Config) (faults []error) {
	if c.HistoryLimit < 0 || c.EventLimit < 0 {
		faults = append(faults, fmt.Errorf("history limit %d and events limit %d must not be negative", c.HistoryLimit, c.EventLimit))
	}
	if c.HistoryAge != 0 && c.HistoryAge < time.Minute {
		faults = append(faults, fmt.Errorf("history age %s must be at least 1m", c.HistoryAge))
	}
	if c.EventAge != 0 && c.EventAge < time.Minute {
		faults = append(faults, fmt.Errorf("events age %s must be at least 1m", c.EventAge))
	}
	return faults
}

// validListen reports what is wrong with an address to listen on; empty is the default one.
func validListen(address string) error {
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("listen: %q is not HOST:PORT, such as 127.0.0.1:7070, or port 0 for a free one", address)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Cluster == "" {
		c.Cluster = job.DefaultName
	}
	if c.Namespace == "" {
		c.Namespace = c.Cluster
	}
	c.Groups = max(c.Groups, 1)
	if len(c.Executors) == 0 {
		c.Executors = map[string]int{job.DefaultName: 64}
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = cluster.DefaultTTL
	}
	if c.RunLease == 0 {
		c.RunLease = 15 * time.Second
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	if c.ExportEvery == 0 {
		c.ExportEvery = time.Hour
	}
	if c.ExportKeep == 0 {
		c.ExportKeep = 24
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
