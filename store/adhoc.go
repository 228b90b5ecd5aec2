package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
)

// AdHoc is runs of no job to enqueue at this moment, all in one partition. Form and Runs are required, and
// must not change any more.
type AdHoc struct {
	Form *Form
	// Op makes a repeat of it within Life, which is at least ten minutes, do nothing and get the answer
	// of the first. Empty means that nobody repeats it.
	Op   string
	Life time.Duration
	Runs []AdHocRun
}

// AdHocRun is what runs of one Form differ in.
type AdHocRun struct {
	ID   string // holds no @, tab or newline
	Args string // JSON
}

// size is how many runs a submission holds, and how long their args are in all.
func (a *AdHoc) size() (runs, bytes int) {
	for i := range a.Runs {
		bytes += len(a.Runs[i].Args)
	}
	return len(a.Runs), bytes
}

// Form is what ad-hoc runs of a task with the same options have in common. It is made once, serves any
// number of runs, and does not change.
type Form struct {
	executor           string
	head, event, after string // header of the message; submitted event up to the run id, after the time
}

// Form returns the form of runs such as m, whose own runs and args do not matter.
func (s *Store) Form(m Message) *Form {
	m.Runs, m.Args = nil, nil
	return &Form{
		executor: m.Executor,
		head:     strings.TrimSuffix(m.Encode(), "\n"), // less the end of a line of no runs
		event:    string(job.JobSubmitted) + "\t" + m.JobID + "\t",
		after:    "\t" + strconv.Itoa(m.Attempt) + "\t" + s.cfg.Node + "\t\tenqueued",
	}
}

// EnqueueNow puts ad-hoc runs into their executor's stream, scheduled at the moment that this happens,
// all or none. It returns the id of the first of them, or what the first call with the op returned.
// Small submissions that meet travel together; one whose ctx ends meanwhile may have been carried out.
func (s *Store) EnqueueNow(ctx context.Context, partition int, sub AdHoc) (string, error) {
	if len(sub.Runs) == 0 {
		return "", errors.New("store: enqueue: no runs")
	}
	if len(sub.Runs) < crowd {
		return s.crossing.submit(ctx, s, partition, sub)
	}
	p := passenger{AdHoc: sub}
	(&load{store: s, partition: partition}).carry(ctx, []*passenger{&p})
	return p.answer, p.err
}

// lifeOf is how long the answer of an op is kept, in seconds.
func lifeOf(asked time.Duration) int { return int(max(asked, opLife).Seconds()) }

// load makes the calls of one crossing, one after another, and keeps what it needs for that.
type load struct {
	store     *Store
	partition int
	keys      []string
	args      []any
}

// carry enqueues what passengers for one executor bring, in one call, and gives each its answer.
func (l *load) carry(ctx context.Context, aboard []*passenger) {
	s, k := l.store, l.store.partitions[l.partition]
	messages, largest := sizeOf(aboard)
	l.keys = append(l.keys[:0], k.events(), k.jobs(), k.stream(aboard[0].Form.executor), k.op(uuid.NewString()))
	l.args = append(append(l.args[:0], s.env()...), int(opLife.Seconds()), share(messages, largest))
	for from := 0; from < len(aboard); {
		to := from + 1
		for aboard[from].Op == "" && to < len(aboard) && aboard[to].Op == "" && aboard[to].Form == aboard[from].Form {
			to++
		}
		l.group(k, aboard[from:to])
		from = to
	}
	reply, err := s.run(ctx, enqueueNowScript, l.keys, l.args...)
	clear(l.args) // nobody's args are kept
	answers := strings.Split(text(reply), "\n")
	if own := len(l.keys) - enqueueNowScript.keys; !refused(err) && own > 0 && len(answers) != own {
		err = fmt.Errorf("store %s: enqueue: unexpected answer of %d parts", s.cfg.Name, len(answers))
	}
	for _, p := range aboard {
		if p.err = err; refused(err) {
			continue
		}
		p.answer = p.Runs[0].ID
		if p.Op != "" {
			p.answer, answers = answers[0], answers[1:]
		}
	}
}

// sizeOf is how many runs there are, and how long the longest args are.
func sizeOf(aboard []*passenger) (runs, largest int) {
	for _, p := range aboard {
		runs += len(p.Runs)
		for i := range p.Runs {
			largest = max(largest, len(p.Runs[i].Args))
		}
	}
	return runs, largest
}

// group appends what the script takes of passengers without an op that have a form in common, or of one
// with an op.
func (l *load) group(k keys, group []*passenger) {
	p := group[0]
	if p.Op == "" {
		l.args = append(l.args, "")
	} else {
		l.keys = append(l.keys, k.op(p.Op))
		l.args = append(l.args, lifeOf(p.Life))
	}
	messages, _ := sizeOf(group)
	l.args = append(l.args, &p.Form.head, &p.Form.event, &p.Form.after, messages)
	for _, p := range group {
		for i := range p.Runs {
			// Pointers, since text in an any is a copy of its header each.
			l.args = append(l.args, &p.Runs[i].ID, &p.Runs[i].Args)
		}
	}
}
