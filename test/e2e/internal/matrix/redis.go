package matrix

import (
	"context"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

func redisFaults() []Fault {
	return []Fault{
		{
			Name: "redis-restart", Says: "Redis killed (SIGKILL) and started again", Chaos: true,
			Promise: "none lost or doubled; dispatch goes on when Redis does",
			Strike:  restartRedis,
		},
	}
}

func restartRedis(ctx context.Context, f *Field) error {
	healed := f.Harm(history.RedisDown, "")
	defer healed()
	if err := f.Redis().Kill(); err != nil {
		return err
	}
	if err := f.Redis().Restart(ctx); err != nil {
		return err
	}
	return f.Runs(ctx, f.Now())
}
