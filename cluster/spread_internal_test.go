package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"pgregory.net/rapid"
)

func TestKeysTellTheGroupOfACandidate(t *testing.T) {
	k := keysOf("c")
	tests := []struct {
		name, key string
		group     int
		ok        bool
	}{
		{"the first group, as it was before there were several", "/carillon/c/election/7f", 0, true},
		{"another", k.candidate(12, 0x7f), 12, true},
		{"group 0 by number", "/carillon/c/election-0/7f", 0, false},
		{"not as it is written", "/carillon/c/election-01/7f", 1, false},
		{"no number", "/carillon/c/election-x/7f", 0, false},
		{"no candidate", "/carillon/c/election-1", 0, false},
		{"a member", "/carillon/c/nodes/election", 0, false},
		{"another cluster", "/carillon/d/election/7f", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if group, ok := k.stood(tt.key); ok != tt.ok || ok && group != tt.group {
				t.Errorf("stood(%q) = %d, %v; want %d, %v", tt.key, group, ok, tt.group, tt.ok)
			}
		})
	}
}

// standing makes lines of names, whose terms follow the order in which they are given, from 1.
func standing(groups ...string) lines {
	var all lines
	term := int64(0)
	for group, names := range groups {
		var line []Leader
		for _, name := range names {
			term++
			line = append(line, Leader{Group: group, Name: string(name), Term: term})
		}
		all = append(all, line)
	}
	return all
}

func TestWhoLeadsLetsTheFreePass(t *testing.T) {
	tests := []struct {
		name  string
		lines lines
		of    string
		group int
		want  int64
	}{
		{"in office", standing("ab", "b"), "a", 0, 0},
		{"not in line", standing("a", "b"), "a", 1, 0},
		{"leads another, a free one behind", standing("abc", "b"), "b", 0, 2},
		{"leads another, nobody behind", standing("acb", "b"), "b", 0, 0},
		{"leads another, one like it behind", standing("abc", "b", "c"), "b", 0, 0},
		{"free", standing("abc", "c"), "b", 0, 0},
		{"leads two, one that leads one behind", standing("abc", "b", "b", "c"), "b", 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.lines.passes(tt.of, tt.group); got != tt.want {
				t.Errorf("passes = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSurplusIsWhatIsHandedOver(t *testing.T) {
	tests := []struct {
		name  string
		lines lines
		from  Leader
		to    string
	}{
		{"one node", standing("a", "a"), Leader{}, ""},
		{"spread", standing("ab", "ba"), Leader{}, ""},
		{"one more is as even as it gets", standing("ab", "ba", "ab"), Leader{}, ""},
		{"nobody stands in its line", standing("a", "a"), Leader{}, ""},
		{"two to none: the newer", standing("ab", "ab"), Leader{1, "a", 3}, "b"},
		{"the fullest first", standing("ad", "ad", "bd", "bd", "bd"), Leader{4, "b", 9}, "d"},
		{"of two that are as full, the newer office", standing("ac", "ac", "bc", "bc"), Leader{3, "b", 7}, "c"},
		{"whoever is next must lead two fewer", standing("abc", "abc", "ba"), Leader{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to, found := tt.lines.surplus()
			if from != tt.from || to.Name != tt.to || found != (tt.to != "") {
				t.Errorf("surplus = %+v to %+v, %v; want %+v to %q", from, to, found, tt.from, tt.to)
			}
		})
	}
}

// TestOfficesComeToBeSpreadEvenly lets nodes come and go in any order; left alone, the lines come to
// rest after few moves, and nobody leads two more than another.
func TestOfficesComeToBeSpreadEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 6).Draw(t, "groups")
		all, term := make(lines, groups), int64(0)
		stand := func(name string, group int) {
			term++
			all[group] = append(all[group], Leader{group, name, term})
		}
		leave := func(name string, group int) {
			all[group] = slices.DeleteFunc(all[group], func(l Leader) bool { return l.Name == name })
		}
		living := map[string]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "node")
			for group := range groups {
				leave(name, group)
				if !living[name] {
					stand(name, group)
				}
			}
			living[name] = !living[name]
		}
		moves := 0
		for moved := true; moved; moves++ {
			moved = false
			for name := range living {
				for group := range groups {
					if all.passes(name, group) != 0 {
						leave(name, group)
						stand(name, group)
						moved = true
					}
				}
			}
			if from, _, found := all.surplus(); found && !moved {
				leave(from.Name, from.Group)
				stand(from.Name, from.Group)
				moved = true
			}
			if moves > 500 {
				t.Fatalf("no rest after %d moves: %v", moves, all)
			}
		}
		held := all.held()
		for name, on := range living {
			for other, also := range living {
				if on && also && held[name]-held[other] > 1 {
					t.Fatalf("%s leads %d and %s %d: %v", name, held[name], other, held[other], all)
				}
			}
		}
	})
}

// spreading is a node a of a cluster that is only its roster, which read sets.
func spreading() (c *Cluster, read func(standing ...*mvccpb.KeyValue)) {
	c = &Cluster{
		roster: newRoster(keysOf("c"), 2), log: hclog.NewNullLogger(),
		cfg: Config{Member: Member{Name: "a"}, Groups: 2, TTL: DefaultTTL, OnLeader: func(Leader) {}, OnMembers: func([]Member) {}},
	}
	var told announcement
	return c, func(standing ...*mvccpb.KeyValue) {
		c.roster.reset(standing)
		c.announce(&told)
	}
}

func stands(group int, name string, created int64) *mvccpb.KeyValue {
	key := keysOf("c").candidates(group) + fmt.Sprint(created)
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte(name), CreateRevision: created}
}

func TestOfficeIsHandedOverToALivingNodeOnceTheLinesAreQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c, read := spreading()
		both := []*mvccpb.KeyValue{stands(0, "a", 1), stands(1, "a", 2), stands(0, "b", 3)}
		read(both...)
		kept, given := make(chan bool, 1), make(chan time.Time, 1)
		go func() { kept <- newGroup(c, 0).handsOver(ctx, 1) }()
		go func() {
			if newGroup(c, 1).handsOver(ctx, 2) {
				given <- time.Now()
			}
		}()
		read(append(both, stands(1, "b", 4))...)
		time.Sleep(3 * (DefaultTTL + settleBeyond)) // b is in line, and nobody knows whether it lives
		synctest.Wait()
		if len(given) != 0 {
			t.Fatal("handed over to a process that may be dead")
		}
		c.contacts.add("b")
		read(append(both, stands(1, "b", 4), stands(0, "d", 5))...)
		quiet := time.Now()
		if at := <-given; at.Sub(quiet) != DefaultTTL+settleBeyond {
			t.Errorf("handed over %s after the last change", at.Sub(quiet))
		}
		cancel()
		if <-kept {
			t.Error("the older office was handed over too")
		}
	})
}

func TestCandidateLetsPassOncePerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c, read := spreading()
		g := newGroup(c, 1)
		waits := []*mvccpb.KeyValue{stands(0, "a", 1), stands(1, "b", 2), stands(1, "a", 3)}
		read(waits...)
		passed := make(chan bool, 1)
		wait := func() { go func() { passed <- g.letsPass(ctx) }() }
		wait()
		synctest.Wait()
		if len(passed) != 0 {
			t.Fatal("let nobody pass")
		}
		read(append(waits, stands(1, "d", 4))...)
		if !<-passed {
			t.Fatal("did not let a free node pass")
		}
		wait() // the roster has not heard of it yet
		synctest.Wait()
		if len(passed) != 0 {
			t.Error("begins again for a key that it has deleted")
		}
		cancel()
		if <-passed {
			t.Error("let pass although the candidacy has ended")
		}
	})
}
