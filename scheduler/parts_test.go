package scheduler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunID(t *testing.T) {
	ns := "6f1c2f3e-0a5b-4c7d-8e9f-001122334455"
	want := uuid.NewSHA1(uuid.MustParse(ns), []byte("job-uid/1700000000123")).String()
	if got := RunID(ns, "job-uid", 1700000000123); got != want {
		t.Errorf("RunID = %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, in := range []struct {
		store, job string
		nominal    int64
	}{{ns, "a", 1}, {ns, "a", 2}, {ns, "b", 1}, {"other", "a", 1}, {"another", "a", 1}} {
		id := RunID(in.store, in.job, in.nominal)
		if was, ok := seen[id]; ok {
			t.Errorf("%v and %s have the same id", in, was)
		}
		seen[id] = fmt.Sprint(in)
	}
}

func TestClock(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		answers [][3]int64 // sent, received in microseconds; Redis in ms
		stepped bool       // by the last
		low     time.Duration
	}{
		{"the first answer", [][3]int64{{0, 1000, 5000}}, false, 4999 * ms},
		{"a quicker answer narrows", [][3]int64{{0, 1000, 5000}, {10_000, 10_200, 5010}}, false, 4999800 * time.Microsecond},
		{"a slow answer does not widen", [][3]int64{{0, 200, 5000}, {10_000, 30_000, 5012}}, false, 4999785*time.Microsecond + 100*time.Nanosecond},
		{"drift is not a step", [][3]int64{{0, 200, 5000}, {1_000_000, 1_000_200, 6004}}, false, 5003800 * time.Microsecond},
		{"a step forward", [][3]int64{{0, 200, 5000}, {1_000_000, 1_000_200, 7600}}, true, 6599800 * time.Microsecond},
		{"a step back", [][3]int64{{0, 200, 5000}, {1_000_000, 1_000_200, 4000}}, true, 2999800 * time.Microsecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c clock
			stepped := false
			for _, a := range tt.answers {
				stepped = c.observe(time.Duration(a[0])*time.Microsecond, time.Duration(a[1])*time.Microsecond, a[2])
			}
			if stepped != tt.stepped || c.low != tt.low {
				t.Errorf("stepped %v, low %s; want %v, %s", stepped, c.low, tt.stepped, tt.low)
			}
			if local := c.local(9000); c.redis(local) < 9000 || c.redis(local-time.Microsecond) >= 9000 {
				t.Errorf("local time of 9000 is %s, which is %d", local, c.redis(local))
			}
		})
	}
}

func TestMailbox(t *testing.T) {
	tests := []struct {
		name string
		put  map[time.Duration]int64 // what arrives when
		want time.Duration           // how long sleep takes, of at most 1s until the time 1000
	}{
		{"nothing comes", nil, time.Second},
		{"an earlier time wakes", map[time.Duration]int64{100 * time.Millisecond: 999}, 100 * time.Millisecond},
		{"a later time does not", map[time.Duration]int64{100 * time.Millisecond: 1000, 200 * time.Millisecond: 5000}, time.Second},
		{"an earlier after a later does", map[time.Duration]int64{100 * time.Millisecond: 5000, 300 * time.Millisecond: 0}, 300 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMailbox()
				for after, at := range tt.put {
					time.AfterFunc(after, func() { m.put(at) })
				}
				began := time.Now()
				m.sleep(t.Context(), time.Second, 1000)
				if took := time.Since(began); took != tt.want {
					t.Errorf("slept %s, want %s", took, tt.want)
				}
			})
		})
	}
	t.Run("what came before the sleep wakes it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMailbox()
			m.put(5)
			began := time.Now()
			m.sleep(t.Context(), time.Second, 1000)
			if took := time.Since(began); took != 0 {
				t.Errorf("slept %s", took)
			}
		})
	})
	t.Run("an ended context wakes it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			newMailbox().sleep(ctx, time.Hour, 1000)
		})
	})
}

func TestWakeTime(t *testing.T) {
	tests := []struct {
		name, what string
		at         int64
		ok         bool
	}{
		{"a run time", "1700000000000", 1700000000000, true},
		{"a change without a time", "", 0, true},
		{"a subscription", "subscribed", 0, true},
		{"a cancelled run is not for the leader", "cancel", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if at, ok := wakeTime(tt.what); at != tt.at || ok != tt.ok {
				t.Errorf("wakeTime(%q) = %d, %v; want %d, %v", tt.what, at, ok, tt.at, tt.ok)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	h := newHealth([]int{0, 1}, 5*time.Second)
	check := func(what string, first, hopeless, wantFirst, wantHopeless bool) {
		t.Helper()
		if first != wantFirst || hopeless != wantHopeless {
			t.Errorf("%s: first %v, hopeless %v; want %v, %v", what, first, hopeless, wantFirst, wantHopeless)
		}
	}
	first, hopeless := h.failed(0, time.Second, 2*time.Second)
	check("one of two", first, hopeless, true, false)
	first, hopeless = h.failed(0, 10*time.Second, 11*time.Second)
	check("one of two for long", first, hopeless, false, false)
	first, hopeless = h.failed(1, 10*time.Second, 12*time.Second)
	check("both, one not for long", first, hopeless, true, false)
	first, hopeless = h.failed(0, 14*time.Second, 15*time.Second)
	check("both for long", first, hopeless, false, true)
	if !h.ok(1) || h.ok(1) {
		t.Error("an answer mends a failing partition, once")
	}
	first, hopeless = h.failed(0, 20*time.Second, 21*time.Second)
	check("after one mended", first, hopeless, false, false)
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int](100, 200*entryOverhead)
	for i := range 1000 {
		c.put(fmt.Sprint(i), i, 10)
		if v, ok := c.get(fmt.Sprint(i)); !ok || v != i {
			t.Fatalf("%d is not kept", i)
		}
	}
	if n := len(c.values); n != 100 {
		t.Errorf("%d entries, want 100", n)
	}
	c.put("large", 1, 150*entryOverhead)
	if c.used > c.bytes || len(c.values) > 60 {
		t.Errorf("%d bytes in %d entries after a large one", c.used, len(c.values))
	}
	c.put("too large", 1, 300*entryOverhead)
	if _, ok := c.get("too large"); ok {
		t.Error("what exceeds the bounds alone is kept")
	}
	for key := range c.values {
		c.drop(key)
	}
	if c.used != 0 {
		t.Errorf("%d bytes used by nothing", c.used)
	}
}

func TestValidate(t *testing.T) {
	err := Config{Lease: time.Millisecond, Patience: -1, Nap: -1}.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 4 {
		t.Errorf("faults: %v; want four", err)
	}
}
