package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
)

// Store is one named Redis database and namespace. It is safe for concurrent use. Close it when
// nothing uses it any more.
type Store struct {
	cfg        Config
	log        hclog.Logger
	address    string
	writer     redis.UniversalClient
	reader     redis.UniversalClient
	blocking   redis.UniversalClient
	anew       *redis.UniversalOptions // of the writer
	flags      bool                    // the server understands "#!lua flags=…"
	uid        atomic.Pointer[string]
	partitions []keys
	sequences  []sequence // by partition
	crossing   crossing   // of submissions
	asked      asked      // calls of next without an answer
	seen       seen       // of the registry
	alike      alike      // records read for the leader
	warned     warned     // what was logged once
}

const storeFormat = "1"

// Open connects, checks that the server is fit, and finds (or, with Create, makes) the store.
// Errors wrap ErrUnreachable, ErrUnfit, ErrNotInitialised, ErrStoreLost or ErrNewerFormat and say
// what to do. The Redis client library has one logger for the whole process: Open sets it, the first
// time, to one that writes at debug to the logger of a store that is open.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	given := cfg.Partitions
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, log: cfg.Logger, seen: seen{now: cfg.Now}}
	told.to(s)
	if err := s.dial(); err != nil {
		told.noMore(s)
		return nil, err
	}
	if err := errors.Join(s.checkServer(ctx)); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.find(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if n := len(s.partitions); given != 0 && given != n {
		s.log.Warn("the store has another number of partitions than was given: its own is used", "store", cfg.Name, "partitions", n, "given", given,
			"remedy", fmt.Sprintf("give %d, or no number; for %d, export the store and import it into a new one of that many", n, given))
	}
	return s, nil
}

// Close ends the connections. Calls under way fail.
func (s *Store) Close() {
	for _, c := range []redis.UniversalClient{s.writer, s.reader, s.blocking} {
		if err := c.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			s.log.Debug("closing redis client failed", "error", err)
		}
	}
	s.crossing.close()
	told.noMore(s)
}

// Name is what jobs call this store.
func (s *Store) Name() string { return s.cfg.Name }

// Partitions is how many partitions the store was created with.
func (s *Store) Partitions() int { return len(s.partitions) }

// PartitionOf is the partition that holds the job or the ad-hoc run with this id.
func (s *Store) PartitionOf(id string) int { return partitionOf(id, len(s.partitions)) }

// checkServer refuses a Redis that cannot keep the promises; see the reliability notes.
func (s *Store) checkServer(ctx context.Context) error {
	info, err := s.reader.Info(ctx, "server", "replication", "persistence").Result()
	if err != nil {
		var reply redis.Error
		if !errors.As(err, &reply) {
			return s.explain("connect", err)
		}
		if redis.HasErrorPrefix(err, "NOAUTH") || redis.HasErrorPrefix(err, "WRONGPASS") {
			return fmt.Errorf("store %s: redis at %s: %w: give the user and password in the URL", s.cfg.Name, s.address, err)
		}
		info = "" // a server without these sections, or an ACL that hides them: judged by what works
	}
	facts := parseInfo(info)
	// The flag lets the question be answered even when memory is short.
	s.flags = s.writer.Eval(ctx, "#!lua flags=allow-oom\nreturn 1", nil).Err() == nil
	if v := facts["redis_version"]; v != "" && major(v) < 7 {
		return s.unfit("it is version "+v+", at least 7.0 is needed", "upgrade it")
	}
	if role := facts["role"]; role != "" && role != "master" {
		return s.unfit("it is a "+role+", not a master", "point the URL at the master, or use Sentinel with master_name=")
	}
	policy, err := s.reader.ConfigGet(ctx, "maxmemory-policy").Result()
	if p := policy["maxmemory-policy"]; err == nil && p != "" && p != "noeviction" {
		return s.unfit("its maxmemory-policy is "+p+", which drops jobs when memory is short", "CONFIG SET maxmemory-policy noeviction")
	}
	if facts["aof_enabled"] == "0" {
		s.log.Warn("redis keeps no append-only file: a restart of it loses jobs and runs", "address", s.address, "remedy", "appendonly yes")
	}
	s.checkCoverage(ctx)
	return nil
}

// checkCoverage warns of a Redis Cluster in which one dead master stops all partitions.
func (s *Store) checkCoverage(ctx context.Context) {
	const setting = "cluster-require-full-coverage"
	if _, cluster := s.reader.(*redis.ClusterClient); !cluster {
		return
	}
	if full, err := s.reader.ConfigGet(ctx, setting).Result(); err == nil && full[setting] == "yes" {
		s.log.Warn("this redis cluster serves nothing while one of its masters is gone", "address", s.address, "remedy", "CONFIG SET "+setting+" no, on every server")
	}
}

func (s *Store) unfit(fault, remedy string) error {
	if s.cfg.AllowUnfit {
		s.log.Warn("redis is not fit for use, going on as told", "address", s.address, "fault", fault, "remedy", remedy)
		return nil
	}
	return fmt.Errorf("store %s: %w: %s; %s", s.cfg.Name, ErrUnfit, fault, remedy)
}

func parseInfo(info string) map[string]string {
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[k] = v
		}
	}
	return facts
}

func major(version string) int {
	n, err := strconv.Atoi(strings.SplitN(version, ".", 2)[0])
	if err != nil {
		return 0
	}
	return n
}

// find reads the store's meta, or creates it.
func (s *Store) find(ctx context.Context) error {
	got, err := s.reader.HMGet(ctx, keysOf(s.cfg.Namespace, 0).meta(), "uid", "partitions", "format").Result()
	if err != nil {
		return s.explain("open", err)
	}
	if got[0] == nil {
		if got, err = s.create(ctx); err != nil {
			return err
		}
	}
	if f := text(got[2]); f != storeFormat {
		return fmt.Errorf("store %s: %w: it has format %q, this program knows %s; use a newer one", s.cfg.Name, ErrNewerFormat, f, storeFormat)
	}
	uid, err := uuid.Parse(text(got[0]))
	if err != nil {
		return fmt.Errorf("store %s: %w: its uid is %q", s.cfg.Name, ErrUnreadable, text(got[0]))
	}
	n, err := strconv.Atoi(text(got[1]))
	if err != nil || n < 1 || n > 1024 {
		return fmt.Errorf("store %s: %w: it has %q partitions", s.cfg.Name, ErrUnreadable, text(got[1]))
	}
	if s.cfg.ExpectUID != "" && s.cfg.ExpectUID != uid.String() {
		return s.lost("its uid is " + uid.String() + ", the cluster knows " + s.cfg.ExpectUID)
	}
	for p := range n {
		s.partitions = append(s.partitions, keysOf(s.cfg.Namespace, p))
	}
	s.sequences = make([]sequence, n)
	s.know(uid.String())
	return s.checkPartitions(ctx)
}

func (s *Store) create(ctx context.Context) ([]any, error) {
	if s.cfg.ExpectUID != "" {
		return nil, s.lost("the database is empty where the cluster knows uid " + s.cfg.ExpectUID)
	}
	if !s.cfg.Create {
		return nil, fmt.Errorf("store %s: %w: nothing is stored under namespace %q; start a node first, or check the URL and --namespace", s.cfg.Name, ErrNotInitialised, s.cfg.Namespace)
	}
	uid := uuid.NewString()
	var got []any
	for p := s.cfg.Partitions - 1; p >= 0; p-- { // the first partition is what makes it exist
		k := keysOf(s.cfg.Namespace, p)
		reply, err := s.run(ctx, initScript, []string{k.meta()}, uid, s.cfg.Partitions, storeFormat)
		if err != nil {
			return nil, err
		}
		got, _ = reply.([]any)
		if len(got) == 3 {
			uid = text(got[0])
		}
	}
	if len(got) != 3 {
		return nil, fmt.Errorf("store %s: create: unexpected answer", s.cfg.Name)
	}
	s.log.Info("store created", "store", s.cfg.Name, "uid", uid, "partitions", s.cfg.Partitions)
	return got, nil
}

func (s *Store) checkPartitions(ctx context.Context) error {
	for p, k := range s.partitions {
		if s.cfg.Adopt {
			if _, err := s.run(ctx, initScript, []string{k.meta()}, s.UID(), len(s.partitions), storeFormat); err != nil {
				return err
			}
		}
		if err := s.Verify(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// env is what every script that writes is told first.
func (s *Store) env() []any {
	return []any{s.cfg.HistoryLimit, int64(s.cfg.HistoryTTL.Seconds()), s.cfg.EventLimit, s.cfg.Node}
}

// Now returns the time of Redis in the given partition, Unix ms.
func (s *Store) Now(ctx context.Context, partition int) (int64, error) {
	server, err := s.serverOf(ctx, s.partitions[partition])
	if err != nil {
		return 0, s.explain("time", err)
	}
	t, err := server.Time(ctx).Result()
	if err != nil {
		return 0, s.explain("time", err)
	}
	return t.UnixMilli(), nil
}

// serverOf is the client for commands without a key, which a cluster would send to any of its
// nodes: that of the node which has the partition.
func (s *Store) serverOf(ctx context.Context, k keys) (redis.Cmdable, error) {
	if cluster, ok := s.reader.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, k.meta())
	}
	return s.reader, nil
}
