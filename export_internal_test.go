package carillon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

const testMark = ".default@c.jsonl"

// stamped is the name of an export of 2000-01-01, when bubbles begin, at hh:mm.
func stamped(at string) string {
	return "20000101T" + strings.ReplaceAll(at, ":", "") + "00.000Z" + testMark
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// played is an exporter whose surroundings a test sets.
type played struct {
	exporter
	leader atomic.Bool
	counts map[string]int
}

func play(dir string, what exported, fault error) *played {
	p := &played{counts: map[string]int{}}
	p.exporter = exporter{
		files: exportFiles{dir: dir, mark: testMark, keep: 2}, every: time.Hour, leads: p.leader.Load,
		now:  func(context.Context) (time.Time, error) { return time.Now(), nil },
		fill: func(_ context.Context, w io.Writer) (exported, error) { return filled(w, what, fault) },
		log:  hclog.NewNullLogger(), count: func(outcome string) { p.counts[outcome]++ },
	}
	p.leader.Store(true)
	return p
}

// during lets it go on while something happens.
func (p *played) during(t *testing.T, happens func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.run(ctx); close(ended) }()
	happens()
	cancel()
	<-ended
}

var oneJob = exported{jobs: 1}

// filled writes a line for what, whatever becomes of it then.
func filled(w io.Writer, what exported, fault error) (exported, error) {
	_, err := fmt.Fprintf(w, "%+v\n", what)
	return what, errors.Join(err, fault)
}

func TestExportsOfALeader(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "for it")
	synctest.Test(t, func(t *testing.T) {
		p := play(dir, oneJob, nil)
		p.leader.Store(false)
		p.during(t, func() {
			time.Sleep(time.Minute - time.Second)
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a follower touched the directory: %v", err)
			}
			p.leader.Store(true)
			time.Sleep(exportLook)
			if diff := cmp.Diff([]string{stamped("00:01")}, filesIn(t, dir)); diff != "" {
				t.Error("soon after taking office:", diff)
			}
			time.Sleep(3*time.Hour + time.Minute)
		})
		kept := []string{stamped("02:01"), stamped("03:01")}
		if diff := cmp.Diff(kept, filesIn(t, dir)); diff != "" || p.counts["written"] != 4 || len(p.counts) != 1 {
			t.Error("after three periods:", p.counts, diff)
		}
		next := play(dir, oneJob, nil)
		next.during(t, func() { time.Sleep(time.Minute) })
		if diff := cmp.Diff(kept, filesIn(t, dir)); diff != "" || len(next.counts) != 0 {
			t.Error("another leader within the period:", next.counts, diff)
		}
	})
}

func TestWhatIsNotExported(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		what   exported
		fault  error
		counts map[string]int // in 150 s
	}{
		{"an empty store", exported{}, nil, map[string]int{}},
		{"a store that does not answer", exported{}, ErrUnreachable, map[string]int{"failed": 3}},
		{"a store that was emptied meanwhile", oneJob, ErrStoreLost, map[string]int{"failed": 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := play(dir, tt.what, tt.fault)
				p.during(t, func() { time.Sleep(150 * time.Second) })
				if got := filesIn(t, dir); len(got) != 0 || !maps.Equal(p.counts, tt.counts) {
					t.Errorf("files %q, counted %v, want none and %v", got, p.counts, tt.counts)
				}
			})
		})
	}
}

func TestFilesOfAnExport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before []string
		after  []string // and that of 12:00
	}{
		{"the newest stay", []string{stamped("09:00"), stamped("10:00"), stamped("11:00")}, []string{stamped("11:00")}},
		{"few stay", nil, nil},
		{
			"what is not of this store stays",
			[]string{"20000101T000000.000Z.other@c.jsonl", "20000101T000000.000Z.default@d.jsonl", "notes" + testMark, "notes"},
			[]string{"20000101T000000.000Z.other@c.jsonl", "20000101T000000.000Z.default@d.jsonl", "notes" + testMark, "notes"},
		},
		{"what was left unfinished goes, not what another writes", []string{stamped("11:59") + unfinished, stamped("12:01") + unfinished}, []string{stamped("12:01") + unfinished}},
		{"the one written stays beside those of a clock ahead", []string{stamped("13:00"), stamped("14:00")}, []string{stamped("14:00")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := exportFiles{dir: t.TempDir(), mark: testMark, keep: 2}
			for _, name := range tt.before {
				if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			name, _, err := f.write(time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC), func(w io.Writer) (exported, error) { return filled(w, oneJob, nil) })
			if err == nil {
				err = f.prune(name)
			}
			want := slices.Sorted(slices.Values(append([]string{stamped("12:00")}, tt.after...)))
			if diff := cmp.Diff(want, filesIn(t, f.dir)); diff != "" || err != nil {
				t.Error(err, diff)
			}
			if text, err := os.ReadFile(filepath.Join(f.dir, name)); err != nil || string(text) != "{calendars:0 jobs:1}\n" {
				t.Errorf("it holds %q, %v", text, err)
			}
		})
	}
}

// A file from the future was written before Redis's clock was set back; it must not end the exports.
func TestNewestExport(t *testing.T) {
	t.Parallel()
	f := exportFiles{dir: t.TempDir(), mark: testMark}
	for _, name := range []string{stamped("09:00"), stamped("13:00"), stamped("11:00") + unfinished, "20000101T110000.000Z.other@c.jsonl"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.newest(time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC))
	if want := time.Date(2000, 1, 1, 9, 0, 0, 0, time.UTC); !got.Equal(want) || err != nil {
		t.Errorf("the newest is of %s, %v; want %s", got, err, want)
	}
}
