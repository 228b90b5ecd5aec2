package timeline

import (
	"fmt"
	"unicode/utf8"
)

// box is the room of one piece of text.
type box struct {
	text       string
	from, to   float64
	above, low float64
}

// room is how wide a text may turn out.
func room(text, class string) float64 {
	wide := letter * float64(utf8.RuneCountInString(text))
	if class == "title" {
		wide *= 1.3
	}
	return wide
}

// text writes a line, of which y is the base; anchor is start or middle. No text is no line.
func (c *canvas) text(class, anchor string, x, y float64, text string) {
	if text == "" {
		return
	}
	wide := room(text, class)
	b := box{text: text, from: x, to: x + wide, above: y - 10, low: y + 3}
	if anchor == "middle" {
		b.from, b.to = x-wide/2, x+wide/2
	}
	c.words = append(c.words, b)
	c.printf(`<text class="%s" x="%.1f" y="%.0f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, escape(text))
}

// collisions are the texts that cover one another or leave the image.
func (c *canvas) collisions() []error {
	var faults []error
	for i, a := range c.words {
		if a.from < 2 || a.to > Width-2 {
			faults = append(faults, fmt.Errorf("%q leaves the image: %.0f to %.0f", a.text, a.from, a.to))
		}
		for _, b := range c.words[:i] {
			if a.from < b.to && b.from < a.to && a.above < b.low && b.above < a.low {
				faults = append(faults, fmt.Errorf("%q covers %q", a.text, b.text))
			}
		}
	}
	return faults
}
