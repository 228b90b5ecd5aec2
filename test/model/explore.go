package model

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
)

// ErrTooLarge is what [Explore] returns when the space has more states than it may hold.
var ErrTooLarge = errors.New("model: explore: more states than allowed; tighten the bounds or raise the limit")

// Machine is what can be explored: states, the steps between them, and what must hold. S is a value
// without pointers, so that == says whether two states are the same.
type Machine[S comparable] interface {
	// Initial returns the state that everything begins with.
	Initial() S
	// Steps hands take every state that one step leads to, always in the same order.
	Steps(s S, take func(Step, S))
	// Canonical returns one state for all that differ by names only.
	Canonical(s S) S
	// Broken names the invariant that s breaks; empty when all hold.
	Broken(s S) string
	// Good reports whether s is an end to be wished for.
	Good(s S) bool
}

// Step is what happens between two states. All its words are constant: it is made far more often than
// it is read.
type Step struct {
	Who, Does string
	What      string // the script, or ""
	Noun      string // what the step is about: "run", "job", …, or ""
	Number    uint8
	Fault     bool // it need not happen: no state may depend on it to come to a good end
}

// String is the step as a sentence.
func (s Step) String() string {
	text := s.Who + " " + s.Does
	if s.What != "" {
		text += " " + s.What
	}
	if s.Noun != "" {
		text += fmt.Sprintf(", %s %d", s.Noun, s.Number)
	}
	if s.Fault {
		text += " (fault)"
	}
	return text
}

// Result is what an exploration found.
type Result struct {
	States, Steps, Depth int
	Broken               string // the invariant that a reachable state breaks, or Stuck; empty if none does
	Trace                []Step // a shortest way to that state
}

// Stuck is the name under which [Result] reports a state that no way without faults leads from to a
// good end.
const Stuck = "every run ends once faults stop"

// String is the counterexample as a numbered trace, or one line of sums.
func (r Result) String() string {
	if r.Broken == "" {
		return fmt.Sprintf("%d states, %d steps, depth %d, nothing broken", r.States, r.Steps, r.Depth)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "broken after %d states: %s\n", r.States, r.Broken)
	for i, s := range r.Trace {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, s)
	}
	return b.String()
}

// mark stands for a state among those seen: two independent hashes of 64 bits, which two of some
// millions of states share with a chance below 1e-24.
type mark [2]uint64

// origin is how a state was first reached.
type origin struct {
	mark mark
	from int32
}

type explorer[S comparable] struct {
	machine Machine[S]
	seeds   [2]maphash.Seed
	seen    map[mark]int32
	origins []origin
	good    []int32    // states that are good
	edges   [][2]int32 // steps without fault
	result  Result
}

// Explore visits every reachable state breadth-first and returns at the first that breaks an
// invariant, with a shortest trace. If there is none it looks for a state from which no way without
// faults leads to a good state. It takes some 350 bytes of memory per state. ErrTooLarge when
// there are more than limit states.
func Explore[S comparable](m Machine[S], limit int) (Result, error) {
	e := &explorer[S]{
		machine: m, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: map[mark]int32{},
	}
	start := m.Canonical(m.Initial())
	frontier := []S{start}
	e.add(start, e.mark(start), -1)
	for first := int32(0); len(frontier) > 0 && e.result.Broken == ""; e.result.Depth++ {
		from := first
		first += int32(len(frontier))
		frontier = e.level(frontier, from)
		if len(e.origins) > limit {
			return e.result, fmt.Errorf("%w: limit %d, depth %d", ErrTooLarge, limit, e.result.Depth)
		}
	}
	e.result.States = len(e.origins)
	if e.result.Broken == "" {
		e.findStuck()
	}
	return e.result, nil
}

// level takes the steps of all states of one depth, of which the first has the number from, and
// returns those of the next.
func (e *explorer[S]) level(frontier []S, from int32) []S {
	var next []S
	for i, s := range frontier {
		at := from + int32(i)
		e.machine.Steps(s, func(step Step, t S) {
			e.result.Steps++
			t = e.machine.Canonical(t)
			mark := e.mark(t)
			to, known := e.seen[mark]
			if !known {
				to = e.add(t, mark, at)
				next = append(next, t)
			}
			if !step.Fault {
				e.edges = append(e.edges, [2]int32{to, at})
			}
		})
		if e.result.Broken != "" {
			return nil
		}
	}
	return next
}

func (e *explorer[S]) mark(s S) mark {
	return mark{maphash.Comparable(e.seeds[0], s), maphash.Comparable(e.seeds[1], s)}
}

// add numbers a new state and looks at it.
func (e *explorer[S]) add(s S, m mark, from int32) int32 {
	at := int32(len(e.origins))
	e.seen[m] = at
	e.origins = append(e.origins, origin{m, from})
	if e.machine.Good(s) {
		e.good = append(e.good, at)
	}
	if broken := e.machine.Broken(s); broken != "" && e.result.Broken == "" {
		e.result.Broken, e.result.Trace = broken, e.trace(at)
	}
	return at
}

// findStuck goes backwards from the good states along steps without fault. Every state must be met.
func (e *explorer[S]) findStuck() {
	begins := make([]int32, len(e.origins)+1) // of the steps that lead to a state
	for _, edge := range e.edges {
		begins[edge[0]+1]++
	}
	for i := range e.origins {
		begins[i+1] += begins[i]
	}
	sources, fill := make([]int32, len(e.edges)), append([]int32(nil), begins...)
	for _, edge := range e.edges {
		sources[fill[edge[0]]] = edge[1]
		fill[edge[0]]++
	}
	met, open := make([]bool, len(e.origins)), append([]int32(nil), e.good...)
	for _, at := range open {
		met[at] = true
	}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range sources[begins[at]:begins[at+1]] {
			if !met[from] {
				met[from] = true
				open = append(open, from)
			}
		}
	}
	for at, ok := range met {
		if !ok {
			e.result.Broken, e.result.Trace = Stuck, e.trace(int32(at))
			return
		}
	}
}

// trace finds the steps to a state by walking its origins again. The walk keeps the names that the
// steps give: canonical states may swap them.
func (e *explorer[S]) trace(at int32) []Step {
	var way []mark
	for ; e.origins[at].from >= 0; at = e.origins[at].from {
		way = append(way, e.origins[at].mark)
	}
	var steps []Step
	s := e.machine.Initial()
	for i := len(way) - 1; i >= 0; i-- {
		var taken *Step
		var next S
		e.machine.Steps(s, func(step Step, t S) {
			if taken == nil && e.mark(e.machine.Canonical(t)) == way[i] {
				taken, next = &step, t
			}
		})
		if taken == nil {
			return append(steps, Step{Who: "the model", Does: "took a step that depends on a name: Canonical is wrong"})
		}
		steps, s = append(steps, *taken), next
	}
	return steps
}
