package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// slow is what Object must agree with, token by token.
func slow(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	v, err := slowValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, ErrJSON
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, ErrJSON
	}
	return m, nil
}

func slowValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	open, ok := t.(json.Delim)
	if err != nil || !ok {
		return t, err
	}
	if depth++; depth > MaxDepth {
		return nil, ErrJSON
	}
	list, m := []any{}, map[string]any{}
	for d.More() {
		if open == '[' {
			v, err := slowValue(d, depth)
			if err != nil || len(list) == MaxItems {
				return nil, ErrJSON
			}
			list = append(list, v)
			continue
		}
		t, err := d.Token()
		name, ok := t.(string)
		if _, twice := m[name]; err != nil || !ok || twice || len(m) == MaxItems || name == "@graph" || name == "@reverse" || name == "@included" {
			return nil, ErrJSON
		}
		if m[name], err = slowValue(d, depth); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if open == '[' {
		return list, nil
	}
	return m, nil
}

var objects = []string{
	`{}`, ` { "a" : [ ] , "b":{} }\n`, `{"a":1.5e3,"b":-0,"c":"\\u00e9\\n\\"","d":[true,false,null,"x"],"é":{"f":[[[]]]}}`, `{"a":1}{}`, `[]`, `"x"`, `{"a":1,"a":2}`,
	`{"a":1,"\\u0061":2}`, `{"@graph":[]}`, `{"a":{"@rever\\u0073e":1}}`, `{"a":1e999}`, `{"a":01}`, `{"a":"\xff"}`, `{"a":"\\ud800"}`, `{"a"}`, ``, ` `, `{`, `{"a":[1,]}`,
	"{\"a\":\"\x01\"}", `{"a":12345678901234567890}`,
	`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
	`{"a":[` + strings.Repeat("1,", 999) + `1]}`, `{"a":[` + strings.Repeat("1,", 1000) + `1]}`,
}

func agree(t *testing.T, b []byte) {
	got, err := Object(b)
	want, wantErr := slow(b)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%.200q: %v, %v; token by token it is %v, %v", b, got, err, want, wantErr)
	}
	if err != nil && !errors.Is(err, ErrJSON) {
		t.Errorf("%.200q: %v is no ErrJSON", b, err)
	}
}

func TestObjects(t *testing.T) {
	for _, o := range objects {
		agree(t, []byte(o))
	}
}

func FuzzParser(f *testing.F) {
	for _, o := range objects {
		f.Add([]byte(o))
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}
