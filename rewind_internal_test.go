package carillon

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/carillon-project/carillon/store"
)

// A job that fired while Redis's clock was ahead gets its next time counted from now; what was asked for stays, and a
// pause too.
func TestRewound(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 30, 0, time.UTC)
	ahead := now.Add(3 * time.Hour).Truncate(time.Minute).UnixMilli()
	e := store.Entry{Header: store.Header{UID: "u", State: store.Active, Last: ahead, Next: ahead + 60_000, Runs: 7}}
	e.Job.Trigger = json.RawMessage(`{"type":"interval","every":"1m","start_date":"2026-01-01T00:00:00Z","timezone":"UTC"}`)
	e.RunTime = e.Next
	soon := now.Truncate(time.Minute).Add(time.Minute).UnixMilli()

	got, err := rewound(e, now.UnixMilli(), &almanac{})
	if err != nil || got.Last != now.UnixMilli() || got.Next != soon || got.RunTime != soon || got.Runs != 7 {
		t.Errorf("it is %+v, %v; want its next time at %d", got.Header, err, soon)
	}
	paused := e
	paused.State, paused.Reason, paused.RunTime = store.Paused, "by hand", 0
	got, err = rewound(paused, now.UnixMilli(), &almanac{})
	if err != nil || got.State != store.Paused || got.Reason != "by hand" || got.RunTime != 0 || got.Next != soon {
		t.Errorf("the paused one is %+v, %v", got.Header, err)
	}
	asked := e
	asked.Asked = asked.Next
	got, err = rewound(asked, now.UnixMilli(), &almanac{})
	if err != nil || got.Next != e.Next || got.RunTime != e.RunTime || got.Last != now.UnixMilli() {
		t.Errorf("the one that was asked for is %+v, %v", got.Header, err)
	}
}
