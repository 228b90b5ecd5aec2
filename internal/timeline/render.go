package timeline

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Measures, in pixels.
const (
	// Width is how wide every image is.
	Width = 740

	left, right = 92, 34 // beside the axis
	top         = 40     // above the lanes: the title
	bandRoom    = 18     // above the lanes, for the words of bands
	dueHeight   = 54
	dueMark     = 28 // from a due lane's top to its marks
	barLane     = 34
	barHeight   = 22
	axisHeight  = 34
	letter      = 6.4 // the room of a letter of small text
)

const style = `<style>
.paper{fill:#fff;stroke:#d0d7de}
text{fill:#1f2328;font:12px system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif}
.title{font-size:14px;font-weight:600}
.dim{fill:#59636e}
.word{font-size:11.5px}
.grid{stroke:#d8dee4}
.band{fill:#818b98;fill-opacity:.16}
.axis,.ring,.cross{stroke:#59636e;stroke-width:1.5;fill:none}
.dot{fill:#0969da}
.from{stroke:#0969da;stroke-width:1.2;stroke-opacity:.6;stroke-dasharray:3 2}
.call{fill:#8250df}
.good{fill:#2da44e;stroke:#1a7f37}
.bad{fill:#cf222e;stroke:#cf222e}
.gone{fill:#bf8700;stroke:#9a6700}
.bar{fill-opacity:.2;stroke-width:1.2}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117;stroke:#30363d}
text{fill:#e6edf3}
.dim{fill:#9198a1}
.grid{stroke:#2a313a}
.band{fill-opacity:.26}
.axis,.ring,.cross{stroke:#9198a1}
.dot{fill:#4493f8}
.from{stroke:#4493f8}
.call{fill:#ab7df8}
.good{stroke:#3fb950}
.bad{stroke:#f85149}
.gone{stroke:#d29922}
}
</style>
`

// canvas is an image in the making.
type canvas struct {
	Picture
	out    strings.Builder
	words  []box
	faults []error
	lanes  int // where the lanes begin
	bottom int // where they end
}

// Render returns the image. It fails on a picture without time, on what lies outside of it, and on
// words that would cover one another or leave the image; the error names each.
func Render(p Picture) ([]byte, error) {
	if !p.From.Before(p.To) {
		return nil, fmt.Errorf("timeline: render %q: it ends at %s, not after its beginning", p.Title, p.To)
	}
	c := &canvas{Picture: p, lanes: top}
	if len(p.Bands) > 0 {
		c.lanes += bandRoom
	}
	c.bottom = c.lanes
	for _, g := range p.Groups {
		c.bottom += len(g.Dues)*dueHeight + len(g.Lanes)*barLane
	}
	c.open()
	c.background()
	y := c.lanes
	for _, g := range p.Groups {
		above := y
		for _, lane := range g.Dues {
			c.due(y, lane)
			y += dueHeight
		}
		for _, lane := range g.Lanes {
			c.bars(above, y, lane)
			y += barLane
		}
	}
	c.out.WriteString("</svg>\n")
	if err := errors.Join(append(c.faults, c.collisions()...)...); err != nil {
		return nil, fmt.Errorf("timeline: render %q: %w", p.Title, err)
	}
	return []byte(c.out.String()), nil
}

func (c *canvas) open() {
	height := c.bottom + axisHeight
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">`+"\n",
		Width, height, Width, height)
	c.printf(`<title id="title">%s</title>`+"\n"+`<desc id="desc">%s</desc>`+"\n", escape(c.Title), escape(c.Desc))
	c.out.WriteString(style)
	c.printf(`<rect class="paper" x=".5" y=".5" width="%d" height="%d" rx="6"/>`+"\n", Width-1, height-1)
	c.text("title", "start", 14, 24, c.Title)
}

// background draws what stands behind the lanes: bands, grid and axis.
func (c *canvas) background() {
	for _, b := range c.Bands {
		from, to := c.x(b.From), c.x(b.To)
		c.printf(`<rect class="band" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", from, top, to-from, c.bottom-top)
		c.text("word dim", "middle", (from+to)/2, top+13, b.Text)
	}
	for _, t := range c.Ticks {
		x := c.x(t.At)
		c.printf(`<path class="grid" d="M%.1f %dV%d"/>`+"\n", x, c.lanes+4, c.bottom)
		c.text("word dim", "middle", x, float64(c.bottom+20), t.Text)
	}
	c.printf(`<path class="axis" d="M%d %dH%d"/>`+"\n", left-8, c.bottom, Width-right+8)
}

func (c *canvas) due(y int, lane DueLane) {
	mark := y + dueMark
	c.text("word dim", "start", 14, float64(mark+4), lane.Name)
	for _, m := range lane.Marks {
		x := c.x(m.At)
		switch m.Kind {
		case Ran:
			c.printf(`<circle class="dot" cx="%.1f" cy="%d" r="5"/>`+"\n", x, mark)
		case Call:
			c.printf(`<path class="call" d="M%.1f %dl6 -10h-12z"/>`+"\n", x, mark+5)
		case Skipped, Ahead:
			c.printf(`<circle class="ring" cx="%.1f" cy="%d" r="5"/>`+"\n", x, mark)
		}
		if m.Kind == Skipped {
			c.printf(`<path class="cross" d="M%.1f %dl7 -7m-7 0l7 7"/>`+"\n", x-3.5, mark+3)
		}
	}
	for _, w := range lane.Words {
		from, to := c.x(w.From), c.x(w.To)
		if w.From.Before(w.To) {
			c.printf(`<path class="axis" d="M%.1f %dv-4H%.1fv4"/>`+"\n", from-5, mark-8, to+5)
		}
		c.text("word", "middle", (from+to)/2, float64(mark-15), w.Text)
	}
}

// bars draws a lane at y of a group that begins at above.
func (c *canvas) bars(above, y int, lane BarLane) {
	c.text("word dim", "start", 14, float64(y+barHeight/2+4), lane.Name)
	for _, b := range lane.Bars {
		from, to := c.x(b.From), c.x(b.To)
		if !b.Due.IsZero() {
			c.printf(`<path class="from" d="M%.1f %dL%.1f %d"/>`+"\n", c.x(b.Due), above+b.DueLane*dueHeight+dueMark+6, from, y)
		}
		class := b.Class
		if class == "" {
			class = Good
		}
		c.printf(`<path class="bar %s" d="M%.1f %dH%.1f`, class, to, y, from)
		c.printf(`v%dH%.1f`, barHeight, to)
		if !b.Open {
			c.printf("z")
		}
		c.printf(`"/>` + "\n")
		if base := float64(y + barHeight/2 + 4); room(b.Text, "word") < to-from {
			c.text("word", "middle", (from+to)/2, base, b.Text)
		} else {
			c.text("word", "start", to+4, base, b.Text)
		}
	}
}

// x is where an instant lies.
func (c *canvas) x(at time.Time) float64 {
	if at.Before(c.From) || at.After(c.To) {
		c.fault("%s lies outside of %s to %s", at, c.From, c.To)
	}
	return left + (Width-left-right)*float64(at.Sub(c.From))/float64(c.To.Sub(c.From))
}

func (c *canvas) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(&c.out, format, args...) }

func escape(text string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
