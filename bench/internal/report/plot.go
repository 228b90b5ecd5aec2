package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Bar is a figure, and how far single rounds were from it; Low and High zero for not known.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64
}

// Point is a place on a curve.
type Point struct{ X, Y float64 }

// Curve is points in the order of X.
type Curve struct {
	Name   string
	Points []Point
}

// Tick is a labelled place on the horizontal axis.
type Tick struct {
	At   float64
	Text string
}

// Measures of a plot, in pixels.
const (
	plotWidth   = 740
	plotTop     = 48
	plotRight   = 100
	barsLeft    = 170
	barPitch    = 34
	barThick    = 20
	curvesLeft  = 86
	curvesDepth = 240 // height of the curves' field
)

const plotStyle = `<style>
.paper{fill:#fff;stroke:#d0d7de}
text{fill:#1f2328;font:12px system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif}
.title{font-size:14px;font-weight:600}
.dim{fill:#59636e}
.grid{stroke:#d8dee4}
.range{stroke:#59636e;stroke-width:1.5}
.c0{fill:#0969da;stroke:#0969da}.c1{fill:#bf8700;stroke:#bf8700}.c2{fill:#59636e;stroke:#59636e}.c3{fill:#8250df;stroke:#8250df}
.bar{fill-opacity:.75;stroke:none}
.curve{fill:none;stroke-width:2}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117;stroke:#30363d}
text{fill:#e6edf3}
.dim{fill:#9198a1}
.grid{stroke:#2a313a}
.range{stroke:#9198a1}
}
</style>
`

// colours is how many classes of colour the style has.
const colours = 4

// Bars is a plot of figures in one unit, each a bar from zero.
func Bars(name, title, unit string, bars ...Bar) Plot {
	height := plotTop + len(bars)*barPitch + 12
	b := open(title, height)
	most := 0.0
	for _, bar := range bars {
		most = max(most, bar.Value, bar.High)
	}
	scale := 0.0
	if most > 0 {
		scale = (plotWidth - barsLeft - plotRight - 20) / most
	}
	for i, bar := range bars {
		y := float64(plotTop + i*barPitch)
		text(b, "", "end", barsLeft-10, y+barThick-5, bar.Name)
		fmt.Fprintf(b, `<rect class="c%d bar" x="%d" y="%.0f" width="%.1f" height="%d"/>`+"\n", i%colours, barsLeft, y, bar.Value*scale, barThick)
		if bar.High > bar.Low {
			fmt.Fprintf(b, `<line class="range" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`+"\n",
				barsLeft+bar.Low*scale, barsLeft+bar.High*scale, y+barThick/2, y+barThick/2)
		}
		text(b, "dim", "start", barsLeft+max(bar.Value, bar.High)*scale+8, y+barThick-5, Number(bar.Value)+" "+unit)
	}
	return closed(b, name, title)
}

// Curves is a plot of curves over ticks, with a logarithmic vertical axis: what is not above zero is
// drawn at its bottom.
func Curves(name, title, unit string, ticks []Tick, curves ...Curve) Plot {
	b := open(title, plotTop+curvesDepth+40)
	f := fieldOf(ticks, curves)
	for power := f.low; power <= f.high; power++ {
		y := f.y(math.Pow10(power))
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", curvesLeft, plotWidth-plotRight, y, y)
		text(b, "dim", "end", curvesLeft-8, y+4, strings.TrimSpace(axisNumber(power)+" "+unit))
	}
	for _, t := range ticks {
		text(b, "dim", "middle", f.x(t.At), plotTop+curvesDepth+22, t.Text)
	}
	for i, c := range curves {
		if len(c.Points) == 0 {
			continue
		}
		var line strings.Builder
		for _, p := range c.Points {
			fmt.Fprintf(&line, "%.1f,%.1f ", f.x(p.X), f.y(p.Y))
		}
		fmt.Fprintf(b, `<polyline class="c%d curve" points="%s"/>`+"\n", i%colours, strings.TrimSpace(line.String()))
		last := c.Points[len(c.Points)-1]
		text(b, "", "start", f.x(last.X)+6, f.y(last.Y)+4, c.Name)
	}
	return closed(b, name, title)
}

// field maps values to pixels.
type field struct {
	from, to  float64
	low, high int // powers of ten
}

func fieldOf(ticks []Tick, curves []Curve) field {
	var xs, ys []float64
	for _, t := range ticks {
		xs = append(xs, t.At)
	}
	for _, c := range curves {
		for _, p := range c.Points {
			xs = append(xs, p.X)
			if p.Y > 0 {
				ys = append(ys, p.Y)
			}
		}
	}
	f := field{to: 1, high: 1}
	if len(xs) > 0 && slices.Max(xs) > slices.Min(xs) {
		f.from, f.to = slices.Min(xs), slices.Max(xs)
	}
	if len(ys) > 0 {
		f.low, f.high = int(math.Floor(math.Log10(slices.Min(ys)))), int(math.Ceil(math.Log10(slices.Max(ys))))
		f.high = max(f.high, f.low+1)
	}
	return f
}

func (f field) x(v float64) float64 {
	return curvesLeft + (v-f.from)/(f.to-f.from)*(plotWidth-curvesLeft-plotRight)
}

func (f field) y(v float64) float64 {
	at := 0.0
	if v > 0 {
		at = max(0, (math.Log10(v)-float64(f.low))/float64(f.high-f.low))
	}
	return plotTop + curvesDepth*(1-at)
}

// axisNumber is a power of ten in figures.
func axisNumber(power int) string {
	if power < 0 {
		return fmt.Sprintf("%.*f", -power, math.Pow10(power))
	}
	return Number(math.Pow10(power))
}

func open(title string, height int) *strings.Builder {
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n",
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(b, `<title id="title">%s</title>`+"\n", escape(title))
	b.WriteString(plotStyle)
	fmt.Fprintf(b, `<rect class="paper" x=".5" y=".5" width="%d" height="%d" rx="6"/>`+"\n", plotWidth-1, height-1)
	text(b, "title", "start", 14, 26, title)
	return b
}

func closed(b *strings.Builder, name, title string) Plot {
	b.WriteString("</svg>\n")
	return Plot{Name: name, Title: title, SVG: []byte(b.String())}
}

func text(b *strings.Builder, class, anchor string, x, y float64, words string) {
	fmt.Fprintf(b, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, anchor, x, y, escape(words))
}

func escape(words string) string {
	var b strings.Builder
	// A strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(words))
	return b.String()
}
