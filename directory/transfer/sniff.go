package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Format is the form of a file.
type Format string

// The forms that an import reads.
const (
	CSV     Format = "csv"
	GeoJSON Format = "geojson"  // a FeatureCollection or one Feature (RFC 7946)
	Lines   Format = "geojsonl" // one Feature a line, also with the record separators of RFC 8142
)

// sampleSize is how much of a file is looked at to find out what it is.
const sampleSize = 256 << 10

// charset is how the bytes of a file become text.
type charset int

const (
	undecided charset = iota // only ASCII so far: the first record with other bytes decides
	utf8Text
	windows1252
)

func (c charset) String() string {
	if c == windows1252 {
		return "windows-1252"
	}
	return "utf-8"
}

// text decodes b, or reports false when b is not text in the charset.
func (c *charset) text(b []byte) (string, bool) {
	ascii := true
	for _, x := range b {
		if x >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return string(b), true
	}
	if *c == undecided {
		*c = utf8Text
		if !utf8.Valid(b) {
			*c = windows1252
		}
	}
	if *c == utf8Text {
		return string(b), utf8.Valid(b)
	}
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	return string(s), err == nil
}

// guessCharset weighs UTF-8 sequences against bytes that are none. A few broken sequences do not make a UTF-8 file
// Windows-1252, and a Windows-1252 file has hardly a sequence that happens to be valid UTF-8.
func guessCharset(sample []byte) charset {
	valid, broken := 0, 0
	for i := 0; i < len(sample); {
		if sample[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !utf8.FullRune(sample[i:]) {
			break // cut by the end of the sample
		}
		r, n := utf8.DecodeRune(sample[i:])
		if r == utf8.RuneError && n == 1 {
			broken++
		} else {
			valid++
		}
		i += n
	}
	switch {
	case valid == 0 && broken == 0:
		return undecided
	case broken > valid:
		return windows1252
	}
	return utf8Text
}

// opened is a file whose form is known.
type opened struct {
	*bufio.Reader
	format  Format
	charset charset
	label   string // the encoding as people name it
	counter *counter
}

// counter counts the bytes read from a file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// open finds out the encoding and, unless format says it, the form of r.
func open(r io.Reader, format Format, encoding string) (*opened, error) {
	f := &opened{counter: &counter{r: r}}
	src := bufio.NewReaderSize(f.counter, sampleSize)
	sample, err := src.Peek(sampleSize)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, fmt.Errorf("read: %w", err)
	}
	switch enc := strings.ToLower(encoding); {
	case enc != "" && enc != "utf-8" && enc != "utf8" && enc != "windows-1252" && enc != "cp1252" && enc != "latin1" && enc != "iso-8859-1" && enc != "utf-16":
		return nil, fmt.Errorf("encoding %.40q: want utf-8, utf-16 or windows-1252", encoding)
	case bytes.HasPrefix(sample, []byte{0xff, 0xfe}), bytes.HasPrefix(sample, []byte{0xfe, 0xff}), enc == "utf-16":
		// Unpaired surrogates become U+FFFD, which rows with broken text are refused for.
		decoder := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
		src = bufio.NewReaderSize(transform.NewReader(src, decoder), sampleSize)
		f.charset, f.label = utf8Text, "utf-16"
	case bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")):
		if _, err := src.Discard(3); err != nil {
			return nil, err
		}
		f.charset, f.label = utf8Text, "utf-8 with BOM"
	case strings.HasPrefix(enc, "utf"):
		f.charset, f.label = utf8Text, "utf-8"
	case enc != "":
		f.charset, f.label = windows1252, "windows-1252"
	default:
		f.charset = guessCharset(sample)
		f.label = f.charset.String()
	}
	f.Reader = src
	if f.format = format; format == "" {
		sample, _ = src.Peek(sampleSize)
		f.format = guessFormat(sample)
	}
	return f, nil
}

func guessFormat(sample []byte) Format {
	s := bytes.TrimLeft(sample, " \t\r\n\x1e")
	if len(s) == 0 || s[0] != '{' && s[0] != '[' {
		return CSV
	}
	first, rest, more := bytes.Cut(s, []byte("\n"))
	var head struct {
		Type string `json:"type"`
	}
	if more && len(bytes.TrimSpace(rest)) > 0 && json.Unmarshal(bytes.TrimRight(first, "\r\x1e"), &head) == nil && head.Type == "Feature" {
		return Lines
	}
	return GeoJSON
}

// separators in the order in which they win a draw.
var separators = []byte{',', ';', '\t', '|'}

// guessSeparator takes the separator that cuts the most records of the sample into as many fields as the header.
func guessSeparator(sample []byte) byte {
	whole := len(sample) < sampleSize
	best, bestScore := byte(','), 0
	for _, sep := range separators {
		r := newCSVReader(bytes.NewReader(sample), sep)
		var counts []int
		for len(counts) < 100 {
			fields, _, err := r.read()
			if err == io.EOF {
				break
			}
			if err != nil {
				continue
			}
			counts = append(counts, len(fields))
		}
		if !whole && len(counts) > 2 && len(counts) < 100 {
			counts = counts[:len(counts)-1] // cut by the end of the sample
		}
		if len(counts) == 0 || counts[0] < 2 {
			continue
		}
		same := 0
		for _, n := range counts {
			if n == counts[0] {
				same++
			}
		}
		if score := same*1000/len(counts)*1000 + counts[0]; score > bestScore {
			best, bestScore = sep, score
		}
	}
	return best
}
