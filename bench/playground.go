package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// playground is a team that fires tickers, and all that is seen of it from outside.
type playground struct {
	*team
	client *carillon.Client

	mu     sync.Mutex
	leader string
	term   int64
	first  map[int64]time.Time // when a term dispatched for the first time
	told   chan struct{}       // something above has changed
	runs   map[childRun]int
}

// startPlayground starts a team under a cluster's name, on what Redis holds of it.
func (b *bench) startPlayground(ctx context.Context, name string) (*playground, error) {
	p := &playground{first: map[int64]time.Time{}, told: make(chan struct{}, 1), runs: map[childRun]int{}}
	var err error
	if p.team, err = b.rig.startTeam(ctx, name, teamSize, 0, p.ran); err != nil {
		return nil, err
	}
	p.client, err = carillon.NewClient(ctx, carillon.ClientConfig{Redis: b.rig.redis.URL(), Namespace: name})
	if err != nil {
		return nil, errors.Join(err, p.team.close())
	}
	return p, nil
}

func (p *playground) close() error {
	p.client.Close()
	return p.team.close()
}

// ran hears what the nodes tell.
func (p *playground) ran(m message) {
	if m.Run == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs[*m.Run]++
}

// watch hears who leads and what the leaders dispatch, until ctx ends. It closes hearing once it does.
func (p *playground) watch(ctx context.Context, hearing chan<- struct{}) error {
	return p.client.Subscribe(ctx, carillon.Mask(job.LeaderElected, carillon.JobSubmitted), func(e carillon.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if e.Term > p.term {
			p.term, p.leader = e.Term, e.Node
		}
		if _, ok := p.first[e.Term]; !ok && e.Kind == carillon.JobSubmitted {
			p.first[e.Term] = e.Time
		}
		select {
		case p.told <- struct{}{}:
		default:
		}
	}, carillon.OnceHearing(func() { close(hearing) }))
}

// office returns the present leader and term, once a term after the given one has dispatched, and when
// it first did.
func (p *playground) office(ctx context.Context, after int64) (leader string, term int64, first time.Time, err error) {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		p.mu.Lock()
		leader, term = p.leader, p.term
		first = p.first[term]
		p.mu.Unlock()
		if term > after && !first.IsZero() {
			return leader, term, first, nil
		}
		select {
		case <-p.told:
		case <-ctx.Done():
			return "", 0, first, context.Cause(ctx)
		case <-timer.C:
			return "", 0, first, fmt.Errorf("a minute after the leader's end nothing is dispatched")
		}
	}
}

// addTickers stores the jobs whose runs are counted, and returns their first whole second.
func (p *playground) addTickers(ctx context.Context) (time.Time, error) {
	first := time.Now().Add(2 * time.Second).Truncate(time.Second)
	for i := range tickers {
		start := first.Add(time.Duration(i) * tick)
		j := carillon.Job{ID: "ticker-" + strconv.Itoa(i), Task: task, Trigger: everySecond(start), Options: carillon.Options{Coalesce: job.CoalesceAll, Overlap: job.OverlapQueue}}
		if _, err := p.client.AddJob(ctx, j); err != nil {
			return first, err
		}
	}
	return first, nil
}

// account is how many due times there were, how many never ran, and how many attempts ran twice.
type account struct{ due, missing, doubled int }

func (a account) once() int { return a.due - a.missing - a.doubled }

// settle waits until each due time before until has run, for half a minute at most, and counts. An
// attempt after the first is explained by the node that died.
func (p *playground) settle(ctx context.Context, first, until time.Time) (account, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		sum := p.count(first, until)
		if sum.missing == 0 || time.Now().After(deadline) {
			return sum, nil
		}
		if err := sleep(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return sum, err
		}
	}
}

func (p *playground) count(first, until time.Time) (sum account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ran := map[childRun]bool{}
	for run, times := range p.runs {
		if times > 1 {
			sum.doubled++
		}
		run.Attempt = 0
		ran[run] = true
	}
	for i := range tickers {
		start := first.Add(time.Duration(i) * tick)
		for at := start; at.Before(until); at = at.Add(time.Second) {
			sum.due++
			if !ran[childRun{Job: "ticker-" + strconv.Itoa(i), Scheduled: at.UnixMilli()}] {
				sum.missing++
			}
		}
	}
	return sum
}
