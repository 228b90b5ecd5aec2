package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var auditTests = []conformance{
	{"audit: what cannot be read holds no slot and stops nothing", auditGarbage},
	{"audit: runs that start and end meanwhile are no repairs", auditChurn},
	{"audit: more slots than one call takes", auditSeveral},
	{"tidy: a history that is none stops nothing", tidyGarbage},
}

func (r *rig) audit() []string {
	r.Helper()
	mended, err := r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	return mended
}

func auditGarbage(t *testing.T, open Open) {
	r := newRig(t, open)
	started(r, "a")
	for i, garbage := range []string{"", "garbage", "\t\t\t\t", "o\t1\t1\ta", "o\tx\t1\ta\tdefault\t0\n", "o\t1\t\ta\tdefault\t0\n", "\x00\xff"} {
		r.raw.do("HSET", r.key("running"), fmt.Sprint("garbage-", i), garbage)
	}
	equal(r, "mended", r.audit(), nil)
	r.raw.do("SET", r.key("slots:a"), "garbage")
	r.raw.do("SADD", r.key("slots:list"), "x")
	equal(r, "mended", len(r.audit()), 2)
	equal(r, "counter", r.slot("a"), 1)
	equal(r, "no counter", r.raw.number("EXISTS", r.key("slots:list")), 0)
	equal(r, "mended again", r.audit(), nil)
}

// auditChurn has one slot whose counter and runs change all the while, so that no two reads are of one moment.
func auditChurn(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("busy", func(j *job.Job) { j.MaxInstances = 5 })
	r.send(message(e, r.now()), message(e, r.now()))
	r.begin(nodeA, store.Started, store.Started)
	quit, stopped := make(chan struct{}), make(chan struct{})
	stop := sync.OnceFunc(func() {
		close(quit)
		<-stopped
	})
	defer stop()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-quit:
				return
			default:
			}
			r.send(message(e, r.now()))
			st := r.fetch(nodeB)
			for i, reply := range r.start(st) {
				if reply.Verdict == store.Started {
					r.finish(finishOf(st.Owner, *st.Run[i].Message, job.Executed))
				}
			}
		}
	}()
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); { //nolint:forbidigo // bounds a test, decides nothing
		equal(r, "mended", r.audit(), nil)
	}
	r.raw.do("INCR", r.key("slots:busy"))
	var mended []string
	for range 200 { // a look finds it busy at times
		if mended = r.audit(); len(mended) > 0 {
			break
		}
	}
	equal(r, "mended while it is busy", len(mended), 1)
	stop()
	equal(r, "mended in the end", r.audit(), nil)
	equal(r, "counter", r.slot("busy"), 2)
}

func auditSeveral(t *testing.T, open Open) {
	r := newRig(t, open)
	started(r, "a")
	set := []any{"MSET"}
	for i := range 250 {
		set = append(set, r.key(fmt.Sprint("slots:ghost-", i)), 1)
	}
	r.raw.do(set...)
	equal(r, "mended", len(r.audit()), 250)
	equal(r, "left", r.raw.scan(r.key("slots:*")), []string{r.key("slots:a")})
}

func tidyGarbage(t *testing.T, open Open) {
	r := newRig(t, open)
	r.add("j")
	r.raw.do("SET", r.key("history:j"), "not a list")
	_, _, err := r.s.Tidy(r.ctx, 0, r.office, nil, 0)
	r.must(err)
}
