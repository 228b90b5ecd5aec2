package pictures_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// mute keeps the client of Redis from telling of each dial of a node that is dead.
type mute struct{}

func (mute) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	redis.SetLogger(mute{})
	goleak.VerifyTestMain(m)
}
