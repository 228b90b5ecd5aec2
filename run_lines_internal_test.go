package carillon

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
)

func TestLinesThatDoNotFitAreCountedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		registry := prometheus.NewRegistry()
		k := newLineKeeper(time.Now, hclog.New(&hclog.LoggerOptions{Output: &said}), registry)
		p := k.page(Run{ID: "r", Store: "s", Attempt: 1})
		for range linesBuffer + 7 {
			p.add("info", 0, strings.Repeat("x", 2*lineLimit))
		}
		if n := len(k.held["s"]); n != linesBuffer || len(k.held["s"][n-1].Text) != lineLimit {
			t.Errorf("%d lines are held, the last of %d bytes", n, len(k.held["s"][n-1].Text))
		}
		k.flush(t.Context(), nil)
		p.add("info", 0, "after")
		if got := k.held["s"]; len(got) != 1 || got[0].Number != linesBuffer+8 {
			t.Errorf("after a flush %+v is held; the gap must tell what was dropped", got)
		}
		k.flush(t.Context(), nil)
		metrics, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if n := metrics[0].GetMetric()[0].GetCounter().GetValue(); n != 7 || strings.Count(said.String(), "dropped") != 1 || !strings.Contains(said.String(), "count=7") {
			t.Errorf("%v were counted, and said: %s", n, said.String())
		}
	})
}

func TestLineText(t *testing.T) {
	for _, c := range []struct {
		name  string
		pairs []any
		want  string
	}{
		{"no pairs", nil, "m"},
		{"plain values", []any{"a", 1, "b", "x"}, "m a=1 b=x"},
		{"values with spaces", []any{"a", "x y", "b", "", "c", "p=q"}, `m a="x y" b="" c="p=q"`},
		{"an error", []any{"error", errors.New("boom")}, "m error=boom"},
		{"a format", []any{"a", hclog.Fmt("%d%%", 5)}, "m a=5%"},
		{"a value without a key", []any{"a", 1, 2}, "m a=1 EXTRA_VALUE_AT_END=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lineText("m", c.pairs); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
