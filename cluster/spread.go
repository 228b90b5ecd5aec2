package cluster

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errLetPass ends a campaign behind which somebody waits who leads fewer groups.
var errLetPass = errors.New("cluster: campaign begun again behind a node that leads fewer groups")

// settleBeyond is how much longer than a session nothing must have changed in any line before an
// office is handed over: whoever is dead or hangs has left the lines by then.
const settleBeyond = time.Second

// lines are the candidates of each group, the one in office first.
type lines [][]Leader

// held returns how many groups each node leads.
func (l lines) held() map[string]int {
	held := map[string]int{}
	for _, line := range l {
		if len(line) > 0 {
			held[line[0].Name]++
		}
	}
	return held
}

// passes returns the term of the key with which a node waits in the line of a group in front of one
// who leads fewer groups; 0 if it does not.
func (l lines) passes(name string, group int) int64 {
	line, held := l[group], l.held()
	mine := slices.IndexFunc(line, func(c Leader) bool { return c.Name == name })
	if mine < 1 {
		return 0
	}
	for _, behind := range line[mine+1:] {
		if held[behind.Name] < held[name] {
			return line[mine].Term
		}
	}
	return 0
}

// surplus returns the office that is to be handed over next, with the one who gets it; false when the
// offices are spread as evenly as the lines allow. All nodes that see the same lines find the same
// office, so that one moves at a time: of the node that leads most, the one it has led for the shortest.
func (l lines) surplus() (from, to Leader, found bool) {
	held := l.held()
	for _, line := range l {
		if len(line) < 2 || held[line[0].Name]-held[line[1].Name] < 2 {
			continue
		}
		more := held[line[0].Name] - held[from.Name]
		if !found || more > 0 || more == 0 && line[0].Term > from.Term {
			from, to, found = line[0], line[1], true
		}
	}
	return from, to, found
}

// letsPass waits until this node stands in front of one who leads fewer groups, and reports true then,
// or until ctx ends. Who is free has its place before whoever leads already, whenever it came.
func (g *group) letsPass(ctx context.Context) bool {
	for {
		changed := g.roster.lined.wait()
		if term := g.roster.lines().passes(g.cfg.Member.Name, g.index); term > g.passed {
			g.passed = term
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// handsOver waits until this office has long been the one to be handed over, to a node whose process
// is known to live, and reports true then, or until ctx ends.
func (g *group) handsOver(ctx context.Context, term int64) bool {
	for {
		changed := g.roster.lined.wait()
		from, to, found := g.roster.lines().surplus()
		timer := time.NewTimer(g.cfg.TTL + settleBeyond)
		settled := timer.C
		if !found || from.Group != g.index || from.Term != term {
			settled = nil
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-changed:
			timer.Stop()
		case <-settled:
			if g.contacts.has(to.Name) {
				g.log.Info("office handed over to a node that leads fewer groups", "term", term, "next", to.Name)
				return true
			}
		}
	}
}
