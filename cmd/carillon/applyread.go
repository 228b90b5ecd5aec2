package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/carillon-project/carillon/job"
)

// jobsOfPaths reads and checks the jobs of files, of folders and of standard input, which is "-". What
// is wrong with any of them is told together, with its file. single reports whether it is one
// document, in no list and in no folder.
func (a *app) jobsOfPaths(paths []string) (jobs []job.Job, single bool, err error) {
	files, err := filesOf(paths)
	if err != nil {
		return nil, false, err
	}
	type place struct{ store, id string }
	seen := map[place]string{}
	var faults []error
	for _, file := range files {
		some, list, err := a.jobsOfFile(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", nameOf(file), err))
			continue
		}
		single = len(files) == 1 && files[0] == paths[0] && !list
		for _, j := range some {
			at := place{cmp.Or(j.Store, job.DefaultName), j.ID}
			if first, twice := seen[at]; twice {
				faults = append(faults, fmt.Errorf("%s: %w: id: %q stands in %s too", nameOf(file), job.ErrInvalid, j.ID, nameOf(first)))
				continue
			}
			seen[at] = file
			jobs = append(jobs, j)
		}
	}
	return jobs, single, usage(errors.Join(faults...))
}

// jobsOfFile are the jobs of one file. Each must have an id, or it would be added at every apply.
func (a *app) jobsOfFile(file string) (jobs []job.Job, list bool, err error) {
	text, err := a.readInput(file)
	if err != nil {
		return nil, false, err
	}
	docs, list, err := readDocuments(text)
	if err != nil {
		return nil, false, err
	}
	if jobs, err = decodeJobs(docs, a.now()); err != nil {
		return nil, false, err
	}
	for i, j := range jobs {
		if j.ID == "" {
			return nil, false, fmt.Errorf("document %d, line %d: %w: id: is missing; without it every apply would add another job", i+1, docs[i].line, job.ErrInvalid)
		}
	}
	return jobs, list, nil
}

// filesOf are the paths with each folder replaced by the *.json, *.yaml and *.yml in it and in its
// folders, sorted. Names that begin with a dot are passed over.
func filesOf(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "-" || err != nil || !info.IsDir() { // what cannot be opened is told by who reads it
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case at != path && strings.HasPrefix(entry.Name(), "."):
				if entry.IsDir() {
					return fs.SkipDir
				}
			case !entry.IsDir() && slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(at)):
				files = append(files, at)
			}
			return nil
		})
		if err != nil {
			return nil, usagef("-f: %w", err)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f != "-" })); n > 1 {
		return nil, usagef("-f: standard input is named %d times; it can be read once", n)
	}
	return files, nil
}
