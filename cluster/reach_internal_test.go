package cluster

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestBackoffDoublesUpToItsMost(t *testing.T) {
	b := backoff{first: 50 * time.Millisecond, most: 300 * time.Millisecond}
	var got []time.Duration
	for range 5 {
		got = append(got, b.delay()/time.Millisecond)
	}
	if diff := cmp.Diff([]time.Duration{50, 100, 200, 300, 300}, got); diff != "" {
		t.Errorf("delays in ms (-want +got):\n%s", diff)
	}
	b.reset()
	if d := b.delay(); d != 50*time.Millisecond {
		t.Errorf("after reset: %s", d)
	}
}

func TestPauseLastsOrEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if !pause(ctx, time.Second) || time.Since(began) != time.Second {
			t.Errorf("a pause of 1s took %s", time.Since(began))
		}
		if pause(ctx, time.Hour) || time.Since(began) != time.Minute {
			t.Errorf("a pause ended %s after its context began, want 1m", time.Since(began))
		}
	})
}

func TestConditionLogsOncePerChange(t *testing.T) {
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
	c := condition{log: log, lost: "lost", back: "back"}
	c.worked()
	for range 3 {
		c.failed(errors.New("why"))
	}
	for range 3 {
		c.worked()
	}
	c.failed(errors.New("again"))
	want := []string{"[WARN]  lost: error=why", "[INFO]  back", "[WARN]  lost: error=again"}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
