package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Step is what one command, or one script or transaction, wrote.
type Step [][]string

// Read returns the steps in a Redis directory's append-only file, in order, the base file first. A
// file that ends in the middle of a step, as a crash leaves it, yields the whole steps before. A
// directory without the file yields none.
func Read(dir string) ([]Step, error) {
	manifest, err := os.ReadFile(filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var steps []Step
	for line := range strings.Lines(string(manifest)) {
		fields := strings.Fields(line) // file NAME seq N type b|i|h
		if len(fields) != 6 || fields[5] == "h" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "appendonlydir", fields[1]))
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		more, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("ledger: %s: %w", fields[1], err)
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

// Parse returns the whole steps in the text of one file.
func Parse(text []byte) ([]Step, error) {
	if bytes.HasPrefix(text, []byte("REDIS")) {
		return nil, errors.New("it begins in Redis's own format: start the server with --aof-use-rdb-preamble no")
	}
	var steps []Step
	var open Step // between MULTI and EXEC
	inside := false
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		command, err := readCommand(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return steps, nil
		}
		if err != nil {
			return steps, err
		}
		switch strings.ToUpper(command[0]) {
		case "MULTI":
			open, inside = nil, true
		case "EXEC":
			steps, inside = append(steps, open), false
		default:
			if inside {
				open = append(open, command)
			} else {
				steps = append(steps, Step{command})
			}
		}
	}
}

// readCommand reads one command, past notes of the time. The error is io.EOF at the end, and
// io.ErrUnexpectedEOF in the middle of one.
func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readNumber(in, '*')
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, fmt.Errorf("a command of %d words", n)
	}
	command := make([]string, n)
	for i := range command {
		size, err := readNumber(in, '$')
		if err != nil {
			return nil, errors.Join(io.ErrUnexpectedEOF, err)
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		command[i] = string(word[:size])
	}
	return command, nil
}

func readNumber(in *bufio.Reader, kind byte) (int, error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" || line[0] != kind {
			return 0, fmt.Errorf("%q stands where %q must", line, kind)
		}
		return strconv.Atoi(line[1:])
	}
}
