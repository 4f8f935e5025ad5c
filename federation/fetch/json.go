package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits of JSON that other servers send.
const (
	MaxDepth = 32
	MaxItems = 1000 // of one array, and members of one object
)

// ErrJSON is JSON that is not an object, is broken, too deep or too wide, or uses a keyword that we refuse.
var ErrJSON = errors.New("unacceptable JSON")

// Object parses one JSON object from a foreign server, within [MaxDepth] and [MaxItems]. A name that occurs twice is
// refused, since readers disagree on which counts, and so are the JSON-LD keywords that turn a document inside out.
func Object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	v, err := value(d, 0)
	if err != nil {
		if errors.Is(err, ErrJSON) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the object", ErrJSON)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: not an object", ErrJSON)
	}
	return m, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth++; depth > MaxDepth {
		return nil, fmt.Errorf("%w: more than %d levels", ErrJSON, MaxDepth)
	}
	if open == '[' {
		list := []any{}
		for d.More() {
			if len(list) == MaxItems {
				return nil, fmt.Errorf("%w: a list of more than %d", ErrJSON, MaxItems)
			}
			v, err := value(d, depth)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	m := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a name that is no text", ErrJSON)
		}
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("%w: %.60q occurs twice", ErrJSON, name)
		}
		switch name {
		case "@graph", "@reverse", "@included":
			return nil, fmt.Errorf("%w: %s", ErrJSON, name)
		}
		if len(m) == MaxItems {
			return nil, fmt.Errorf("%w: an object of more than %d", ErrJSON, MaxItems)
		}
		if m[name], err = value(d, depth); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return m, err
}
