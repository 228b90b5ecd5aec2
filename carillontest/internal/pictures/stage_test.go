package pictures_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/internal/timeline"
)

// scene is one picture: what happens to the example jobs that stand beneath it in the page.
type scene struct {
	name  string // of the image
	title string
	desc  string
	start time.Time     // zero: nine o'clock on 5 January 2026
	lasts time.Duration // zero: an hour and four minutes
	tick  time.Duration // zero: ten minutes
	zone  string        // of the axis; empty: UTC
	// takes is how long an attempt runs and how it ends; nil: three minutes, and well.
	takes func(carillon.Run) (time.Duration, error)
	// loss says that the node of the first run dies.
	loss bool
	// play lets it happen; nil adds the jobs and lets the time pass.
	play func(*stage)
}

func (s scene) from() time.Time {
	if s.start.IsZero() {
		return time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	}
	return s.start
}

func (s scene) to() time.Time {
	if s.lasts == 0 {
		return s.from().Add(64 * time.Minute)
	}
	return s.from().Add(s.lasts)
}

// world is what a stage needs of a kit.
type world interface {
	Now() time.Time
	AdvanceTo(at time.Time)
	Settle()
	Up()
	Outage(d time.Duration)
	Client() *carillon.Client
	AddJob(j carillon.Job, opts ...carillon.CallOption) carillon.Job
	PauseJob(id string)
	ResumeJob(id string)
	Trigger(v any) json.RawMessage
	Runs(jobs ...string) []carillontest.RunRecord
	Times(jobs ...string) []time.Time
	Skipped(jobs ...string) []carillontest.Skip
}

// stage is where a scene is played: a kit, and notes of what was asked of it.
type stage struct {
	world
	t     *testing.T
	scene scene
	docs  []carillon.Job // as the page shows them
	jobs  []carillon.Job // as stored
	added []time.Time
	bands []timeline.Band
	calls []call
}

// call is something that was asked for in a scene.
type call struct {
	at   time.Time
	text string
}

// perform plays the scene with the jobs of the page, in a bubble, and hands over the stage.
func perform(t *testing.T, s scene, docs []carillon.Job, then func(*stage)) {
	if s.loss {
		performLoss(t, s, docs, then)
		return
	}
	carillontest.Run(t, carillontest.Options{Start: s.from(), Down: true}, func(t *testing.T, kit *carillontest.Kit) {
		// Jitter depends on the job's uid, which is drawn while nothing else runs.
		uuid.SetRand(rand.NewChaCha8([32]byte{7}))
		defer uuid.SetRand(nil)
		st := &stage{world: kit, t: t, scene: s, docs: docs}
		carillontest.Handle(kit, "report", st.work)
		if s.play == nil {
			st.addAll()
		} else {
			s.play(st)
		}
		st.until(s.to())
		then(st)
	})
}

// work is the handler of every scene.
func (s *stage) work(ctx context.Context, _ any) (any, error) {
	length, err := 3*time.Minute, error(nil)
	if s.scene.takes != nil {
		run, _ := carillon.RunFrom(ctx)
		length, err = s.scene.takes(run)
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// addAll adds the jobs of the page, and begins.
func (s *stage) addAll() {
	for i := range s.docs {
		s.add(i)
	}
	s.Up()
}

func (s *stage) add(i int) {
	s.jobs = append(s.jobs, s.AddJob(s.docs[i]))
	s.added = append(s.added, s.Now())
}

// minute lets time pass until so many minutes of the scene are over.
func (s *stage) minute(m float64) {
	s.until(s.scene.from().Add(time.Duration(m * float64(time.Minute))))
}

func (s *stage) until(at time.Time) {
	s.Up()
	s.AdvanceTo(at)
}

// ask notes that something is asked for now.
func (s *stage) ask(text string) { s.calls = append(s.calls, call{s.Now(), text}) }

// band shades the time until it is called back.
func (s *stage) band(text string) func() {
	from := s.Now()
	return func() { s.bands = append(s.bands, timeline.Band{From: from, To: s.Now(), Text: text}) }
}

// outage is a time in which no node is up.
func (s *stage) outage(from, to float64) {
	s.minute(from)
	end := s.band("no node is up")
	s.Outage(time.Duration((to - from) * float64(time.Minute)))
	end()
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
