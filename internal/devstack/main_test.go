package devstack_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
)

// childRole makes this test binary play a part in a process of its own.
const childRole = "CARILLON_DEVSTACK_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "redis-parent":
		os.Exit(redisParent())
	case "etcd-member":
		os.Exit(etcdMember())
	}
	code := m.Run()
	if err := leaks(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks returns what is left running. Connections among the members of an etcd may take five seconds
// to end after it was closed, which is documented; anything that stays longer is a leak.
func leaks() (err error) {
	for range 20 {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}

// redisParent starts a Redis, says its process id and waits to be killed.
func redisParent() int {
	r, err := devstack.StartRedis(context.Background(), devstack.RedisConfig{Dir: os.Getenv("DIR")})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(r.Pid())
	select {}
}

// etcdMember runs one member until it is told to end.
func etcdMember() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := devstack.RunEtcdMember(ctx, devstack.MemberConfig{
		Name: "solo", Dir: os.Getenv("DIR"), ClientURL: os.Getenv("CLIENT"), PeerURL: os.Getenv("PEER"),
		InitialCluster: "solo=" + os.Getenv("PEER"),
	})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}
