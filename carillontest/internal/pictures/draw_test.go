package pictures_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/internal/timeline"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/trigger"
)

// picture is what happened on the stage.
func (s *stage) picture() timeline.Picture {
	p := timeline.Picture{Title: s.scene.title, Desc: s.scene.desc, From: s.scene.from(), To: s.scene.to(), Bands: s.bands, Ticks: s.ticks()}
	for i, j := range s.jobs {
		lane := s.dues(j, s.added[i])
		lane.Name = "due times"
		group := s.groupOf(i)
		if len(s.jobs) > 1 {
			lane.Name = j.ID
		}
		if i == 0 {
			for _, c := range s.calls {
				lane.Marks = append(lane.Marks, timeline.Mark{At: c.at, Kind: timeline.Call})
				lane.Words = append(lane.Words, timeline.Word{From: c.at, To: c.at, Text: c.text})
			}
		}
		if group == len(p.Groups) {
			p.Groups = append(p.Groups, timeline.Group{Lanes: s.lanes(group)})
		}
		p.Groups[group].Dues = append(p.Groups[group].Dues, lane)
	}
	return p
}

// groupOf counts the limits that jobs before this one have: those of one key share theirs.
func (s *stage) groupOf(i int) int {
	if s.jobs[i].Key != "" {
		return 0
	}
	return i
}

func (s *stage) ticks() []timeline.Tick {
	every, zone, format := cmp.Or(s.scene.tick, 10*time.Minute), time.UTC, "15:04"
	if s.scene.zone != "" {
		var err error
		zone, err = time.LoadLocation(s.scene.zone)
		s.must(err)
		format = "15:04 -07"
	}
	if every >= 24*time.Hour {
		format = "Jan 2"
	} else if every < time.Minute {
		format = "15:04:05"
	}
	var ticks []timeline.Tick
	for at := s.scene.from(); !at.After(s.scene.to()); at = at.Add(every) {
		ticks = append(ticks, timeline.Tick{At: at, Text: at.In(zone).Format(format)})
	}
	return ticks
}

// dues are the due times of a job and what became of each.
func (s *stage) dues(j carillon.Job, added time.Time) timeline.DueLane {
	var lane timeline.DueLane
	ran := s.Times(j.ID)
	slices.SortFunc(ran, time.Time.Compare)
	skipped := s.Skipped(j.ID)
	left := s.excluded(j)
	ended := s.ended(j)
	first, _ := j.NextRunTime.Time()
	all := slices.Concat(s.times(j.Trigger), ran, left)
	slices.SortFunc(all, time.Time.Compare)
	for _, at := range slices.CompactFunc(all, time.Time.Equal) {
		kind := timeline.Ahead
		word := fate(skipped, at)
		switch {
		case slices.ContainsFunc(s.calls, func(c call) bool { return c.at.Equal(at) }):
			continue
		case slices.ContainsFunc(ran, at.Equal):
			kind, word = timeline.Ran, s.lateness(j, at)
		case slices.ContainsFunc(left, at.Equal):
			kind, word = timeline.Skipped, "excluded"
		case word != "":
			kind = timeline.Skipped
		case at.Before(first) || !at.After(added) || !ended.IsZero() && at.After(ended):
			continue
		}
		lane.Marks = append(lane.Marks, timeline.Mark{At: at, Kind: kind})
		lane.Words = extend(lane.Words, at, word, len(lane.Marks) > 1 && kind == lane.Marks[len(lane.Marks)-2].Kind)
	}
	for i, w := range lane.Words {
		if n := between(lane.Marks, w); n > 1 {
			lane.Words[i].Text += fmt.Sprintf(" ×%d", n)
		}
	}
	if !ended.IsZero() {
		lane.Words = append(lane.Words, timeline.Word{From: ended, To: ended, Text: "last: job is removed"})
	}
	return lane
}

// lateness says how late a time ran, of a job that has a grace.
func (s *stage) lateness(j carillon.Job, at time.Time) string {
	for _, r := range s.Runs(j.ID) {
		if late := r.Started.Sub(at); r.ScheduledTime.Equal(at) && late > 0 && j.MisfireGraceTime > 0 {
			return fmt.Sprintf("%gm late", late.Minutes())
		}
	}
	return ""
}

// extend adds a word, or stretches the last one when it goes on with the same.
func extend(words []timeline.Word, at time.Time, word string, goesOn bool) []timeline.Word {
	if word == "" {
		return words
	}
	if n := len(words); n > 0 && goesOn && words[n-1].Text == word {
		words[n-1].To = at
		return words
	}
	return append(words, timeline.Word{From: at, To: at, Text: word})
}

// between counts the skipped marks of a word.
func between(marks []timeline.Mark, w timeline.Word) int {
	n := 0
	for _, m := range marks {
		if m.Kind == timeline.Skipped && !m.At.Before(w.From) && !m.At.After(w.To) {
			n++
		}
	}
	return n
}

// fate is why a due time did not run, in a word or two; empty if no row of the history is for it.
func fate(skipped []carillontest.Skip, at time.Time) string {
	for _, skip := range skipped {
		if at.Before(skip.ScheduledTime) || at.After(skip.Until) && !at.Equal(skip.ScheduledTime) {
			continue
		}
		if strings.HasPrefix(skip.Cause, "paused") {
			return string(skip.Outcome) + " (paused)"
		}
		return string(skip.Outcome)
	}
	return ""
}

// times are those of a trigger within the picture.
func (s *stage) times(doc json.RawMessage) []time.Time {
	t, err := trigger.Parse(doc)
	s.must(err)
	var all []time.Time
	for at := trigger.First(t, s.scene.from()); !at.IsZero() && !at.After(s.scene.to()); at = t.Next(at) {
		all = append(all, at.UTC())
	}
	return all
}

// excluded are the times that the trigger would have if it left nothing out.
func (s *stage) excluded(j carillon.Job) []time.Time {
	var fields map[string]any
	s.must(json.Unmarshal(j.Trigger, &fields))
	if fields["exclude"] == nil {
		return nil
	}
	delete(fields, "exclude")
	kept := s.times(j.Trigger)
	return slices.DeleteFunc(s.times(s.Trigger(fields)), func(at time.Time) bool { return slices.ContainsFunc(kept, at.Equal) })
}

// ended is when a job had its last run, if it has ended by itself.
func (s *stage) ended(j carillon.Job) time.Time {
	events, err := s.Client().Events(s.t.Context())
	s.must(err)
	for _, e := range events {
		if e.Kind == job.JobRemoved && e.JobID == j.ID {
			return e.Time.UTC()
		}
	}
	return time.Time{}
}

// lanes puts each attempt of a group into the first lane that is free.
func (s *stage) lanes(group int) []timeline.BarLane {
	var lanes []timeline.BarLane
	for _, r := range s.Runs() {
		n := slices.IndexFunc(s.jobs, func(j carillon.Job) bool { return j.ID == r.JobID })
		if s.groupOf(n) != group {
			continue
		}
		bar := s.bar(r, n-group)
		free := slices.IndexFunc(lanes, func(l timeline.BarLane) bool {
			return !l.Bars[len(l.Bars)-1].To.After(bar.From)
		})
		if free < 0 {
			free = len(lanes)
			lanes = append(lanes, timeline.BarLane{Name: fmt.Sprintf("slot %d", free+1)})
		}
		lanes[free].Bars = append(lanes[free].Bars, bar)
	}
	return lanes
}

// bar is one attempt, of the job of a due lane of its group.
func (s *stage) bar(r carillontest.RunRecord, lane int) timeline.Bar {
	b := timeline.Bar{From: r.Started, To: r.Ended, Open: r.Ended.IsZero()}
	if b.Open {
		b.To = s.scene.to()
	}
	if r.Attempt == 1 && !r.ScheduledTime.Before(s.scene.from()) {
		b.Due, b.DueLane = r.ScheduledTime.UTC(), lane
	}
	switch r.Outcome {
	case job.Failed, job.TimedOut:
		b.Class, b.Text = timeline.Bad, string(r.Outcome)
	case job.Cancelled, job.Lost:
		b.Class, b.Text = timeline.Gone, string(r.Outcome)
	}
	switch j := s.docs[lane]; {
	case j.Retry.MaxAttempts > 1:
		b.Text = strings.TrimSuffix(fmt.Sprintf("%d: %s", r.Attempt, b.Text), ": ")
	case j.Key != "":
		b.Text = j.ID
	}
	return b
}
