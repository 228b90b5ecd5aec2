package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
	"github.com/carillon-project/carillon/test/e2e/internal/wire"
)

func networkFaults() []Fault {
	return []Fault{
		{
			Name: "leader-cut-from-etcd", Says: "leader cut from etcd past its lease, Redis in reach", Chaos: true,
			Promise: "none lost, doubled or run again; a successor within the TTL and 1.5 s; what the old one dispatches is refused",
			Strike:  cutFromEtcd,
			Judge: func(f *Field, h history.History) []error {
				bad := append(takeovers(f, h, history.EtcdCut, f.LeaseTTL()+f.Within(1500*time.Millisecond)), noReruns(h)...)
				if f.Refusals() == 0 {
					bad = append(bad, errors.New("nothing was refused of the old leader, so that the fence was not tried"))
				}
				return bad
			},
		},
		{
			Name: "leader-cut-from-redis", Says: "leader cut from Redis, etcd in reach", Chaos: true,
			Promise: "none lost or doubled; it resigns, a node that reaches Redis leads",
			Strike:  cutFromRedis,
			Judge: func(f *Field, h history.History) []error {
				return takeovers(f, h, history.RedisCut, f.Within(resignBound))
			},
		},
		{
			Name: "leader-silent-redis", Says: "leader's network to Redis goes silent", Chaos: true,
			Promise: "none lost or doubled; it resigns, a node that reaches Redis leads",
			Strike:  silentRedis,
			Judge: func(f *Field, h history.History) []error {
				return takeovers(f, h, history.RedisCut, f.Within(silentBound))
			},
		},
		lostReply("dispatch", "dispatch", true), lostReply("start", "start_all", false), lostReply("finish", "finish_plain", false),
		{
			Name: "reply-lost-add", Says: "reply to a client's add lost", Promise: "one job, no error; none lost, doubled or run again",
			Strike: loseAdd, Judge: func(_ *Field, h history.History) []error { return noReruns(h) },
		},
	}
}

const (
	resignBound = 4 * time.Second
	silentBound = 8 * time.Second
)

// cutFromEtcd keeps the leader from etcd until another has taken office by the end of its lease.
func cutFromEtcd(ctx context.Context, f *Field) error {
	leader, term, err := f.Office(ctx)
	if err != nil {
		return err
	}
	lines, err := f.Lines(leader.Name)
	if err != nil {
		return err
	}
	refused := f.Refusals()
	healed := f.Harm(history.EtcdCut, leader.Name)
	defer healed()
	for _, r := range lines.Etcd {
		r.Sever()
		defer r.Mend()
	}
	if err := f.Succeeded(ctx, history.Fault{At: f.Now(), Term: term.Term}); err != nil {
		return err
	}
	for f.Refusals() == refused {
		if err := f.Rest(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: the old leader %s was never refused: %w", leader.Name, err)
		}
	}
	for _, r := range lines.Etcd {
		r.Mend()
	}
	healed()
	return f.Mend(ctx, leader)
}

func cutFromRedis(ctx context.Context, f *Field) error {
	return spoilRedis(ctx, f, (*wire.Relay).Sever)
}

func silentRedis(ctx context.Context, f *Field) error {
	return spoilRedis(ctx, f, (*wire.Relay).Freeze)
}

// spoilRedis keeps the leader from Redis until another has taken office.
func spoilRedis(ctx context.Context, f *Field, spoil func(*wire.Relay)) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	leader, term, err := f.Office(ctx)
	if err != nil {
		return err
	}
	lines, err := f.Lines(leader.Name)
	if err != nil {
		return err
	}
	healed := f.Harm(history.RedisCut, leader.Name)
	defer healed()
	spoil(lines.Redis)
	defer lines.Redis.Mend()
	if err := f.Succeeded(ctx, history.Fault{At: f.Now(), Term: term.Term}); err != nil {
		return err
	}
	lines.Redis.Mend()
	if err := f.Mend(ctx, leader); err != nil {
		return err
	}
	healed()
	return nil
}

// lostReply is the row that loses one reply to a script, of the leader or of any node.
func lostReply(name, script string, ofLeader bool) Fault {
	return Fault{
		Name: "reply-lost-" + name, Says: "reply to one " + name + " lost", Chaos: true, Rounds: 3,
		Promise: "none lost, doubled or run again: the call is sent again and finds itself done",
		Strike: func(ctx context.Context, f *Field) error {
			n, _, err := f.Office(ctx)
			if err == nil && !ofLeader {
				n, err = f.Follower(ctx)
			}
			if err != nil {
				return err
			}
			return loseReply(ctx, f, n, script)
		},
		Judge: func(_ *Field, h history.History) []error { return noReruns(h) },
	}
}

func loseReply(ctx context.Context, f *Field, n *rig.Node, script string) error {
	lines, err := f.Lines(n.Name)
	if err != nil {
		return err
	}
	healed := f.Harm(history.ReplyLost, n.Name)
	defer healed()
	select {
	case <-lines.Redis.Catch(script, wire.Reply).Sprung():
	case <-ctx.Done():
		return fmt.Errorf("matrix: %s sent no %s: %w", n.Name, script, ctx.Err())
	}
	return f.Runs(ctx, f.Now())
}

// loseAdd loses the reply to the add of a job, which the client must still report as added, once.
func loseAdd(ctx context.Context, f *Field) error {
	c, err := f.Relayed(ctx, "client")
	if err != nil {
		return err
	}
	defer c.Close()
	lines, err := f.Lines("client")
	if err != nil {
		return err
	}
	// The relay must have seen the script's source.
	probe := func(id string) error {
		return f.Add(ctx, c, rig.Spec{Job: history.Job{ID: id, First: f.Now().Add(time.Second), Every: time.Second}, URL: f.Witness.URL(0)})
	}
	if err := f.Raw().ScriptFlush(ctx).Err(); err != nil {
		return err
	}
	if err := probe("probe"); err != nil {
		return err
	}
	caught := lines.Redis.Catch("add", wire.Reply)
	if err := probe("added"); err != nil {
		return err
	}
	select {
	case <-caught.Sprung():
	default:
		return errors.New("matrix: the reply to the add was not lost")
	}
	_, err = c.AddJob(ctx, carillon.Job{ID: "added", Task: "http", Trigger: carillon.Every(time.Hour)})
	if err == nil {
		return errors.New("matrix: the job whose add lost its reply could be added again")
	}
	if !errors.Is(err, carillon.ErrConflictingID) {
		return fmt.Errorf("matrix: a second add ends otherwise than with a conflict: %w", err)
	}
	return f.Settled(ctx)
}
