package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The phases of a pass of Forgetting, in their order. A message leaves one place for another only in the
// direction of this order, save by scripts that look at removed first: decision 0025.
const (
	forgetNumber  = "number"  // the uids that this pass may forget get its number as their score
	forgetRunning = "running" // from here on, those that a message refers to get the next number
	forgetStreams = "streams"
	forgetDelayed = "delayed"
	forgetLines   = "lines"
	forgetDead    = "dead"
	forgetDrop    = "drop"  // those that still have the number are forgotten
	forgetSlots   = "slots" // the old slots of jobs that are gone are forgotten
	forgetIdle    = "idle"
)

var forgetPhases = []string{
	forgetNumber, forgetRunning, forgetStreams, forgetDelayed, forgetLines, forgetDead, forgetDrop, forgetSlots, forgetIdle,
}

const (
	// forgetBatch is how many uids one step numbers or forgets, and how many entries it reads at most.
	forgetBatch = 1000
	// forgetBytes is about how many bytes of messages one read returns: after a larger one the next asks for
	// fewer entries.
	forgetBytes = 512 << 10
	// forgetMark is what a step does that has read messages.
	forgetMark = "mark"
	// forgetField is the field of housekeeping that holds the state of the pass.
	forgetField = "forget"
)

// Forgetting forgets the uids of removed jobs of one partition, in passes of many small steps. How far a pass
// has come stands in Redis, so that a later leader continues it. It is for one goroutine.
type Forgetting struct {
	s         *Store
	k         keys
	partition int
	batch     int
	count     int     // how many entries the next read asks for
	places    *places // nil until this process needs them in a pass
}

// places are the streams and lines of a partition, by executor and slot, each in order.
type places struct{ streams, lines []string }

// Forgetting returns the means to forget uids of a partition. batch bounds the work of one step, in entries or
// uids; 0 is the default, and right for all but tests.
func (s *Store) Forgetting(partition, batch int) *Forgetting {
	if batch <= 0 {
		batch = forgetBatch
	}
	return &Forgetting{s: s, k: s.partitions[partition], partition: partition, batch: batch, count: batch}
}

// ForgetStep is what one step did.
type ForgetStep struct {
	Forgotten int
	Done      bool // the pass has ended; the next step begins another
}

// forgetState is how far a pass has come.
type forgetState struct {
	pass  int64  // its number; between two passes, that of the next
	phase string // one of the constants
	life  string // the process of Redis in which its cursors mean something
	at    string // where the phase goes on
}

func (f forgetState) encode() string {
	return strconv.FormatInt(f.pass, 10) + "\t" + f.phase + "\t" + f.life + "\t" + f.at
}

// decodeForget reads a state. One that cannot be read is that before the first pass.
func decodeForget(stored string) forgetState {
	part := strings.SplitN(stored, "\t", 4)
	if len(part) == 4 {
		n := numbers{}
		st := forgetState{n.read(part[0]), part[1], part[2], part[3]}
		if n.err == nil && slices.Contains(forgetPhases, st.phase) {
			return st
		}
	}
	return forgetState{phase: forgetIdle}
}

// underWay reports whether a stored state is of a pass that has begun and not ended.
func underWay(stored string) bool { return decodeForget(stored).phase != forgetIdle }

// in is the state at a place of the same phase.
func (f forgetState) in(at string) forgetState { f.at = at; return f }

// to is the state at the beginning of another phase.
func (f forgetState) to(phase string) forgetState { f.phase, f.at = phase, ""; return f }

// Step makes one step of a pass, or begins one. Each step is some commands of a few milliseconds at most.
// What it forgets are uids of jobs that were removed before the pass began and to which no message referred
// at any moment since.
func (f *Forgetting) Step(ctx context.Context, o Office) (ForgetStep, error) {
	stored, st, err := f.state(ctx)
	if err != nil {
		return ForgetStep{}, f.s.explain("forget", err)
	}
	switch st.phase {
	case forgetNumber:
		_, err = f.call(ctx, o, step{stored: stored, next: st.to(forgetRunning), more: st, what: forgetNumber})
		return ForgetStep{}, err
	case forgetDead:
		return ForgetStep{}, f.stepDead(ctx, o, stored, st)
	case forgetDrop:
		n, err := f.call(ctx, o, step{stored: stored, next: st.to(forgetSlots), more: st, what: forgetDrop})
		return ForgetStep{Forgotten: n}, err
	case forgetSlots:
		return f.stepSlots(ctx, o, stored, st)
	}
	uids, next, err := f.look(ctx, st)
	if err != nil {
		return ForgetStep{}, f.s.explain("forget", err)
	}
	return ForgetStep{}, f.mark(ctx, o, stored, st, next, uids)
}

// state reads how far the pass has come; with none under way it is the beginning of one.
func (f *Forgetting) state(ctx context.Context) (stored string, st forgetState, err error) {
	stored, err = f.s.reader.HGet(ctx, f.k.housekeeping(), forgetField).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", st, err
	}
	if st = decodeForget(stored); st.phase != forgetIdle {
		return stored, st, nil
	}
	if st.pass == 0 { // seconds since 1970: more than the number of any pass before
		now, err := f.s.Now(ctx, f.partition)
		if err != nil {
			return "", st, err
		}
		st.pass = now / 1000
	}
	removed, err := f.s.reader.ZCard(ctx, f.k.removed()).Result()
	if err != nil {
		return "", st, err
	}
	f.places, f.count = nil, f.batch
	st.life, err = f.s.life(ctx, f.k)
	if removed == 0 {
		return stored, st.to(forgetDead), err
	}
	return stored, st.to(forgetNumber), err
}

// mark keeps the uids for this pass, those of them that were removed, and stores the next state.
func (f *Forgetting) mark(ctx context.Context, o Office, stored string, st, next forgetState, uids map[string]bool) error {
	var marked []string
	for some := range slices.Chunk(slices.Sorted(maps.Keys(uids)), f.batch) {
		scores := redis.NewSliceCmd(ctx, anys("zmscore", f.k.removed(), some)...)
		if err := f.s.reader.Process(ctx, scores); err != nil {
			return f.s.explain("forget", err)
		}
		for i, score := range scores.Val() {
			if score != nil {
				marked = append(marked, some[i])
			}
		}
	}
	for ; len(marked) > f.batch; marked = marked[f.batch:] {
		if _, err := f.call(ctx, o, step{stored: stored, next: st, more: st, what: forgetMark, uids: marked[:f.batch]}); err != nil {
			return err
		}
		stored = st.encode()
	}
	_, err := f.call(ctx, o, step{stored: stored, next: next, more: st, what: forgetMark, uids: marked})
	return err
}

// step is one call of the script forget.
type step struct {
	stored string      // the state that was read
	next   forgetState // the state after the step
	more   forgetState // the state after it when it was about as many uids as a step may be about
	what   string
	uids   []string
}

// call makes a step in Redis, unless another call has made it, and returns how many uids it numbered or forgot.
func (f *Forgetting) call(ctx context.Context, o Office, st step) (int, error) {
	keys := []string{f.k.events(), f.k.jobs(), f.k.fence(), f.k.removed(), f.k.housekeeping(), f.k.removedDead(), f.k.oldSlots()}
	t, err := f.s.office(ctx, forgetScript, o, keys, anys(st.stored, st.next.encode(), strconv.FormatInt(st.more.pass, 10),
		st.what, strconv.Itoa(f.batch), st.more.encode(), st.uids)...)
	if err != nil || len(t) == 0 || t[0] == "MOVED" {
		return 0, err
	}
	n := numbers{}
	return int(n.read(t[0])), n.err
}

// anys makes arguments of texts and lists of texts.
func anys(parts ...any) []any {
	var all []any
	for _, part := range parts {
		if list, ok := part.([]string); ok {
			for _, one := range list {
				all = append(all, one)
			}
			continue
		}
		all = append(all, part)
	}
	return all
}
