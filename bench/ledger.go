package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// steadyRound is what one round of a steady schedule gave.
type steadyRound struct {
	due, once int // times that were due, and those that ran exactly once
	late      *lateness
}

// ledger counts how often each due time ran: of each job, of each second of the measured stretch.
type ledger struct {
	began   time.Time // the first second that counts
	seconds int
	ran     []atomic.Int32
	all     *counter
	late    *lateness
}

func newLedger(began time.Time, jobs int, length time.Duration) *ledger {
	seconds := int(length / time.Second)
	return &ledger{began: began, seconds: seconds, ran: make([]atomic.Int32, jobs*seconds), all: newCounter(jobs * seconds), late: newLateness()}
}

// note counts a run of a job that was due at a time and started at another.
func (l *ledger) note(job int, due, started time.Time) {
	since := due.Sub(l.began)
	second := int(since / time.Second)
	if since < 0 || second >= l.seconds {
		return
	}
	if l.ran[job*l.seconds+second].Add(1) == 1 {
		l.late.add(started.Sub(due))
		l.all.add()
	}
}

func (l *ledger) round() steadyRound {
	r := steadyRound{due: len(l.ran), late: l.late}
	for i := range l.ran {
		if l.ran[i].Load() == 1 {
			r.once++
		}
	}
	return r
}

// lateness is how late runs started, in µs from a µs to ten minutes, to three digits.
type lateness struct {
	mu   sync.Mutex
	hist *hdrhistogram.Histogram
}

func newLateness() *lateness {
	return &lateness{hist: hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)}
}

func (l *lateness) add(late time.Duration) {
	us := min(max(late.Microseconds(), 1), (10 * time.Minute).Microseconds())
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.hist.RecordValue(us) // it is within the range
}

// at is a percentile in ms.
func (l *lateness) at(percentile float64) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(l.hist.ValueAtPercentile(percentile)) / 1000
}
