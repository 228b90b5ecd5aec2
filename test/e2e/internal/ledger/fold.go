package ledger

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Ledger is what the steps of a file come to.
type Ledger struct {
	Moves  []history.Move
	Skips  []history.Skip
	Fences []history.Fence
	Rows   []history.Outcome // every history row of a run, oldest first
	Wipes  int               // how often all was deleted at once; nothing moved then
}

// Fold replays steps from an empty store.
func Fold(steps []Step) Ledger {
	b := newBook()
	for i, step := range steps {
		b.step = i
		b.begin(step)
		for _, command := range step {
			b.apply(command)
		}
		b.settle()
	}
	return b.Ledger
}

// book is the state of the store as far as runs go, and what happened in the present step.
type book struct {
	Ledger
	step int
	now  time.Time

	entries map[string]map[string][]message // by stream key and entry id
	holds   map[string]hold                 // running, by run id
	parked  map[string]map[string]message   // delayed_runs and waiting_runs, by key and run id
	leases  map[string]time.Time
	slots   map[string]int
	fences  map[string]int64 // by partition
	places  map[string][]string
	known   map[string]history.Move // what is known of each run, by id

	touched []string
	before  map[string][]string
	leased  map[string]time.Time // the leases of touched runs before the step
	facts   map[string]*fact
}

// fact is what a step says of a run beside its places.
type fact struct {
	outcomes []string
	lost     bool
	term     int64
	by       string // who dispatched it
}

func newBook() *book {
	b := &book{known: map[string]history.Move{}}
	b.wipe()
	return b
}

func (b *book) wipe() {
	b.entries, b.parked = map[string]map[string][]message{}, map[string]map[string]message{}
	b.holds, b.leases, b.slots, b.fences = map[string]hold{}, map[string]time.Time{}, map[string]int{}, map[string]int64{}
	b.places = map[string][]string{}
	b.forget()
}

func (b *book) forget() {
	b.touched, b.before, b.leased, b.facts = nil, map[string][]string{}, map[string]time.Time{}, map[string]*fact{}
}

// begin reads the time of a step from the id of its events, which carry Redis's clock.
func (b *book) begin(step Step) {
	b.forget()
	for _, command := range step {
		if _, name := split(command); name == "events" && strings.EqualFold(command[0], "XADD") {
			id, _ := entryOf(command)
			ms, _, _ := strings.Cut(id, "-")
			b.now = millis(ms)
		}
	}
}

// touch remembers where a run was before the step.
func (b *book) touch(id string) {
	if _, ok := b.before[id]; ok {
		return
	}
	b.touched = append(b.touched, id)
	b.before[id] = slices.Clone(b.places[id])
	b.leased[id] = b.leases[id]
}

func (b *book) fact(id string) *fact {
	b.touch(id)
	if b.facts[id] == nil {
		b.facts[id] = &fact{}
	}
	return b.facts[id]
}

// put says that the runs of a message are in a place now; take, that they are not any more.
func (b *book) put(place string, m message) {
	for i, r := range m.runs {
		b.touch(r.id)
		k := b.known[r.id]
		k.RunID, k.JobID, k.Scheduled, k.Due, k.Max = r.id, m.job, r.scheduled, r.due, m.max
		where := place
		switch {
		case i == 0:
			k.Attempt = m.attempt
		case place == "running":
			where = "behind"
		}
		b.known[r.id] = k
		b.places[r.id] = append(b.places[r.id], where)
	}
}

func (b *book) take(place string, m message) {
	for i, r := range m.runs {
		b.touch(r.id)
		where := place
		if i > 0 && place == "running" {
			where = "behind"
		}
		if at := slices.Index(b.places[r.id], where); at >= 0 {
			b.places[r.id] = slices.Delete(b.places[r.id], at, at+1)
		}
	}
}

// settle turns what the step did into moves.
func (b *book) settle() {
	for _, id := range b.touched {
		m, ok := b.known[id]
		if !ok {
			continue
		}
		was := m
		m.Step, m.At, m.From, m.To = b.step, b.now, join(b.before[id]), join(b.places[id])
		m.Term, m.Outcomes, m.Lost, m.Lease = 0, nil, false, time.Time{}
		if f := b.facts[id]; f != nil {
			m.Outcomes, m.Lost, m.Term = f.outcomes, f.lost, f.term
			if f.by != "" {
				m.Node = f.by
			}
		}
		m.Held, m.Counter, m.Fence = 0, 0, b.fences[b.partOf()]
		if h, ok := b.holds[id]; ok {
			m.Node, m.Attempt = h.node(), h.attempt
		}
		if strings.Contains(m.From, "running") {
			m.Lease = b.leased[id]
		}
		if m.Max > 0 {
			m.Held, m.Counter = b.held(b.slotOf(id)), b.slots[b.slotOf(id)]
		}
		if m.From != m.To || len(m.Outcomes) > 0 || m.Attempt != was.Attempt || m.Lost {
			b.Moves = append(b.Moves, m)
		}
		b.known[id] = m
		if m.To == "" {
			delete(b.places, id)
		}
	}
}

// partOf is the partition that has a fence; runs of several partitions are not told apart by it.
func (b *book) partOf() string {
	best := ""
	for part := range b.fences {
		best = max(best, part)
	}
	return best
}

func (b *book) held(slot string) (n int) {
	for _, h := range b.holds {
		if h.slot == slot && slot != "" {
			n++
		}
	}
	return n
}

// slotOf is the slot that the run holds, or else that of its job.
func (b *book) slotOf(id string) string {
	if h, ok := b.holds[id]; ok {
		return h.slot
	}
	return b.known[id].JobID
}

func join(places []string) string {
	sorted := slices.Clone(places)
	slices.Sort(sorted)
	return strings.Join(sorted, "+")
}

// split returns the partition's prefix and the name of the key that a command is about.
func split(command []string) (part, name string) {
	if len(command) < 2 {
		return "", ""
	}
	part, name, _ = strings.Cut(command[1], "}:")
	return part, name
}

// entryOf returns the id and the values of an XADD.
func entryOf(command []string) (id string, values []string) {
	for i := 2; i < len(command); i++ {
		switch strings.ToUpper(command[i]) {
		case "NOMKSTREAM", "=", "~":
			continue
		case "MAXLEN", "MINID", "LIMIT":
			for i+1 < len(command) && (command[i+1] == "=" || command[i+1] == "~") {
				i++
			}
			i++
			continue
		}
		for j := i + 2; j < len(command); j += 2 {
			values = append(values, command[j])
		}
		return command[i], values
	}
	return "", nil
}

func integer(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
