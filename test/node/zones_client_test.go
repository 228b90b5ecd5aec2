package node_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// Not parallel: the rules are those of the process.
func TestAWrongNextTimeDoesNotStay(t *testing.T) {
	t.Cleanup(func() { trigger.UseZones(trigger.EmbeddedZones()) })
	ctx, tokyo := t.Context(), movedZones(t, "Asia/Tokyo")
	_, client := idle(t, config(t, clusterOf(t), "n"))
	j := carillon.Job{ID: "berlin", Task: "act", Trigger: json.RawMessage(`{"type":"cron","expr":"30 12 * * *","timezone":"Europe/Berlin"}`)}
	parsed := must(trigger.Parse(j.Trigger))(t)
	apply := func() error {
		plan, err := client.Plan(ctx, carillon.JobSet{Jobs: []carillon.Job{j}})
		if err == nil && (len(plan.Changes) != 1 || len(plan.Changes[0].Fields) != 1 || plan.Changes[0].Fields[0].Field != "next_run_time") {
			t.Errorf("the plan is %+v, want a change of next_run_time", plan)
		}
		if err == nil {
			_, err = client.Apply(ctx, plan)
		}
		return err
	}
	for name, change := range map[string]func() error{
		"replace": func() error { _, err := client.AddJob(ctx, j, carillon.ReplaceExisting()); return err },
		"modify": func() error {
			_, err := client.ModifyJob(ctx, j.ID, func(*carillon.Job) error { return nil })
			return err
		},
		"apply": apply,
	} {
		trigger.UseZones(tokyo)
		must(client.AddJob(ctx, j))(t)
		trigger.UseZones(trigger.EmbeddedZones())
		if next, _ := nextOf(t, client, j.ID); next.Equal(parsed.Next(time.Now())) {
			t.Fatalf("%s: other rules give the same time", name)
		}
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if next, _ := nextOf(t, client, j.ID); !next.Equal(parsed.Next(time.Now())) {
			t.Errorf("%s: the next time is %v, want %v", name, next, parsed.Next(time.Now()))
		}
		if err := client.RemoveJob(ctx, j.ID); err != nil {
			t.Fatal(err)
		}
	}
	asked := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	first := j
	first.NextRunTime = job.At(asked)
	must(client.AddJob(ctx, first))(t)
	must(client.AddJob(ctx, j, carillon.ReplaceExisting()))(t)
	if next, _ := nextOf(t, client, j.ID); !next.Equal(asked) {
		t.Errorf("a time that was asked for became %v, was %v", next, asked)
	}
}

// Not parallel: the rules are those of the process.
func TestAClientWithOtherZoneRulesFindsNoTime(t *testing.T) {
	t.Cleanup(func() { trigger.UseZones(trigger.EmbeddedZones()) })
	ctx, cluster := t.Context(), clusterOf(t)
	cfg := config(t, cluster, "n")
	_, client := idle(t, cfg)
	s, err := store.Open(ctx, store.Config{URL: cfg.Redis, Namespace: cluster})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	office := func(term int64, zones string) {
		t.Helper()
		for p := range s.Partitions() {
			if err := s.TakeOffice(ctx, p, store.Office{Epoch: "e", Term: term, Zones: zones}); err != nil {
				t.Fatal(err)
			}
		}
	}
	mine := trigger.EmbeddedZones().Version()
	j := carillon.Job{ID: "berlin", Task: "act", Trigger: json.RawMessage(`{"type":"cron","expr":"30 12 * * *","timezone":"Europe/Berlin"}`)}
	for i, test := range []struct {
		rules   string
		refused bool
	}{{mine, false}, {"2000a", false}, {"2099a", true}, {mine + "+0123456789ab", true}, {"+0123456789ab", true}} {
		office(int64(i+1), test.rules)
		_, err := client.AddJob(ctx, j)
		if test.refused != errors.Is(err, carillon.ErrZoneRules) || !test.refused && err != nil {
			t.Errorf("rules %s: error %v", test.rules, err)
		}
		if test.refused && (!strings.Contains(err.Error(), mine) || !strings.Contains(err.Error(), "--zoneinfo")) {
			t.Errorf("rules %s: the error names no version or remedy: %v", test.rules, err)
		}
		utc := carillon.Job{ID: "utc", Task: "act", Trigger: json.RawMessage(`{"type":"cron","expr":"30 12 * * *"}`)}
		must(client.AddJob(ctx, utc, carillon.ReplaceExisting()))(t)
		if err == nil {
			err = client.RemoveJob(ctx, j.ID)
		}
		if err != nil && !test.refused {
			t.Fatal(err)
		}
	}
}
