package shell

// TailOf is the text that a tail of the given limit keeps of writes, and how much it dropped.
func TailOf(limit int, writes ...string) (string, int64) {
	t := &tail{limit: limit}
	for _, w := range writes {
		_, _ = t.Write([]byte(w))
	}
	return t.text(), t.dropped()
}

// Allowed resolves argv0 against an allow list of entries.
func Allowed(argv0 string, entries ...string) (string, error) {
	list, err := newAllowList(entries)
	if err != nil {
		return "", err
	}
	return list.resolve(argv0)
}
