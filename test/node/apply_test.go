package node_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
)

// daily is a job of a set.
func daily(id, expr string) carillon.Job {
	return carillon.Job{ID: id, Task: "act", Trigger: carillon.Cron(expr)}
}

func actions(p carillon.Plan) []string {
	var all []string
	for _, c := range p.Changes {
		all = append(all, c.Job.ID+" "+string(c.Action))
	}
	return all
}

func TestApplyWritesWhatThePlanShowed(t *testing.T) {
	t.Parallel()
	_, c := idle(t, config(t, clusterOf(t), "n"))
	ctx := t.Context()
	set := carillon.JobSet{Jobs: []carillon.Job{daily("kept", "0 3 * * *"), daily("moved", "0 3 * * *"), daily("gone", "0 3 * * *"), daily("back", "0 3 * * *")}}
	must(c.Apply(ctx, must(c.Plan(ctx, set))(t)))(t)

	set.Prune = true
	set.Jobs = []carillon.Job{daily("kept", "0 3 * * *"), daily("moved", "0 4 * * *"), daily("new", "0 3 * * *"), daily("taken", "0 3 * * *")}
	p := must(c.Plan(ctx, set))(t)
	want := []string{"kept unchanged", "moved update", "new add", "taken add", "back remove", "gone remove"}
	if diff := cmp.Diff(want, actions(p)); diff != "" {
		t.Fatalf("plan (-want +got):\n%s", diff)
	}
	// Somebody is faster with half of it.
	must(c.ModifyJob(ctx, "moved", func(j *carillon.Job) error { j.MaxInstances = 5; return nil }))(t)
	must(c.AddJob(ctx, daily("taken", "0 5 * * *")))(t)
	if err := c.RemoveJob(ctx, "back"); err != nil {
		t.Fatal(err)
	}
	must(c.AddJob(ctx, daily("back", "0 3 * * *")))(t)
	done, err := c.Apply(ctx, p)
	failed := map[string]error{"moved": carillon.ErrPlanOutdated, "taken": carillon.ErrConflictingID, "back": carillon.ErrPlanOutdated}
	for _, d := range done {
		if want := failed[d.Job.ID]; !errors.Is(d.Err, want) || !(want == nil || errors.Is(err, want)) {
			t.Errorf("%s: %v, want %v", d.Job.ID, d.Err, want)
		}
		if written := d.Err == nil && d.Action != carillon.ActionRemove; (d.Stored != nil) != written {
			t.Errorf("%s: stored as %v", d.Job.ID, d.Stored)
		}
	}
	var ids []string
	for _, j := range must(c.Jobs(ctx))(t) {
		ids = append(ids, j.ID)
	}
	slices.Sort(ids)
	if diff := cmp.Diff([]string{"back", "kept", "moved", "new", "taken"}, ids); diff != "" {
		t.Error(diff)
	}
	if j := must(c.GetJob(ctx, "moved"))(t); j.MaxInstances != 5 {
		t.Errorf("the change of somebody else was overwritten: %+v", j)
	}
}

// TestAnAppliedIntervalKeepsItsPhase: only another trigger schedules a job anew.
func TestAnAppliedIntervalKeepsItsPhase(t *testing.T) {
	t.Parallel()
	_, c := idle(t, config(t, clusterOf(t), "n"))
	ctx := t.Context()
	j := carillon.Job{ID: "j", Task: "act", Trigger: carillon.Every(time.Hour)}
	set := carillon.JobSet{Name: "s", Jobs: []carillon.Job{j}}
	first := must(c.Apply(ctx, must(c.Plan(ctx, set))(t)))(t)[0].Stored
	set.Jobs[0].Description = "changed"
	second := must(c.Apply(ctx, must(c.Plan(ctx, set))(t)))(t)[0].Stored
	if diff := cmp.Diff(string(first.Trigger), string(second.Trigger)); diff != "" || second.Description != "changed" || second.Labels[carillon.ManagedBy] != "s" {
		t.Errorf("%+v: %s", second, diff)
	}
	before, _ := first.NextRunTime.Time()
	if after, _ := second.NextRunTime.Time(); !after.Equal(before) {
		t.Errorf("next run %s, was %s", after, before)
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	_, c := idle(t, config(t, clusterOf(t), "n"))
	ctx := t.Context()
	must(c.Apply(ctx, must(c.Plan(ctx, carillon.JobSet{Name: "a", Jobs: []carillon.Job{daily("owned", "0 3 * * *")}}))(t)))(t)
	marked := daily("x", "0 3 * * *")
	marked.Labels = map[string]string{carillon.ManagedBy: "other"}
	for _, tt := range []struct {
		name string
		set  carillon.JobSet
		want error
	}{
		{"another set's", carillon.JobSet{Name: "b", Jobs: []carillon.Job{daily("owned", "0 3 * * *")}}, carillon.ErrOtherSet},
		{"another set's label", carillon.JobSet{Name: "b", Jobs: []carillon.Job{marked}}, carillon.ErrInvalidJob},
		{"twice", carillon.JobSet{Jobs: []carillon.Job{daily("x", "0 3 * * *"), daily("x", "0 4 * * *")}}, carillon.ErrInvalidJob},
		{"no id", carillon.JobSet{Jobs: []carillon.Job{daily("", "0 3 * * *")}}, carillon.ErrInvalidJob},
		{"wrong trigger", carillon.JobSet{Jobs: []carillon.Job{daily("x", "soon")}}, carillon.ErrInvalidTrigger},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if p, err := c.Plan(ctx, tt.set); !errors.Is(err, tt.want) || len(p.Changes) > 0 {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
	if p, err := c.Plan(ctx, carillon.JobSet{Name: "a", Prune: true}); err == nil {
		t.Errorf("an empty set is planned as %v", actions(p))
	}
	if p, err := c.Plan(ctx, carillon.JobSet{Name: "a b"}); err == nil {
		t.Errorf("a set without a proper name is planned as %v", actions(p))
	}
}
