package storetest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/store"
)

// conformance is one named rule.
type conformance struct {
	name string
	run  func(t *testing.T, open Open)
}

// Run runs the suite against the server that open describes. It returns when every subtest has
// ended and every key that they wrote has been matched against the table of keys.
func Run(t *testing.T, open func(t *testing.T) store.Config) {
	all := slices.Concat(jobTests, dispatchTests, startTests, outageTests, lineTests, finishTests, finishPlainTests, leaseTests, reclaimTests,
		recordTests, lostReplyTests, executorTests, partitionTests, modelTests, adhocTests, enqueueNowTests, checkTests, calendarTests, pastTests, identityTests,
		outcomeTests, suspectTests, backlogTests)
	all = append(all, nextLostTests...)
	all = append(all, cancelRaceTests...)
	all = append(all, poisonTests...)
	all = append(all, finishJobTests...)
	all = append(all, forgetTests...)
	all = append(all, auditTests...)
	all = append(all, vanishedTests...)
	all = append(all, stepTests...)
	all = append(all, oldSlotTests...)
	all = append(all, zoneTests...)
	all = append(all, givenTests...)
	all = append(all, aheadTests...)
	t.Run("rules", func(t *testing.T) {
		for _, c := range all {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				c.run(t, open)
			})
		}
	})
	t.Run("keys", func(t *testing.T) { keysAreOfTheTable(t, open) })
}

// keyTable is the table of keys as the suite knows it; a key that is new belongs in both.
var keyTable = regexp.MustCompile(`^\{[^{}]+:\d+\}:(` + strings.Join([]string{
	"meta", "registry", "jobs", "calendars", "calendar_jobs", "backlogs", "run_times", "running", "leases", "waiting", "delayed", "delayed_runs", "unserved", "served", "fence", "paused", "paused_executors", "outage",
	"removed", "removed_dead", "housekeeping", "old_slots", "dead", "events", "stream:.+", "slots:.+", "waiting:.+", "waiting_runs:.+", "op:.+", "history:.+", `past:\d+`, "log:.+",
}, "|") + `)$`)

func keysAreOfTheTable(t *testing.T, open Open) {
	raw := dialWire(t, open(t).URL)
	keys := raw.scan("*")
	if len(keys) < 10 {
		t.Errorf("only %d keys were found; did the suite run against this server?", len(keys))
	}
	for _, key := range keys {
		if !keyTable.MatchString(key) {
			t.Errorf("key %q is not in the table", key)
		}
	}
}
