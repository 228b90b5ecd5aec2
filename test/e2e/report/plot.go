package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

// The shape of the picture, in pixels. The axis runs from 10 ms to 20 s, logarithmically.
const (
	left, width, rowHeight, top = 220, 560, 26, 34

	shortest, longest = 10 * time.Millisecond, 20 * time.Second
)

// picture shows each takeover of each result as a dot, as SVG.
func picture(results []matrix.Result) string {
	var rows []matrix.Result
	for _, r := range results {
		if len(r.Takeovers) > 0 {
			rows = append(rows, r)
		}
	}
	bottom := top + rowHeight*len(rows)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", left+width+30, bottom+36)
	b.WriteString("<title>From a fault of the leader to the first run that its successor dispatched</title>\n")
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	for _, tick := range []time.Duration{10e6, 30e6, 100e6, 300e6, 1e9, 3e9, 10e9} {
		x := place(tick)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`+"\n", x, top-8, x, bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%s</text>`+"\n", x, bottom+18, tick)
	}
	for i, r := range rows {
		y := top + rowHeight*i + rowHeight/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222222">%s</text>`+"\n", left-12, y+4, html.EscapeString(r.Name))
		for _, took := range r.Takeovers {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%d" r="4" fill="#1f6fb2" fill-opacity="0.6"/>`+"\n", place(took), y)
		}
	}
	fmt.Fprintf(&b, `<text x="%d" y="18" fill="#222222">From a fault of the leader to the first run that its successor dispatched</text>`+"\n", left)
	b.WriteString("</svg>\n")
	return b.String()
}

// place is where a duration stands on the axis; what is off it stands at its end.
func place(d time.Duration) float64 {
	d = min(max(d, shortest), longest)
	share := math.Log(float64(d)/float64(shortest)) / math.Log(float64(longest)/float64(shortest))
	return left + share*width
}
