package trigger

import (
	"math"
	"strings"
	"time"
)

// cronSpec is what either notation of a cron says.
type cronSpec struct {
	rule  dayRule
	years yearSet
	daytime
	wildHour bool // the hour field begins with "*"
}

func readCron(_ scope, n *node, common settings) error {
	obj := n.obj
	if obj.has("expr") == obj.has("fields") {
		return refuse(obj.at("expr"), obj.raw, "give either expr or fields")
	}
	w, err := obj.window(common.zone)
	if err != nil {
		return err
	}
	if every, ok := strings.CutPrefix(strings.ToLower(n.expr), "@every"); ok {
		return readEvery(n, every, common, w)
	}
	var spec cronSpec
	if obj.has("expr") {
		spec, err = readExpr(obj, n.expr)
	} else {
		spec, err = readFields(obj)
	}
	if err != nil {
		return err
	}
	c := &cron{
		settings: common, daytime: spec.daytime, days: spec.rule.calendar(), years: spec.years,
		wallClock: wallClock{from: -maxOffset, until: lastInstant},
	}
	c.everyDay = c.years == nil && c.days.whole()
	if err := c.readPolicy(obj, spec.wildHour); err != nil {
		return err
	}
	c.limit(w)
	n.trigger = c
	return nil
}

// readEvery takes "@every 15s" as the interval that it is.
func readEvery(n *node, text string, common settings, w window) error {
	if n.obj.has("dst") {
		return n.obj.refuse("dst", "@every is elapsed time and takes none")
	}
	length := strings.TrimSpace(text)
	every, err := time.ParseDuration(length)
	if err != nil || every < shortest || length == text {
		return n.obj.refuse("expr", `must be "@every" and a duration of at least 1ms, such as "@every 15s"`)
	}
	n.every = &interval{settings: common, window: w, every: every}
	n.trigger = n.every
	return nil
}

// limit narrows c to w. Cron fires on whole seconds: a start within one is rounded up, an end down.
func (c *cron) limit(w window) {
	if !w.start.IsZero() {
		start := w.start.Unix()
		if w.start.Nanosecond() > 0 {
			start++
		}
		c.from = max(c.from, start)
	}
	if !w.end.IsZero() {
		c.until = min(c.until, w.end.Unix())
	}
}

// readPolicy reads dst. Auto follows real time if the hour is a wildcard; else a fixed hour runs once.
func (c *cron) readPolicy(obj object, wildHour bool) error {
	c.shift, c.fold = !wildHour, foldFirst
	if wildHour {
		c.fold = foldBoth
	}
	raw, ok := obj.values["dst"]
	if !ok {
		return nil
	}
	dst, err := readObject(obj.at("dst"), raw)
	if err != nil {
		return err
	}
	if err := dst.allow("gap", "fold"); err != nil {
		return err
	}
	gap, err := dst.choice("gap", "auto", "skip", "shift")
	if err != nil {
		return err
	}
	if gap != "auto" {
		c.shift = gap == "shift"
	}
	repeated, err := dst.choice("fold", "auto", string(foldFirst), string(foldLast), string(foldBoth))
	if err != nil {
		return err
	}
	if repeated != "auto" {
		c.fold = fold(repeated)
	}
	return nil
}

// choice reads the field name, which must be one of words; absent, it is the first of them.
func (o object) choice(name string, words ...string) (string, error) {
	if !o.has(name) {
		return words[0], nil
	}
	text, err := o.text(name)
	if err != nil {
		return "", err
	}
	for _, word := range words {
		if text == word {
			return word, nil
		}
	}
	return "", o.refuse(name, "must be "+strings.Join(words, ", "))
}

// evenClock tells that no clock change lies ahead of a zone, so that policies make no difference.
func evenClock(zone *time.Location) bool {
	seg := segmentAt(zone, -2*maxOffset)
	return seg.end == math.MaxInt64
}
