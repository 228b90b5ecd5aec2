package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// readCommand reads one command, an array of bulk strings, and returns its bytes and its arguments.
func readCommand(in *bufio.Reader) (raw []byte, args []string, err error) {
	var frame bytes.Buffer
	n, err := readHead(in, &frame, '*')
	if err != nil {
		return nil, nil, err
	}
	for range n {
		size, err := readHead(in, &frame, '$')
		if err != nil {
			return nil, nil, err
		}
		at := frame.Len()
		if err := readBody(in, &frame, size); err != nil {
			return nil, nil, err
		}
		args = append(args, string(frame.Bytes()[at:at+size]))
	}
	return frame.Bytes(), args, nil
}

// readHead reads a line of the given kind and the number in it.
func readHead(in *bufio.Reader, frame *bytes.Buffer, want byte) (int, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	frame.Write(line)
	text := string(bytes.TrimRight(line, "\r\n"))
	if text == "" || text[0] != want {
		return 0, fmt.Errorf("wire: %q is no %q", text, want)
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("wire: %q is no length", text)
	}
	return n, nil
}

// readBody reads so many bytes and the end of the line.
func readBody(in *bufio.Reader, frame *bytes.Buffer, size int) error {
	_, err := io.CopyN(frame, in, int64(size)+2)
	return err
}

// readFrame reads one reply with all that is nested in it, and returns its kind.
func readFrame(in *bufio.Reader, frame *bytes.Buffer) (kind byte, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	frame.Write(line)
	text := string(bytes.TrimRight(line, "\r\n"))
	if text == "" {
		return 0, fmt.Errorf("wire: an empty line is no reply")
	}
	nested := 1
	switch text[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		return text[0], nil
	case '%', '|':
		nested = 2
	case '$', '=', '!', '*', '~', '>':
	default:
		return 0, fmt.Errorf("wire: %q is no reply", text)
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil {
		return 0, fmt.Errorf("wire: %q is no length: %w", text, err)
	}
	switch text[0] {
	case '$', '=', '!':
		if n >= 0 {
			err = readBody(in, frame, n)
		}
		return text[0], err
	}
	for range n * nested {
		if _, err := readFrame(in, frame); err != nil {
			return 0, err
		}
	}
	if text[0] == '|' { // attributes stand before the reply they belong to
		return readFrame(in, frame)
	}
	return text[0], nil
}
