package timeline_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/timeline"
)

var nine = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return nine.Add(time.Duration(minutes) * time.Minute) }

// small is an hour with something of everything. A case changes one thing in it.
func small() timeline.Picture {
	return timeline.Picture{
		Title: "a < b & c", Desc: `what "is" seen`, From: nine, To: at(60),
		Ticks: []timeline.Tick{{At: nine, Text: "09:00"}, {At: at(60), Text: "10:00"}},
		Bands: []timeline.Band{{From: at(15), To: at(35), Text: "paused"}},
		Groups: []timeline.Group{{
			Dues: []timeline.DueLane{{
				Name:  "due times",
				Marks: []timeline.Mark{{At: at(10)}, {At: at(20), Kind: timeline.Skipped}, {At: at(30), Kind: timeline.Skipped}, {At: at(40), Kind: timeline.Call}, {At: at(50), Kind: timeline.Ahead}},
				Words: []timeline.Word{{From: at(20), To: at(30), Text: "missed ×2"}},
			}},
			Lanes: []timeline.BarLane{{Name: "slot 1", Bars: []timeline.Bar{
				{From: at(10), To: at(20), Text: "error", Class: timeline.Bad, Due: at(10)},
				{From: at(40), To: at(42), Text: "behind its end", Open: true},
			}}},
		}},
	}
}

func TestRenderIsWellFormedAndTheSameEachTime(t *testing.T) {
	svg, err := timeline.Render(small())
	if err != nil {
		t.Fatal(err)
	}
	again, err := timeline.Render(small())
	if err != nil || !bytes.Equal(svg, again) {
		t.Errorf("a second image differs, or failed: %v", err)
	}
	said := map[string]string{}
	element := ""
	for doc := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := doc.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			element = token.Name.Local
		case xml.CharData:
			said[element] += string(token)
		}
	}
	if got := strings.TrimSpace(said["title"]); got != "a < b & c" {
		t.Errorf("title is %q", got)
	}
	if got := strings.TrimSpace(said["desc"]); got != `what "is" seen` {
		t.Errorf("description is %q", got)
	}
	for _, word := range []string{"missed ×2", "paused", "slot 1", "error", "behind its end", "09:00"} {
		if !strings.Contains(said["text"], word) {
			t.Errorf("the image does not say %q", word)
		}
	}
	for _, ban := range []string{"<script", "href", "url(", "@import", "<image", "foreignObject"} {
		if bytes.Contains(svg, []byte(ban)) {
			t.Errorf("the image has %s", ban)
		}
	}
	if !bytes.Contains(svg, []byte("prefers-color-scheme:dark")) {
		t.Error("the image does not follow the reader's dark mode")
	}
}

func TestRenderKeepsToItsSizes(t *testing.T) {
	svg, err := timeline.Render(small())
	if err != nil {
		t.Fatal(err)
	}
	sizes := regexp.MustCompile(`font(?:-size)?:(\d+(?:\.\d+)?)px`).FindAllSubmatch(svg, -1)
	if len(sizes) == 0 {
		t.Error("no size of text is said")
	}
	for _, size := range sizes {
		if px, err := strconv.ParseFloat(string(size[1]), 64); err != nil || px < 11 {
			t.Errorf("text of %s pixels", size[1])
		}
	}
	if timeline.Width > 760 || !bytes.Contains(svg, []byte(`width="`+strconv.Itoa(timeline.Width)+`"`)) {
		t.Errorf("the image is not %d wide, or that is more than 760", timeline.Width)
	}
}

func TestRenderPlacesTimes(t *testing.T) {
	p := small()
	p.Groups[0].Dues[0].Marks = []timeline.Mark{{At: nine}, {At: at(30)}, {At: at(60)}}
	svg, err := timeline.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	var x []float64
	for _, dot := range regexp.MustCompile(`class="dot" cx="([\d.]+)"`).FindAllSubmatch(svg, -1) {
		at, err := strconv.ParseFloat(string(dot[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		x = append(x, at)
	}
	if len(x) != 3 || x[0] <= 0 || x[2] >= timeline.Width || x[1] != (x[0]+x[2])/2 {
		t.Errorf("dots at %v; want the second halfway between the others", x)
	}
}

func TestRenderRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*timeline.Picture)
		want   string
	}{
		{"no time", func(p *timeline.Picture) { p.To = p.From }, "not after its beginning"},
		{"a mark outside", func(p *timeline.Picture) { p.Groups[0].Dues[0].Marks[0].At = at(61) }, "lies outside"},
		{"a run that began before", func(p *timeline.Picture) { p.Groups[0].Lanes[0].Bars[0].From = at(-1) }, "lies outside"},
		{"words that cover others", func(p *timeline.Picture) {
			p.Groups[0].Dues[0].Words = append(p.Groups[0].Dues[0].Words, timeline.Word{From: at(28), To: at(28), Text: "trigger"})
		}, `"trigger" covers "missed ×2"`},
		{"words behind a bar upon those of the next", func(p *timeline.Picture) {
			p.Groups[0].Lanes[0].Bars[1].To, p.Groups[0].Lanes[0].Bars[0] = at(60), timeline.Bar{From: at(10), To: at(40), Text: strings.Repeat("long ", 10)}
		}, "covers"},
		{"words that leave the image", func(p *timeline.Picture) { p.Ticks[1].Text = strings.Repeat("x", 40) }, "leaves the image"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := small()
			tt.change(&p)
			if _, err := timeline.Render(p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Render = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
