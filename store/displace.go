package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/carillon-project/carillon/job"
)

// replaces reports whether a message, when it finds no slot, waits for the oldest run of the slot to be
// cancelled.
func (m *Message) replaces() bool { return m.Overlap == job.OverlapReplace && m.Attempt == 1 }

// makeRoom is for slots with runs in line that are to replace another: it closes those that a newer one of the
// same job stands behind, and asks for the cancellation of as many runs of a slot, the oldest first, as there
// are runs that wait to replace one. No call of it holds up Redis, whatever the length of lines and of running,
// and it can be repeated at any time: what was asked to end already counts.
func (s *Store) makeRoom(ctx context.Context, k keys, slots []string) error {
	if len(slots) == 0 {
		return nil
	}
	wanted := map[string]int{} // by slot, how many runs are to end
	for _, slot := range slots {
		if _, known := wanted[slot]; known {
			continue
		}
		n, err := s.supersede(ctx, k, slot)
		if err != nil {
			return err
		}
		wanted[slot] = n
	}
	holders, err := s.holders(ctx, k, wanted)
	if err != nil {
		return err
	}
	for slot, n := range wanted {
		for _, run := range toEnd(holders[slot], n) {
			if _, err := s.cancelRunning(ctx, k, run); err != nil {
				return err
			}
		}
	}
	return nil
}

// superseded is a run in line with the newer one of the same job.
type superseded struct {
	id      string
	message Message
}

// supersede closes the runs in line to replace another of which there is a newer one, and returns how many runs
// are to be replaced then.
func (s *Store) supersede(ctx context.Context, k keys, slot string) (waiting int, err error) {
	var old []superseded
	newest := map[string]superseded{} // by job
	_, err = s.eachScored(ctx, k.waiting(slot), k.waitingRuns(slot), func(_ int64, body string) bool {
		m, err := DecodeMessage(body)
		if err != nil || !m.replaces() {
			return true
		}
		if earlier, is := newest[m.JobID]; is {
			old = append(old, earlier)
		}
		newest[m.JobID] = superseded{id: m.Runs[0].ID, message: m}
		return true
	})
	if err != nil {
		return 0, err
	}
	for from, to := range portions(len(old), func(i int) weight { return old[i].message.weight() }) {
		keys := []string{k.events(), k.jobs(), k.waiting(slot), k.waitingRuns(slot)}
		args := s.env()
		for _, o := range old[from:to] {
			keys = append(keys, k.history(o.message.JobID))
			args = append(args, o.id, newest[o.message.JobID].id)
		}
		if _, err := s.run(ctx, supersedeScript, keys, args...); err != nil {
			return 0, err
		}
	}
	return len(newest), nil
}

// holder is a run that holds a slot.
type holder struct {
	run     string
	started int64
	asked   bool // to end
}

// holders returns the runs that hold some slots, by slot.
func (s *Store) holders(ctx context.Context, k keys, slots map[string]int) (map[string][]holder, error) {
	found := map[string][]holder{}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		fields, next, err := s.reader.HScan(ctx, k.running(), cursor, "", holdersPage).Result()
		if err != nil {
			return nil, s.explain("running", err)
		}
		cursor = next
		for i := 0; i+1 < len(fields); i += 2 {
			head, _, _ := strings.Cut(fields[i+1], "\n")
			f, n := strings.Split(head, "\t"), numbers{}
			if len(f) != 6 {
				continue
			}
			if _, wanted := slots[f[3]]; wanted {
				found[f[3]] = append(found[f[3]], holder{run: fields[i], started: n.read(f[1]), asked: f[5] == "1"})
			}
		}
	}
	return found, nil
}

// holdersPage is how many runs are read at once to find those that hold a slot.
const holdersPage = 100

// toEnd names the oldest runs that are to be asked to end, so that n of all are.
func toEnd(all []holder, n int) (runs []string) {
	slices.SortStableFunc(all, func(a, b holder) int { return cmp.Compare(a.started, b.started) })
	for _, h := range all {
		if h.asked {
			n--
		}
	}
	seen := map[string]bool{} // a scan may find a run twice
	for _, h := range all {
		if n > len(runs) && !h.asked && !seen[h.run] {
			runs = append(runs, h.run)
		}
		seen[h.run] = true
	}
	return runs
}
