package timeline

import "time"

// Picture is what is drawn. From must be before To; what lies outside of them is an error.
type Picture struct {
	Title string // one line above the image, and its title for screen readers
	Desc  string // for screen readers: what is to be seen, in words
	From  time.Time
	To    time.Time
	Ticks []Tick
	Bands []Band
	// Groups stand one above the other.
	Groups []Group
}

// Group is rows of due times, and beneath them the lanes of what runs for them.
type Group struct {
	Dues  []DueLane
	Lanes []BarLane
}

// Tick is a labelled instant of the axis.
type Tick struct {
	At   time.Time
	Text string
}

// Band is a shaded stretch across all lanes, such as a pause.
type Band struct {
	From, To time.Time
	Text     string
}

// DueLane is a row of due times.
type DueLane struct {
	Name  string
	Marks []Mark
	Words []Word
}

// MarkKind is how a mark of a due lane looks.
type MarkKind int

// The kinds of marks.
const (
	Ran     MarkKind = iota // a due time that ran: a full dot
	Skipped                 // one that did not: a crossed ring
	Ahead                   // one of which nothing is known yet: a ring
	Call                    // what somebody asked for: a triangle
)

// Mark is an instant of a due lane.
type Mark struct {
	At   time.Time
	Kind MarkKind
}

// Word says something about the marks from From to To, above them; both may be the same.
type Word struct {
	From, To time.Time
	Text     string
}

// BarLane is a row of runs that do not overlap.
type BarLane struct {
	Name string
	Bars []Bar
}

// Bar is a run from its start to its end.
type Bar struct {
	From, To time.Time
	Text     string // within the bar if it fits, else behind its end
	Class    Class
	Open     bool // it goes on beyond To
	// Due is the mark that the bar comes from, in the due lane DueLane of its group; zero for none.
	Due     time.Time
	DueLane int
}

// Class is how a run ended, for its colour. The zero value is Good.
type Class string

// The classes of bars.
const (
	Good Class = "good"
	Bad  Class = "bad"
	Gone Class = "gone" // cancelled or lost
)
