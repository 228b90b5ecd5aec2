package rig

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Children returns the ids of all processes that descend from pid, or none where there is no /proc.
func Children(pid int) []int {
	parents := map[int]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if parent, ok := parentOf(id); ok {
			parents[id] = parent
		}
	}
	found := []int{pid}
	for i := 0; i < len(found); i++ {
		for id, parent := range parents {
			if parent == found[i] && !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	return found[1:]
}

// Alive reports whether the process exists and is more than a corpse, as far as /proc tells.
func Alive(pid int) bool {
	_, ok := parentOf(pid)
	return ok
}

// parentOf reads the parent of a process that has not ended.
func parentOf(pid int) (int, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// pid (name) state ppid …: the name may hold anything, so what follows the last bracket counts
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 2 || fields[0] == "Z" {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}
