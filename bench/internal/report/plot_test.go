package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/bench/internal/report"
)

// wellFormed fails unless the picture is XML that refers to nothing outside of it.
func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "image") {
			t.Errorf("it has a <%s>", e.Name.Local)
		}
	}
}

var widths = regexp.MustCompile(`class="c\d bar"[^>]* width="([0-9.]+)"`)

func TestBarsAreAsLongAsTheirFigures(t *testing.T) {
	p := report.Bars("x", "A < B & C", "runs/s", report.Bar{Name: "<a>", Value: 100, Low: 90, High: 110}, report.Bar{Name: "b", Value: 25}, report.Bar{Name: "none"})
	wellFormed(t, p.SVG)
	var got []float64
	for _, m := range widths.FindAllStringSubmatch(string(p.SVG), -1) {
		w, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, w)
	}
	if len(got) != 3 || got[0] < 3.9*got[1] || got[0] > 4.1*got[1] || got[2] != 0 {
		t.Errorf("bars of 100, 25 and 0 have the widths %v", got)
	}
	if n := strings.Count(string(p.SVG), `class="range"`); n != 1 {
		t.Errorf("%d bars show a range, want the one that has one", n)
	}
}

var points = regexp.MustCompile(`points="([^"]*)"`)

func TestCurvesStayInTheirField(t *testing.T) {
	p := report.Curves("x", "Lateness", "ms", []report.Tick{{At: 0, Text: "p50"}, {At: 2, Text: "p99"}},
		report.Curve{Name: "a", Points: []report.Point{{X: 0, Y: 0.5}, {X: 1, Y: 0}, {X: 2, Y: 40}}}, report.Curve{Name: "none"})
	wellFormed(t, p.SVG)
	lines := points.FindAllStringSubmatch(string(p.SVG), -1)
	if len(lines) != 1 {
		t.Fatalf("%d lines are drawn, want 1", len(lines))
	}
	var ys []float64
	for _, pair := range strings.Fields(lines[0][1]) {
		_, text, _ := strings.Cut(pair, ",")
		y, err := strconv.ParseFloat(text, 64)
		if err != nil || y < 48 || y > 288 {
			t.Fatalf("point %s is outside of the field: %v", pair, err)
		}
		ys = append(ys, y)
	}
	if !(ys[1] > ys[0] && ys[0] > ys[2]) {
		t.Errorf("0.5, 0 and 40 are drawn at the heights %v: more is not higher", ys)
	}
}

func TestPlotsOfNothing(t *testing.T) {
	wellFormed(t, report.Bars("x", "none", "").SVG)
	wellFormed(t, report.Curves("x", "none", "", nil).SVG)
}
