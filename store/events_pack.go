package store

// An entry of the event log holds at most so many events and bytes, or one longer event. lib.lua keeps to
// the same bounds for the events that scripts make.
const (
	entryEvents = 64
	entryBytes  = 8 << 10
)

// eventPack writes events into texts, one text for each entry of the log.
type eventPack struct {
	t     *texts
	from  int // where the text that is being written begins
	n     int // its events
	count int // texts that are complete
}

func newEventPack(t *texts) eventPack { return eventPack{t: t, from: len(t.b)} }

// begin returns where the next event is to be appended.
func (p *eventPack) begin() int {
	if p.n > 0 {
		p.t.b = append(p.t.b, '\n')
	}
	return len(p.t.b)
}

// end takes the event that was appended at a place into the text, or begins another text with it.
func (p *eventPack) end(at int) {
	t := p.t
	if p.n > 0 && (p.n == entryEvents || len(t.b)-p.from > entryBytes) {
		t.b = append(t.b[:at-1], t.b[at:]...) // the newline before it
		t.ends = append(t.ends, at-1)
		p.from, p.n = at-1, 0
		p.count++
	}
	p.n++
}

// close completes the last text and returns how many there are.
func (p *eventPack) close() int {
	if p.n > 0 {
		p.t.cut()
		p.n, p.from = 0, len(p.t.b)
		p.count++
	}
	return p.count
}
