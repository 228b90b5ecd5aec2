package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode reads one job document strictly and validates it. The error wraps ErrInvalid and names
// the field: unknown or repeated fields, wrong types and trailing text are all refused.
func Decode(doc []byte) (Job, error) {
	var j Job
	if len(doc) > MaxDocument {
		return Job{}, fmt.Errorf("%w: the document has %d bytes, at most %d are allowed", ErrInvalid, len(doc), MaxDocument)
	}
	if err := strict(doc, &j); err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := j.Validate(); err != nil {
		return Job{}, err
	}
	return j, nil
}

func strict(doc []byte, into any) error {
	if err := noRepeats(doc); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return readable(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the document")
	}
	return nil
}

// readable turns encoding/json's wording, which speaks of Go types, into the document's own.
func readable(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		want := wrong.Type.Kind().String()
		switch wrong.Type.Kind() {
		case reflect.Struct, reflect.Map:
			want = "object"
		case reflect.Float64:
			want = "number"
		case reflect.Int:
			want = "whole number"
		}
		if wrong.Field == "" {
			return fmt.Errorf("a job is a JSON object, not a %s", wrong.Value)
		}
		return fmt.Errorf("%s: is a %s, must be a %s", wrong.Field, wrong.Value, want)
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s", text)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the document ends too early")
	}
	return err
}

// noRepeats refuses an object key that is given twice, which encoding/json would let the last
// one win. Text that is no JSON at all is left to the decoder to report.
func noRepeats(doc []byte) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	return walkKeys(dec, "")
}

func walkKeys(dec *json.Decoder, path string) error {
	tok, err := dec.Token()
	if err != nil {
		return nil
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		at := path
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return nil
			}
			name, _ := key.(string)
			at = strings.TrimPrefix(path+"."+name, ".")
			if seen[name] {
				return fmt.Errorf("field %q is given twice", at)
			}
			seen[name] = true
		}
		if err := walkKeys(dec, at); err != nil {
			return err
		}
	}
	_, _ = dec.Token()
	return nil
}
