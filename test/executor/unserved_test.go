package executor_test

import (
	"testing"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
)

// A run whose task nobody serves uses up none of its attempts, and runs when a node comes that serves it.
func TestTaskThatNobodyServesWaits(t *testing.T) {
	b := newBench(t, 1)
	m := b.member(map[string]executor.Handler{"here": succeed})
	msg := b.message("there")
	b.enqueue(msg)
	b.enqueue(b.message("here"))
	b.history("@here", 1)
	m.drain()
	if back := b.delayed(msg.Runs[0].ID); back.Attempt != 1 || back.Failed != 0 {
		t.Errorf("it waits as %+v", back)
	}
	if n := b.raw.HLen(t.Context(), b.prefix+"unserved").Val(); n != 1 {
		t.Errorf("%d runs are noted as unserved", n)
	}
	able := b.member(map[string]executor.Handler{"there": succeed}, func(c *executor.Config) { c.Boot = "b2" })
	b.promote(1)
	if row := b.history("@there", 1)[0]; row.Attempt != 1 || row.Outcome != job.Executed {
		t.Errorf("history says %+v", row)
	}
	able.drain()
}
