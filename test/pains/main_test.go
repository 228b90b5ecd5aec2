// Package pains_test shows, pain by pain, that what users of APScheduler complain about is gone. The
// numbers and names are those of the list of pains in the reference notes. Where time matters the tests
// run in simulated time (package carillontest), where processes matter on real nodes over etcd and
// Redis. Each is the shortest proof; the suites of the parts go further.
package pains_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
)

// world is the etcd and the Redis that the tests with real nodes share.
var world struct {
	etcd  *devstack.Etcd
	redis *devstack.Redis
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests with real nodes wait more than they work.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	code, err := play(m)
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/pains:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func play(m *testing.M) (code int, err error) {
	ctx := context.Background()
	world.etcd, err = devstack.StartEtcd(ctx, devstack.EtcdConfig{Members: 1, UnsafeNoFsync: true})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.etcd.Close()) }()
	world.redis, err = devstack.StartRedis(ctx, devstack.RedisConfig{AppendOnly: true})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.redis.Close()) }()
	return m.Run(), nil
}
