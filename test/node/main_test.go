package node_test

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

// world is the etcd and the Redis that all tests share. Each test has a cluster of its own in it,
// or uses the stage.
var world struct {
	etcd  *devstack.Etcd
	redis *devstack.Redis
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait more than they work.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	code, err := play(m)
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/node:", err)
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
	world.redis, err = devstack.StartRedis(ctx, devstack.RedisConfig{})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.redis.Close()) }()
	closeStage, err := openStage(ctx)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, closeStage()) }()
	return m.Run(), nil
}
