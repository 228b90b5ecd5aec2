package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/store"
)

// forgetRandom walks as the model does, with moves that it has not, and a step of a pass between two.
func forgetRandom(t *testing.T, open Open) {
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, open, seed)
			m.must(m.s.Register(m.ctx, []string{executor}, nil))
			f := m.s.Forgetting(0, 1+m.rnd.IntN(3))
			actions := []func(){
				m.doDispatch, m.doDispatch, m.doFetch, m.doStart, m.doFinish, m.doRecover, m.doPromote, m.doReclaim, m.doSweep,
				m.moveFetched, m.moveFetched, m.withdrawOne, m.removeOne,
			}
			forgotten, until := 0, time.Now().Add(modelBudget)     //nolint:forbidigo // bounds a test, decides nothing
			for n := 0; n < 250 && time.Now().Before(until); n++ { //nolint:forbidigo // as above
				actions[m.rnd.IntN(len(actions))]()
				for range m.rnd.IntN(4) {
					step, err := f.Step(m.ctx, m.office)
					m.must(err)
					forgotten += step.Forgotten
				}
				m.wantKept()
			}
			m.drain()
			for range 3 {
				m.forget()
			}
			equal(m.rig, "kept in the end", m.kept(), 0)
		})
	}
}

// moveFetched puts what a consumer has fetched elsewhere without a start.
func (m *model) moveFetched() {
	st, ok := pick(m, &m.fetched)
	if !ok {
		return
	}
	switch m.rnd.IntN(3) {
	case 0:
		m.must(m.s.HandBack(m.ctx, st.Consumer, st.Entries))
	case 1:
		st.Run, st.Return = nil, st.Run
		m.start(st)
	default:
		for i, entry := range st.Entries {
			var all []store.Message
			for _, taken := range st.Run {
				if taken.Entry == i {
					all = append(all, *taken.Message)
				}
			}
			n := m.rnd.IntN(len(all) + 1)
			m.must(m.s.Postpone(m.ctx, st.Consumer, entry, 0, all[:n], all[n:]))
		}
	}
}

// withdrawOne cancels any run that was ever sent.
func (m *model) withdrawOne() {
	for run := range m.sent {
		_ = m.s.Cancel(m.ctx, run) // it may have ended, or follow another
		return
	}
}

func (m *model) removeOne() {
	for id := range m.jobs {
		_, err := m.s.Remove(m.ctx, unique("op"), id)
		m.must(err)
		m.addJob(id)
		return
	}
}

// wantKept demands that every message is of a job that is stored, or of one whose uid is in removed.
func (m *model) wantKept() {
	m.Helper()
	alive := map[string]bool{}
	for _, e := range m.jobs {
		alive[e.UID] = true
	}
	see := func(place, body string) {
		if _, nudge := store.SlotOfNudge(body); nudge {
			return
		}
		message, err := store.DecodeMessage(body)
		m.must(err)
		if !alive[message.UID] && m.raw.text("ZSCORE", m.key("removed"), message.UID) == "" {
			m.Fatalf("the uid %s was forgotten; a message of it is in %s: %q", message.UID, place, body)
		}
	}
	for _, entry := range m.raw.do("XRANGE", m.key("stream:default"), "-", "+").([]any) {
		fields := entry.([]any)[1].([]any)
		for i := 1; i < len(fields); i += 2 {
			see("the stream", fields[i].(string))
		}
	}
	for _, value := range m.raw.texts("HVALS", m.key("running")) {
		_, body, _ := strings.Cut(value, "\n")
		see("running", body)
	}
	for _, key := range append([]string{m.key("delayed_runs")}, m.raw.scan(m.key("waiting_runs:*"))...) {
		for _, body := range m.raw.texts("HVALS", key) {
			see(key, body)
		}
	}
}
