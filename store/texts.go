package store

import "sync"

// texts makes many short texts as pieces of a long one, so that they cost two allocations together. Whoever
// writes one appends to b, and then cuts.
type texts struct {
	b    []byte
	ends []int // of the pieces
}

// textRoom are buffers of texts that are done with.
var textRoom = sync.Pool{New: func() any { return new(texts) }}

// largestRoom is how long a buffer may be that is kept.
const largestRoom = 4 << 20

func newTexts() *texts {
	t, ok := textRoom.Get().(*texts)
	if !ok {
		return new(texts)
	}
	t.b, t.ends = t.b[:0], t.ends[:0]
	return t
}

// cut ends a piece.
func (t *texts) cut() { t.ends = append(t.ends, len(t.b)) }

// key makes a key of what its kind begins with and a name.
func (t *texts) key(kind, name string) {
	t.b = append(append(t.b, kind...), name...)
	t.cut()
}

// pieces returns the pieces and gives the buffer back: t must not be used any more.
func (t *texts) pieces() []string {
	text, from := string(t.b), 0
	all := make([]string, len(t.ends))
	for i, end := range t.ends {
		all[i], from = text[from:end], end
	}
	if cap(t.b) <= largestRoom {
		textRoom.Put(t)
	}
	return all
}
