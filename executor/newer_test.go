package executor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/carillon-project/carillon/store"
)

func TestNewerFormatGoesBackAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.entries <- []store.Fetched{{ID: "newer", Bodies: []string{"2\tx"}}, {ID: "broken", Bodies: []string{"?"}}}
		r := f.run(t, 4, nothing, func(c *Config) { c.Block = 100 * time.Millisecond })
		pass(1900 * time.Millisecond)
		calls := f.take()
		if slices.Contains(calls, "back 1") || !slices.Contains(calls, "aside broken") || slices.Contains(calls, "aside newer") {
			t.Errorf("calls are %q", calls)
		}
		pass(200 * time.Millisecond)
		if calls := f.take(); !slices.Contains(calls, "back 1") {
			t.Errorf("after two seconds calls are %q", calls)
		}
		pass(5 * time.Second)
		if calls := f.take(); slices.Contains(calls, "back 1") {
			t.Errorf("it was handed back twice: %q", calls)
		}
		r.shut()
	})
}
