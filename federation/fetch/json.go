package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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
// Numbers are float64, as encoding/json has them.
func Object(b []byte) (map[string]any, error) {
	if !json.Valid(b) {
		return nil, fmt.Errorf("%w: not JSON", ErrJSON)
	}
	p := parser{b: b}
	p.space()
	if b[p.at] != '{' {
		return nil, fmt.Errorf("%w: not an object", ErrJSON)
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

// parser reads what is known to be valid JSON: an activity is read twice, and checking its grammar is not what limits it.
type parser struct {
	b  []byte
	at int
}

func (p *parser) space() {
	for p.b[p.at] == ' ' || p.b[p.at] == '\n' || p.b[p.at] == '\r' || p.b[p.at] == '\t' {
		p.at++
	}
}

// next takes one byte of punctuation, with the space before and after it.
func (p *parser) next() byte {
	p.space()
	c := p.b[p.at]
	p.at++
	p.space()
	return c
}

func (p *parser) value(depth int) (any, error) {
	switch c := p.b[p.at]; c {
	case '{', '[':
		if depth++; depth > MaxDepth {
			return nil, fmt.Errorf("%w: more than %d levels", ErrJSON, MaxDepth)
		}
		p.at++
		p.space()
		if c == '{' {
			return p.object(depth)
		}
		return p.list(depth)
	case '"':
		return p.text()
	case 't':
		p.at += 4
		return true, nil
	case 'f':
		p.at += 5
		return false, nil
	case 'n':
		p.at += 4
		return nil, nil
	}
	from := p.at
	for p.at < len(p.b) && strings.IndexByte("+-.0123456789Ee", p.b[p.at]) >= 0 {
		p.at++
	}
	n, err := strconv.ParseFloat(string(p.b[from:p.at]), 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return n, nil
}

func (p *parser) text() (string, error) {
	from := p.at
	plain := true
	for p.at++; p.b[p.at] != '"'; p.at++ {
		if c := p.b[p.at]; c == '\\' {
			plain = false
			p.at++
		} else if c >= utf8.RuneSelf {
			plain = false
		}
	}
	p.at++
	if plain {
		return string(p.b[from+1 : p.at-1]), nil
	}
	var s string
	if err := json.Unmarshal(p.b[from:p.at], &s); err != nil {
		return "", fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return s, nil
}

func (p *parser) list(depth int) (any, error) {
	list := []any{}
	if p.b[p.at] == ']' {
		p.at++
		return list, nil
	}
	for {
		if len(list) == MaxItems {
			return nil, fmt.Errorf("%w: a list of more than %d", ErrJSON, MaxItems)
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		p.space()
		if p.b[p.at] == ']' { // nothing may follow it, not even a byte
			p.at++
			return list, nil
		}
		p.next()
	}
}

func (p *parser) object(depth int) (any, error) {
	m := map[string]any{}
	if p.b[p.at] == '}' {
		p.at++
		return m, nil
	}
	for {
		name, err := p.text()
		if err != nil {
			return nil, err
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
		p.next()
		if m[name], err = p.value(depth); err != nil {
			return nil, err
		}
		p.space()
		if p.b[p.at] == '}' {
			p.at++
			return m, nil
		}
		p.next()
	}
}
