package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"archipel/directory"
)

// maxFeature is the largest feature that is read, in bytes.
const maxFeature = 64 << 20

// features reads the features of a GeoJSON file one at a time.
type features struct {
	charset *charset
	lines   *lineReader   // one feature a line
	dec     *json.Decoder // else
	guard   *featureGuard
	started bool
	array   bool
	done    bool

	rec     *recogniser
	mapping *Mapping
	order   []string
	cols    map[string]*Column
	number  int
}

// featureGuard ends reading when one feature has no end.
type featureGuard struct {
	r     io.Reader
	read  int64
	limit int64
}

var errHuge = errors.New("a feature is larger than 64 MiB")

func (g *featureGuard) Read(p []byte) (int, error) {
	if g.read > g.limit {
		return 0, errHuge
	}
	n, err := g.r.Read(p)
	g.read += int64(n)
	return n, err
}

func openGeoJSON(f *opened, m *Mapping, b *builder) *features {
	s := &features{charset: &f.charset, rec: newRecogniser(m), mapping: m, cols: map[string]*Column{}}
	b.own = false
	if f.format == Lines {
		s.lines = &lineReader{r: f.Reader}
		return s
	}
	s.guard = &featureGuard{r: f.Reader, limit: maxFeature}
	s.dec = json.NewDecoder(s.guard)
	return s
}

// columns returns the properties in the order in which they were first met.
func (s *features) columns() []Column {
	out := make([]Column, len(s.order))
	for i, name := range s.order {
		out[i] = *s.cols[name]
	}
	return out
}

func (s *features) next() (*row, error) {
	if s.lines != nil {
		return s.nextLine()
	}
	raw, err := s.nextFeature()
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file ends in the middle")
		}
		return nil, fmt.Errorf("broken GeoJSON near byte %d, after %d features: %w", s.dec.InputOffset(), s.number, err)
	}
	s.number++
	s.guard.limit = s.dec.InputOffset() + maxFeature
	return s.row(raw, 0)
}

func (s *features) nextLine() (*row, error) {
	for {
		line, number, err := s.lines.next()
		if err != nil && !errors.Is(err, errHuge) {
			return nil, err
		}
		if err == nil {
			if line = bytes.Trim(line, " \t\r\n\x1e"); len(line) == 0 {
				continue
			}
		}
		s.number++
		if err != nil {
			return nil, &rowError{s.number, number, directory.CodeTooLong, "", err.Error()}
		}
		return s.row(line, number)
	}
}

// nextFeature walks to the next element of "features", or returns the one Feature of the file.
func (s *features) nextFeature() (json.RawMessage, error) {
	if s.done {
		return nil, io.EOF
	}
	if !s.started {
		s.started = true
		found, err := s.open()
		if err != nil || found != nil {
			s.done = true
			return found, err
		}
	}
	if s.dec.More() {
		var raw json.RawMessage
		err := s.dec.Decode(&raw)
		return raw, eof(err)
	}
	s.done = true
	if _, err := s.dec.Token(); err != nil { // ]
		return nil, eof(err)
	}
	if s.array {
		return nil, io.EOF
	}
	for s.dec.More() { // members behind "features"
		var name string
		if t, err := s.dec.Token(); err != nil {
			return nil, eof(err)
		} else {
			name, _ = t.(string)
		}
		var v json.RawMessage
		if err := s.dec.Decode(&v); err != nil {
			return nil, eof(err)
		}
		if err := checkMember(name, v); err != nil {
			return nil, err
		}
	}
	if _, err := s.dec.Token(); err != nil { // }
		return nil, eof(err)
	}
	return nil, io.EOF
}

func eof(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// open reads up to the first feature; a file that is one Feature is returned whole.
func (s *features) open() (json.RawMessage, error) {
	t, err := s.dec.Token()
	if err == io.EOF {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, eof(err)
	}
	if t == json.Delim('[') {
		s.array = true
		return nil, nil
	}
	if t != json.Delim('{') {
		return nil, errors.New("want an object")
	}
	members := map[string]json.RawMessage{}
	for s.dec.More() {
		t, err := s.dec.Token()
		if err != nil {
			return nil, eof(err)
		}
		name, _ := t.(string)
		if name == "features" {
			t, err := s.dec.Token()
			if err != nil {
				return nil, eof(err)
			}
			if t != json.Delim('[') {
				return nil, errors.New(`"features" is no array`)
			}
			return nil, nil
		}
		var v json.RawMessage
		if err := s.dec.Decode(&v); err != nil {
			return nil, eof(err)
		}
		if err := checkMember(name, v); err != nil {
			return nil, err
		}
		members[name] = v
	}
	if _, err := s.dec.Token(); err != nil {
		return nil, eof(err)
	}
	if string(bytes.TrimSpace(members["type"])) == `"Feature"` {
		return json.Marshal(members)
	}
	return nil, fmt.Errorf("want a FeatureCollection or a Feature, found type %.40s", members["type"])
}

// checkMember refuses coordinates that are not WGS 84 (the crs member of GeoJSON before RFC 7946).
func checkMember(name string, v json.RawMessage) error {
	if name != "crs" || string(v) == "null" {
		return nil
	}
	s := strings.ToUpper(string(v))
	if strings.Contains(s, "CRS84") || strings.Contains(s, "4326") || strings.Contains(s, "4979") {
		return nil
	}
	return fmt.Errorf("coordinates are in %.80s, not in WGS 84: convert them first", v)
}

// row reads one feature. Its problems cost this feature only.
func (s *features) row(raw []byte, line int) (*row, error) {
	fail := func(code, value, text string) error {
		return &rowError{s.number, line, code, value, text}
	}
	if !utf8.Valid(raw) {
		text, ok := s.charset.text(raw)
		if !ok {
			return nil, fail(CodeEncoding, string(raw[:min(len(raw), 200)]), "is not UTF-8 text")
		}
		raw = []byte(text)
	}
	var f struct {
		Type       string                     `json:"type"`
		ID         json.RawMessage            `json:"id"`
		Geometry   directory.Shape            `json:"geometry"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fail(CodeSyntax, string(raw[:min(len(raw), 200)]), "broken feature: "+err.Error())
	}
	if f.Type != "Feature" {
		return nil, fail(CodeSyntax, f.Type, "is no Feature")
	}
	r := &row{number: s.number, line: line}
	points, reduced, err := sites(f.Geometry.Geometry)
	if err != nil {
		return nil, fail(directory.CodeInvalid, "", "geometry: "+err.Error())
	}
	r.points, r.reduced = points, reduced
	if s.ours(f.Properties) {
		e := &directory.Entry{}
		if err := json.Unmarshal(raw, e); err != nil {
			return nil, fail(CodeSyntax, "", "broken entry: "+err.Error())
		}
		if e.ID.Valid() {
			r.native = e
			return r, nil
		}
	}
	values := map[string]string{}
	flatten("", f.Properties, values, 0)
	if _, has := values["id"]; !has && len(f.ID) > 0 && string(f.ID) != "null" {
		values["id"] = scalar(f.ID)
	}
	s.cells(r, values)
	for _, name := range s.mapping.ID {
		for _, c := range r.cells {
			if headerKey(c.col.Name) == headerKey(name) {
				r.idParts = append(r.idParts, strings.TrimSpace(c.value))
				break
			}
		}
	}
	return r, nil
}

// ours reports whether an Archipel wrote the feature.
func (s *features) ours(p map[string]json.RawMessage) bool {
	if len(s.mapping.Columns) > 0 || p["version"] == nil || p["name"] == nil || p["created"] == nil {
		return false
	}
	return slices.Contains(directory.Kinds, directory.Kind(scalar(p["kind"])))
}

// cells gives each value its column. Of several properties for one single field the best name wins, feature by feature.
func (s *features) cells(r *row, values map[string]string) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	best, ranks := map[string]int{}, map[string]int{}
	for _, name := range names {
		c := s.cols[name]
		if c == nil {
			fresh, _ := s.rec.column(name)
			c = &fresh
			if len(s.cols) < 10_000 { // a file that makes up property names must not fill the memory
				s.cols[name] = c
				s.order = append(s.order, name)
			}
		}
		if strings.TrimSpace(values[name]) != "" {
			c.Filled++
		}
		if f := c.Field; f != "" && !target(f).multiple() {
			_, rank := s.rec.column(name)
			if i, taken := best[f]; taken {
				if rank >= ranks[f] && r.cells[i].value != "" {
					continue
				}
				r.cells[i] = cell{c, values[name]}
				ranks[f] = rank
				continue
			}
			best[f], ranks[f] = len(r.cells), rank
		}
		r.cells = append(r.cells, cell{c, values[name]})
	}
}

// flatten gives nested objects names with dots; arrays and what is deep inside stay JSON.
func flatten(prefix string, object map[string]json.RawMessage, out map[string]string, depth int) {
	for name, raw := range object {
		if prefix != "" {
			name = prefix + "." + name
		}
		if inner := (map[string]json.RawMessage{}); depth < 3 && len(raw) > 0 && raw[0] == '{' && json.Unmarshal(raw, &inner) == nil {
			if t := scalar(inner["type"]); t == "" || inner["coordinates"] == nil {
				flatten(name, inner, out, depth+1)
				continue
			}
		}
		out[name] = scalar(raw)
	}
}

// scalar returns a JSON value as a cell would have it.
func scalar(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if s := string(raw); len(s) < 30 && !strings.ContainsAny(s, "eE") {
			return s
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return string(raw)
}

// sites makes positions of a geometry: points as they are, of anything else its centre.
func sites(g orb.Geometry) (points []orb.Point, reduced bool, err error) {
	switch g := g.(type) {
	case nil:
		return nil, false, nil
	case orb.Point:
		return []orb.Point{g}, false, nil
	case orb.MultiPoint:
		return g, false, nil
	}
	// Not an equal-area centre, but inside what people draw as a building or a plot.
	defer func() {
		if recover() != nil {
			points, err = nil, errors.New("broken geometry")
		}
	}()
	if g.Bound().IsEmpty() {
		return nil, false, nil // empty coordinates mean no geometry (RFC 7946, section 3.1)
	}
	c, _ := planar.CentroidArea(g)
	if math.IsNaN(c[0]) || math.IsNaN(c[1]) || !g.Bound().Contains(c) {
		c = g.Bound().Center()
	}
	return []orb.Point{c}, true, nil
}

// lineReader reads lines of at most maxFeature bytes; a longer one is skipped.
type lineReader struct {
	r      *bufio.Reader
	whole  bool // a last line without a line break is an error: io.ErrUnexpectedEOF
	number int
	done   bool
}

func (l *lineReader) next() (line []byte, number int, err error) {
	if l.done {
		return nil, l.number, io.EOF
	}
	l.number++
	huge := false
	for {
		part, err := l.r.ReadSlice('\n')
		if !huge {
			line = append(line, part...)
		}
		if len(line) > maxFeature {
			huge, line = true, nil
		}
		switch {
		case err == nil:
		case err == io.EOF:
			l.done = true
			if len(line) == 0 && !huge {
				return nil, l.number, io.EOF
			}
			if l.whole {
				return nil, l.number, io.ErrUnexpectedEOF
			}
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		default:
			return nil, l.number, err
		}
		if huge {
			return nil, l.number, errHuge
		}
		return line, l.number, nil
	}
}
