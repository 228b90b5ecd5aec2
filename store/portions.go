package store

import "iter"

// One call of a script takes work up to these bounds, or one item whatever its size: while a script runs,
// Redis does nothing else. An item of many runs, or with long texts, takes more of a call.
const (
	callItems = 1000
	callRuns  = 1000
	callBytes = 1 << 20
)

// weight is what an item costs a script: the runs that it may have to close, beyond one, and the bytes that
// it reads and writes.
type weight struct{ runs, bytes int }

func (w weight) add(v weight) weight { return weight{w.runs + v.runs, w.bytes + v.bytes} }

// portions divides n items into neighbours that one call takes each, and yields where they begin and end.
func portions(n int, weigh func(i int) weight) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		from, sum := 0, weight{}
		for i := range n {
			w := weigh(i)
			if next := sum.add(w); i > from && (i-from >= callItems || next.runs > callRuns || next.bytes > callBytes) {
				if !yield(from, i) {
					return
				}
				from, sum = i, weight{}
			}
			sum = sum.add(w)
		}
		if from < n {
			yield(from, n)
		}
	}
}

// weight of a message: a run that is alone is counted as an item.
func (m *Message) weight() weight {
	return weight{runs: len(m.Runs) - 1, bytes: len(m.Args) + 64*len(m.Runs)}
}

// weight of what is to be started or given back.
func (t *Taken) weight() weight {
	w := t.Message.weight()
	w.bytes = max(w.bytes, len(t.Body))
	return w
}

// weight of an attempt that has ended: the script reads its message, and may have to close what follows.
func (f *Finish) weight() weight {
	w := weight{bytes: len(f.Message.Args) + 64*len(f.Message.Runs) + len(f.Error) + len(f.Cause) + len(f.Result)}
	if f.Retry != nil {
		w.bytes += len(f.Retry.Args) + 64*len(f.Retry.Runs)
	}
	if f.Next != nil {
		w = w.add(f.Next.weight())
		w.runs++
	}
	return w
}
