package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func lastingFaults() []Fault {
	return []Fault{
		{
			Name: "healed-amid-faults", Says: "Redis killed and started again, while an etcd member is down and a node stands still", Rig: threeMembers,
			Promise: "within five seconds every run is on time again, although the other faults go on",
			Strike:  healAmid,
		},
		{
			Name: "shell-children", Says: "a program that does not end: past its timeout, and when its node is killed",
			Promise: "no process of it is left; outcome timeout, and lost",
			Strike:  endless,
		},
	}
}

// healAmid breaks three things and mends one.
func healAmid(ctx context.Context, f *Field) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	n, err := f.Follower(ctx)
	if err != nil {
		return err
	}
	lasting := f.Harm(history.EtcdDown, "")
	defer lasting()
	f.KillMember(2)
	resume := f.Suspend(n)
	err = f.backToNormal(ctx)
	resume()
	err = errors.Join(err, f.RestoreMember(ctx, 2))
	lasting()
	if err != nil {
		return err
	}
	return f.Mend(ctx, n)
}

// backToNormal restarts Redis and checks that soon after it every due time of three seconds is met.
func (f *Field) backToNormal(ctx context.Context) error {
	if err := restartRedis(ctx, f); err != nil {
		return err
	}
	from := f.Now().Add(f.Within(5 * time.Second))
	until := from.Add(3 * time.Second)
	if err := f.Rest(ctx, until.Sub(f.Now())); err != nil {
		return err
	}
	if err := f.Runs(ctx, until); err != nil {
		return err
	}
	late := f.Witnessed("", 0).OnTime(from, until, f.Within(500*time.Millisecond))
	if len(late) > 0 {
		return fmt.Errorf("matrix: %d due times were missed while other faults went on, the first: %s", len(late), late[0])
	}
	return nil
}

// endless has a node run a program that does not end by itself, twice.
func endless(ctx context.Context, f *Field) error {
	f.fresh++
	name := fmt.Sprintf("shell%d", f.fresh)
	n, err := f.StartNode(name, "--executor", name+"=4", "--allow-shell", "/bin/sh")
	if err != nil {
		return err
	}
	if err := n.Ready(ctx); err != nil {
		return err
	}
	add := func(id, line string, timeout time.Duration) error {
		return f.AddUnseen(ctx, f.Client, carillon.Job{
			ID: id, Task: "shell", Executor: name, Trigger: carillon.At(f.Now().Add(200 * time.Millisecond)),
			Args:    carillon.Args(map[string]any{"argv": []string{"/bin/sh", "-c", line}}),
			Options: carillon.Options{Timeout: carillon.Duration(timeout), OnLost: carillon.OnLostDrop},
		})
	}
	if err := add(name+"-timeout", "sleep 600 & wait", time.Second); err != nil {
		return err
	}
	if err := f.begotten(ctx, n); err != nil {
		return err
	}
	if err := f.endedAs(ctx, name+"-timeout", "timeout"); err != nil {
		return err
	}
	if left := rig.Children(n.Pid()); len(left) > 0 {
		return fmt.Errorf("matrix: of a program past its timeout the processes %v are left", left)
	}
	if err := add(name+"-killed", "exec sleep 600", 0); err != nil {
		return err
	}
	if err := f.begotten(ctx, n); err != nil {
		return err
	}
	f.Kill(n) // what it leaves behind is looked for in the end
	return f.endedAs(ctx, name+"-killed", "lost")
}

// begotten waits until the node has a child.
func (f *Field) begotten(ctx context.Context, n *rig.Node) error {
	for len(rig.Children(n.Pid())) == 0 {
		if err := f.Rest(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: %s started no program: %w", n.Name, err)
		}
	}
	return nil
}

// endedAs waits for the end of a job's run.
func (f *Field) endedAs(ctx context.Context, id, outcome string) error {
	row, err := f.given(ctx, id)
	if err == nil && string(row.Outcome) != outcome {
		err = fmt.Errorf("matrix: %s ended as %s, not as %s: %s", id, row.Outcome, outcome, row.Error)
	}
	return err
}
