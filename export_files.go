package carillon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	exportStamp = "20060102T150405.000Z" // begins the name of a file, in UTC, so that names sort by time
	unfinished  = ".tmp"                 // ends it until the file is whole
)

// exportFiles are the exports of one store in a directory that other stores and clusters may share.
type exportFiles struct {
	dir  string
	mark string // follows the time in each name: whose export it is
	keep int
}

// newest is the time of the newest file that is not after now, or the zero time. One from the future
// was written before a clock was set back.
func (f exportFiles) newest(now time.Time) (newest time.Time, err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return time.Time{}, fmt.Errorf("carillon: export: give the node a directory that it may write to: %w", err)
	}
	names, err := f.names("")
	for _, name := range names {
		if at, ok := f.timeOf(name); ok && !at.After(now) {
			newest = at
		}
	}
	return newest, err
}

// names are those of this store's files with an ending after the mark, oldest first.
func (f exportFiles) names(ending string) ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("carillon: export: list the files: %w", err)
	}
	var names []string
	for _, e := range entries {
		name, ends := strings.CutSuffix(e.Name(), ending)
		if _, ours := f.timeOf(name); ends && ours {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// timeOf is the time in the name of a whole file of this store.
func (f exportFiles) timeOf(name string) (at time.Time, ours bool) {
	stamp, ours := strings.CutSuffix(name, f.mark)
	if !ours {
		return time.Time{}, false
	}
	at, err := time.Parse(exportStamp, stamp)
	return at, err == nil
}

// write makes a file that is there whole, on the disk, or not at all, and returns its name and what
// fill has written; no file and no name if that is nothing. Only the owner may read it: args may hold
// secrets.
func (f exportFiles) write(now time.Time, fill func(io.Writer) (exported, error)) (name string, what exported, err error) {
	name = now.UTC().Format(exportStamp) + f.mark
	path := filepath.Join(f.dir, name)
	file, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", what, fmt.Errorf("carillon: export: give the node a directory that it may write to: %w", err)
	}
	if what, err = fill(file); err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil && what.empty() {
		return "", what, os.Remove(path + unfinished)
	}
	if err == nil {
		err = os.Rename(path+unfinished, path)
	}
	if err != nil {
		return "", what, fmt.Errorf("carillon: export: write a file: %w", errors.Join(err, os.Remove(path+unfinished)))
	}
	return name, what, f.sync()
}

// sync has the disk remember the names.
func (f exportFiles) sync() error {
	if runtime.GOOS == "windows" { // which cannot, and need not
		return nil
	}
	dir, err := os.Open(f.dir)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("carillon: export: sync the directory: %w", err)
	}
	return nil
}

// prune removes all but the newest files and what earlier writers left unfinished; never the one that
// was just written, whatever its time.
func (f exportFiles) prune(written string) error {
	whole, err := f.names("")
	if err != nil {
		return err
	}
	left, err := f.names(unfinished)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(whole, func(name string) bool { return name == written })
	old := others[:max(0, len(others)-f.keep+1)]
	for _, name := range left {
		if name < written {
			old = append(old[:len(old):len(old)], name)
		}
	}
	var faults []error
	for _, name := range old {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, fmt.Errorf("carillon: export: remove an old file: %w", err))
		}
	}
	return errors.Join(faults...)
}
