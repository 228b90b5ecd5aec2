package wire_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/test/e2e/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count is a script as Carillon's are: named by its head, after a part that others share.
const count = "-- lib: shared.\nlocal one = 1\n-- count: adds one, or is\n-- missed: never.\nreturn redis.call('INCRBY', KEYS[1], one)"

// line is a client that speaks to a Redis of its own through a relay, and one that does not.
type line struct {
	*wire.Relay
	near, direct *redis.Client
}

func connect(t *testing.T) line {
	t.Helper()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	var scripts wire.Scripts
	r, err := wire.ListenRedis(server.Addr(), &scripts)
	if err != nil {
		t.Fatal(err)
	}
	l := line{
		Relay: r, direct: redis.NewClient(&redis.Options{Addr: server.Addr()}),
		near: redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1, ReadTimeout: 300 * time.Millisecond, ContextTimeoutEnabled: true}),
	}
	t.Cleanup(func() {
		l.near.Close()
		l.direct.Close()
		r.Close()
	})
	return l
}

// call runs the script through the relay.
func (l line) call(ctx context.Context) (int, error) {
	return redis.NewScript(count).Run(ctx, l.near, []string{"n"}).Int()
}

// stored is how often the script has run.
func (l line) stored(t *testing.T) int {
	t.Helper()
	n, err := l.direct.Get(t.Context(), "n").Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	return n
}

func TestRelayPassesAllKindsOfReplies(t *testing.T) {
	l := connect(t)
	ctx := t.Context()
	l.near.HSet(ctx, "h", "a", "1", "b", string(make([]byte, 100_000)))
	if got, err := l.near.HGetAll(ctx, "h").Result(); err != nil || len(got) != 2 || len(got["b"]) != 100_000 {
		t.Errorf("a map with %d fields, %v", len(got), err)
	}
	if _, err := l.near.Get(ctx, "none").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("a null is %v", err)
	}
	if err := l.near.HGet(ctx, "n", "a").Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Error(err)
	}
	sub := l.near.Subscribe(ctx, "c")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	l.direct.Publish(ctx, "c", "hello")
	if m, err := sub.ReceiveMessage(ctx); err != nil || m.Payload != "hello" {
		t.Errorf("a push is %v, %v", m, err)
	}
	for want := range 3 {
		if got, err := l.call(ctx); err != nil || got != want+1 {
			t.Errorf("call %d is %d, %v", want+1, got, err)
		}
	}
}

func TestCatch(t *testing.T) {
	tests := []struct {
		name  string
		stage wire.Stage
		end   func(*wire.Catch)
		want  int // calls the server did
		fails bool
	}{
		{"a lost reply", wire.Reply, func(*wire.Catch) {}, 2, true},
		{"a request that is dropped", wire.Request, (*wire.Catch).Drop, 1, true},
		{"a request that is let go on", wire.Request, (*wire.Catch).Forward, 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := connect(t)
			if _, err := l.call(t.Context()); err != nil { // the relay learns the source
				t.Fatal(err)
			}
			c := l.Catch("count", tt.stage)
			ended := make(chan error, 1)
			go func() {
				_, err := l.call(t.Context())
				ended <- err
			}()
			<-c.Sprung()
			if tt.stage == wire.Request && l.stored(t) != 1 {
				t.Error("the server saw a request that was held")
			}
			tt.end(c)
			if err := <-ended; (err != nil) != tt.fails {
				t.Errorf("the call ended with %v", err)
			}
			if got := l.stored(t); got != tt.want {
				t.Errorf("the server did %d calls, want %d", got, tt.want)
			}
			if got, err := l.call(t.Context()); err != nil || got != tt.want+1 {
				t.Errorf("the call after it is %d, %v, want %d: one is caught, not two", got, err, tt.want+1)
			}
		})
	}
}

func TestHeldCallsComeLate(t *testing.T) {
	l := connect(t)
	if _, err := l.call(t.Context()); err != nil { // the relay learns the source
		t.Fatal(err)
	}
	release := l.Hold("count")
	for range 2 {
		if _, err := l.call(t.Context()); err == nil {
			t.Error("a held call was answered")
		}
	}
	if got := l.stored(t); got != 1 {
		t.Errorf("the server did %d calls while two were held, want 1", got)
	}
	release()
	release() // as often as one likes
	if _, err := l.call(t.Context()); err != nil {
		t.Errorf("after the release: %v", err)
	}
	patient, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for l.stored(t) != 4 {
		if patient.Err() != nil {
			t.Fatal("calls whose callers gave up did not come late")
		}
	}
	l.Hold("count")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	l := connect(t)
	refuse := redis.NewScript("-- dispatch: refuses.\nreturn {'FENCED', 'e', '7'}")
	for range 2 {
		if err := refuse.Run(t.Context(), l.near, []string{"n"}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	l.near.Set(t.Context(), "k", "FENCED", 0)
	l.near.Get(t.Context(), "k")
	if got := l.Refusals(); got != 2 {
		t.Errorf("%d refusals, want 2: what no script says does not count", got)
	}
}

func TestSeverFreezeDelay(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*wire.Relay)
		least time.Duration
		fails bool
	}{
		{"severed", (*wire.Relay).Sever, 0, true},
		{"frozen", (*wire.Relay).Freeze, 300 * time.Millisecond, true},
		{"delayed", func(r *wire.Relay) { r.Delay(60 * time.Millisecond) }, 60 * time.Millisecond, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := connect(t)
			if err := l.near.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			tt.spoil(l.Relay)
			began := time.Now()
			if err := l.near.Ping(t.Context()).Err(); (err != nil) != tt.fails {
				t.Errorf("a call ends with %v", err)
			}
			if took := time.Since(began); took < tt.least {
				t.Errorf("a call took %s, want at least %s", took, tt.least)
			}
			l.Mend()
			if err := l.near.Ping(t.Context()).Err(); err != nil {
				t.Errorf("after Mend: %v", err)
			}
		})
	}
}
