package devstack_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
)

func TestRedisClusterTakesEverySlotAndSparesNone(t *testing.T) {
	t.Parallel()
	c, err := devstack.StartRedisCluster(t.Context(), devstack.RedisClusterConfig{Masters: 2, Spares: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	o, err := redis.ParseClusterURL(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(o)
	defer client.Close()
	for i := range 50 {
		if err := client.Set(t.Context(), fmt.Sprint("key-", i), i, 0).Err(); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
	var held []int64
	for _, s := range c.Servers {
		one := redis.NewClient(&redis.Options{Addr: s.Addr()})
		n, err := one.DBSize(t.Context()).Result()
		one.Close()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, n)
	}
	if len(held) != 3 || held[0] == 0 || held[1] == 0 || held[2] != 0 || held[0]+held[1] != 50 {
		t.Errorf("the servers hold %v keys of 50", held)
	}
}
