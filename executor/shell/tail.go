package shell

import "strings"

// tail keeps the last bytes written to it, at most limit, in no more memory than twice that. It is
// an io.Writer that never fails; it is not safe for concurrent use.
type tail struct {
	limit int
	kept  []byte
	next  int // where the oldest kept byte is, once kept is full
	total int64
}

func (t *tail) Write(p []byte) (int, error) {
	written := len(p)
	t.total += int64(written)
	if len(p) > t.limit {
		p = p[len(p)-t.limit:]
	}
	grow := min(len(p), t.limit-len(t.kept))
	t.kept = append(t.kept, p[:grow]...)
	for p = p[grow:]; len(p) > 0; {
		n := copy(t.kept[t.next:], p)
		t.next = (t.next + n) % t.limit
		p = p[n:]
	}
	return written, nil
}

// text is what is kept, oldest first, with what is not UTF-8 left out.
func (t *tail) text() string {
	whole := string(t.kept[t.next:]) + string(t.kept[:t.next])
	return strings.ToValidUTF8(whole, "")
}

// dropped counts the bytes that were written and not kept.
func (t *tail) dropped() int64 { return t.total - int64(len(t.kept)) }
