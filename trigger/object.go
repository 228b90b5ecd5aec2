package trigger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// object is one JSON object whose keys are unique. path is where it stands in the document, for
// errors; the values are the text as given.
type object struct {
	path   string
	raw    []byte
	keys   []string
	values map[string]json.RawMessage
}

// refuse returns the error for text at path. It wraps ErrInvalid.
func refuse(path string, text []byte, reason string) error {
	const most = 80
	shown := strings.ToValidUTF8(string(text), "�")
	if runes := []rune(shown); len(runes) > most {
		shown = string(runes[:most]) + "…"
	}
	if path == "" {
		path = "document"
	}
	return fmt.Errorf("%w: %s: %s: %s", ErrInvalid, path, shown, reason)
}

// readObject reads raw as exactly one object. Repeated keys and trailing data are refused.
func readObject(path string, raw []byte) (object, error) {
	obj := object{path: path, raw: raw, values: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil {
		return object{}, refuse(path, raw, syntax(err))
	} else if open != json.Delim('{') {
		return object{}, refuse(path, raw, "must be an object")
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return object{}, refuse(path, raw, syntax(err))
		}
		key := token.(string) // the decoder lets nothing else stand before a colon
		if _, taken := obj.values[key]; taken {
			return object{}, refuse(obj.at(key), raw, "given twice")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return object{}, refuse(obj.at(key), raw, syntax(err))
		}
		obj.keys = append(obj.keys, key)
		obj.values[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return object{}, refuse(path, raw, syntax(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return object{}, refuse(path, raw, "more data after the object")
	}
	return obj, nil
}

func syntax(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "ends too early"
	}
	return "not JSON: " + err.Error()
}

// at returns the path of a field of o.
func (o object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// refuse returns the error for the field name of o.
func (o object) refuse(name, reason string) error {
	return refuse(o.at(name), o.values[name], reason)
}

// allow refuses the first field that is not among names.
func (o object) allow(names ...string) error {
	for _, key := range o.keys {
		if !slices.Contains(names, key) {
			return o.refuse(key, "unknown field")
		}
	}
	return nil
}

func (o object) has(name string) bool {
	_, ok := o.values[name]
	return ok
}

// text returns the string at name, or "" if the field is absent.
func (o object) text(name string) (string, error) {
	raw, ok := o.values[name]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", o.refuse(name, "must be a string")
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", o.refuse(name, syntax(err))
	}
	return s, nil
}

// scalar returns the string or the digits of the number at name, and which of them it was.
func (o object) scalar(name string) (text string, number bool, err error) {
	raw := o.values[name]
	switch {
	case len(raw) > 0 && raw[0] == '"':
		text, err = o.text(name)
		return text, false, err
	case len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
		return string(raw), true, nil
	default:
		return "", false, o.refuse(name, "must be a number or a string")
	}
}
