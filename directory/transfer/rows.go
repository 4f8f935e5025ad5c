package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

var separatorNames = map[byte]string{',': "comma", ';': "semicolon", '\t': "tab", '|': "bar"}

// csvRows reads the rows of a CSV file.
type csvRows struct {
	r       *csvReader
	charset *charset
	cols    []Column
	ids     []int // indexes of the columns that identify a record
	number  int
}

// openCSV reads the header. Without one column that is understood, an import could only guess.
func openCSV(f *opened, m *Mapping, b *builder, report *Report) (*csvRows, error) {
	sample, _ := f.Peek(sampleSize)
	comma := m.comma()
	if first, rest, ok := bytes.Cut(sample, []byte("\n")); ok { // Excel's way of naming the separator
		first = bytes.TrimRight(first, "\r")
		if len(first) == 5 && strings.EqualFold(string(first[:4]), "sep=") {
			if comma == 0 {
				comma = first[4]
			}
			if _, err := f.Discard(len(sample) - len(rest)); err != nil {
				return nil, err
			}
			sample = rest
		}
	}
	if comma == 0 {
		comma = guessSeparator(sample)
	}
	report.Separator = separatorNames[comma]
	s := &csvRows{r: newCSVReader(f.Reader, comma), charset: &f.charset}
	fields, line, err := s.r.read()
	switch {
	case err == io.EOF:
		return nil, errors.New("the file is empty")
	case err != nil:
		return nil, fmt.Errorf("the header on line %d: %w", line, err)
	}
	header := make([]string, len(fields))
	for i, raw := range fields {
		name, ok := s.charset.text(raw)
		if !ok || strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("the header on line %d: column %d is not text", line, i+1)
		}
		header[i] = strings.TrimSpace(unguard(name))
	}
	rec := newRecogniser(m)
	s.cols = rec.columns(header)
	has := func(field string) bool {
		return slices.ContainsFunc(s.cols, func(c Column) bool { return c.Field == field })
	}
	if !has("name") {
		return nil, fmt.Errorf("no column is the name of the entry (separator %s, columns %s); say in a mapping which one is", report.Separator, quoteAll(header))
	}
	b.own = has("id") && has("kind") && has("version") && has("slug")
	for _, name := range m.ID {
		i := slices.IndexFunc(header, func(h string) bool { return headerKey(h) == headerKey(name) })
		if i < 0 {
			return nil, fmt.Errorf("the mapping's id column %q is not in the file (columns %s)", name, quoteAll(header))
		}
		s.ids = append(s.ids, i)
	}
	for name := range m.Columns {
		if !slices.ContainsFunc(header, func(h string) bool { return headerKey(h) == headerKey(name) }) {
			report.warn(Issue{Field: name, Code: "unknown", Text: "the mapping names a column that the file does not have"})
		}
	}
	return s, nil
}

func quoteAll(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i == 30 {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", excerpt(n))
	}
	return b.String()
}

func (s *csvRows) columns() []Column { return s.cols }

func (s *csvRows) next() (*row, error) {
	fields, line, err := s.r.read()
	for err == nil && blank(fields) { // spreadsheets leave many behind the last record
		s.number++
		fields, line, err = s.r.read()
	}
	if err == io.EOF {
		return nil, err
	}
	s.number++
	fail := func(code, value, text string) error {
		return &rowError{row: s.number, line: line, code: code, value: value, text: text}
	}
	switch {
	case errors.Is(err, errQuote):
		return nil, fail(CodeQuotes, "", err.Error())
	case errors.Is(err, errTooLong):
		return nil, fail("too_long", "", err.Error())
	case err != nil:
		return nil, err
	}
	for len(fields) > len(s.cols) && len(bytes.TrimSpace(fields[len(fields)-1])) == 0 {
		fields = fields[:len(fields)-1] // empty fields behind the last column do no harm
	}
	if len(fields) != len(s.cols) {
		first, _ := s.charset.text(fields[0])
		return nil, fail(CodeRagged, first, fmt.Sprintf("has %d fields, the header has %d; the row begins with", len(fields), len(s.cols)))
	}
	r := &row{number: s.number, line: line, cells: make([]cell, len(fields))}
	for i, raw := range fields {
		text, ok := s.charset.text(raw)
		if !ok {
			return nil, fail(CodeEncoding, string(raw), fmt.Sprintf("%s is not %s text", s.cols[i].Name, s.charset))
		}
		if strings.Contains(text, "\ufffd") && strings.Contains(string(raw), "\ufffd") {
			return nil, fail(CodeEncoding, text, s.cols[i].Name+" holds characters that were lost before (U+FFFD)")
		}
		r.cells[i] = cell{&s.cols[i], text}
		if strings.TrimSpace(text) != "" {
			s.cols[i].Filled++
		}
	}
	for _, i := range s.ids {
		r.idParts = append(r.idParts, strings.TrimSpace(r.cells[i].value))
	}
	return r, nil
}

func blank(fields [][]byte) bool {
	for _, f := range fields {
		if len(bytes.TrimSpace(f)) > 0 {
			return false
		}
	}
	return true
}
