package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// A CSV record longer than this is a quote that nobody closed.
const (
	maxRecord = 32 << 20 // bytes
	maxLines  = 1000
	maxReread = 4 << 30 // bytes read again behind malformed records, before the file is given up
)

// Problems of a CSV record as a whole. The reader goes on after each of them.
var (
	errQuote   = errors.New("a quote is not closed, or text follows the closing quote")
	errTooLong = errors.New("the record is longer than 32 MiB")
	errGiveUp  = errors.New("too many quotes that are not closed; the rest of the file cannot be read")
)

// csvReader splits CSV (RFC 4180) into records of raw bytes, whatever ASCII-compatible encoding they are in. It differs
// from encoding/csv in that a malformed record costs one record and not the rest of the file: reading goes on at the
// line after the one on which the bad record began. A quote inside an unquoted field is text. Lines end with LF, CRLF
// or CR.
type csvReader struct {
	src   *bufio.Reader
	comma byte

	pending []byte // bytes read from src and given back after a malformed record
	line    int    // number of the line that the next record begins on, from 1
	reread  int
	raw     []byte // of the current record
	fields  [][]byte
	buf     []byte
	ends    []int
}

func newCSVReader(src io.Reader, comma byte) *csvReader {
	b, ok := src.(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(src, 1<<16)
	}
	return &csvReader{src: b, comma: comma, line: 1}
}

func (r *csvReader) readByte() (byte, error) {
	if len(r.pending) > 0 {
		c := r.pending[0]
		r.pending = r.pending[1:]
		return c, nil
	}
	return r.src.ReadByte()
}

// peekIs reports whether the next byte is c.
func (r *csvReader) peekIs(c byte) bool {
	if len(r.pending) > 0 {
		return r.pending[0] == c
	}
	next, err := r.src.Peek(1)
	return err == nil && next[0] == c
}

// read returns the fields of the next record and the line on which it begins; they are valid until the next call.
// It skips empty lines. errQuote and errTooLong are about one record: the next call goes on behind it.
func (r *csvReader) read() (fields [][]byte, line int, err error) {
	for {
		line = r.line
		fields, err = r.record()
		if err == nil && len(fields) == 1 && len(bytes.TrimSpace(r.raw)) == 0 {
			continue // an empty line
		}
		return fields, line, err
	}
}

func (r *csvReader) record() ([][]byte, error) {
	const (
		fieldStart = iota
		plain
		quoted
		quoteInQuoted
	)
	r.raw, r.buf, r.ends = r.raw[:0], r.buf[:0], r.ends[:0]
	if cap(r.raw) > 1<<20 {
		r.raw, r.buf = nil, nil // one huge record must not stay in memory
	}
	state, lines := fieldStart, 0
	for {
		c, err := r.readByte()
		if err == io.EOF {
			switch {
			case len(r.raw) == 0:
				return nil, io.EOF
			case state == quoted:
				return nil, r.resync(errQuote)
			}
			return r.finish(lines)
		}
		if err != nil {
			return nil, err
		}
		r.raw = append(r.raw, c)
		if len(r.raw) > maxRecord {
			return nil, r.resync(errTooLong)
		}
		newline := c == '\n' || c == '\r'
		if c == '\r' {
			if r.peekIs('\n') {
				if c, err = r.readByte(); err != nil {
					return nil, err
				}
				r.raw = append(r.raw, c)
			}
		}
		if newline {
			if lines++; lines > maxLines {
				return nil, r.resync(errQuote)
			}
		}
		switch state {
		case fieldStart, plain:
			switch {
			case newline:
				return r.finish(lines)
			case c == r.comma:
				r.ends = append(r.ends, len(r.buf))
				state = fieldStart
			case c == '"' && state == fieldStart:
				state = quoted
			default:
				r.buf = append(r.buf, c)
				state = plain
			}
		case quoted:
			switch {
			case c == '"':
				state = quoteInQuoted
			case newline:
				r.buf = append(r.buf, '\n')
			default:
				r.buf = append(r.buf, c)
			}
		case quoteInQuoted:
			switch {
			case c == '"':
				r.buf = append(r.buf, '"')
				state = quoted
			case c == r.comma:
				r.ends = append(r.ends, len(r.buf))
				state = fieldStart
			case newline:
				return r.finish(lines)
			case c == ' ' || c == '\t': // spaces between the closing quote and the separator do no harm
			default:
				return nil, r.resync(errQuote)
			}
		}
	}
}

func (r *csvReader) finish(lines int) ([][]byte, error) {
	r.line += lines
	r.ends = append(r.ends, len(r.buf))
	r.fields = r.fields[:0]
	start := 0
	for _, end := range r.ends {
		r.fields = append(r.fields, r.buf[start:end:end])
		start = end
	}
	return r.fields, nil
}

// resync gives back everything behind the first line of the current record.
func (r *csvReader) resync(err error) error {
	first := bytes.IndexByte(r.raw, '\n')
	if first < 0 {
		first = bytes.IndexByte(r.raw, '\r')
	}
	if first < 0 { // the bad record has not even ended its first line: skip to the end of it
		for {
			if c, rerr := r.readByte(); rerr != nil || c == '\n' {
				break
			}
		}
		r.line++
		return err
	}
	rest := append([]byte(nil), r.raw[first+1:]...)
	if r.reread += len(rest); r.reread > maxReread {
		return errGiveUp
	}
	r.pending = append(rest, r.pending...)
	r.line++
	return err
}
