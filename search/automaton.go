package search

import "unicode/utf8"

// Automaton is a Levenshtein automaton with transpositions over bytes, for the term dictionaries of the index. It counts
// how far a term, or with prefix the beginning of a term, is from a word. It is not safe for concurrent use.
//
// A state is the last two rows of the dynamic programme and the byte between them; states are made when first needed.
type Automaton struct {
	word   string
	max    int
	prefix bool
	states []state
	known  map[string]int
	buf    []byte
}

type state struct {
	row, before []uint8 // distances of the term read so far to each beginning of word; before the last byte
	last        byte
	least       uint8 // of row
	best        uint8 // least distance of any beginning of the term to the whole word
	next        map[byte]int
}

// NewAutomaton accepts terms at most max letters away from word, with prefix also terms that begin like that.
func NewAutomaton(word string, max int, prefix bool) *Automaton {
	t := &Automaton{word: word, max: max, prefix: prefix, known: map[string]int{}}
	row := make([]uint8, len(word)+1)
	for i := range row {
		row[i] = uint8(min(i, max+1))
	}
	t.states = append(t.states, state{}) // 0: dead
	t.add(state{row: row, best: row[len(word)]})
	return t
}

func (t *Automaton) add(s state) int {
	s.least = 255
	for _, d := range s.row {
		s.least = min(s.least, d)
	}
	if int(s.least) > t.max && !(t.prefix && int(s.best) <= t.max) {
		return 0
	}
	t.buf = append(append(append(t.buf[:0], s.row...), s.before...), s.last, s.best)
	if id, ok := t.known[string(t.buf)]; ok {
		return id
	}
	id := len(t.states)
	t.states = append(t.states, s)
	t.known[string(t.buf)] = id
	return id
}

// Start is the state before the first byte.
func (t *Automaton) Start() int { return 1 }

// IsMatch reports whether what led to the state is near enough.
func (t *Automaton) IsMatch(id int) bool { return id != 0 && t.distance(id) <= t.max }

// CanMatch reports whether something that begins like this may be near enough.
func (t *Automaton) CanMatch(id int) bool { return id != 0 }

// WillAlwaysMatch reports whether everything that begins like this is near enough.
func (t *Automaton) WillAlwaysMatch(id int) bool {
	return t.prefix && id != 0 && int(t.states[id].best) <= t.max
}

// Max is how many letters may be wrong.
func (t *Automaton) Max() int { return t.max }

// Word is what terms are compared with.
func (t *Automaton) Word() string { return t.word }

func (t *Automaton) distance(id int) int {
	s := &t.states[id]
	if t.prefix {
		return int(s.best)
	}
	return int(s.row[len(t.word)])
}

// Accept is the state after one more byte.
func (t *Automaton) Accept(id int, b byte) int {
	if id == 0 {
		return 0
	}
	s := &t.states[id]
	if to, ok := s.next[b]; ok {
		return to
	}
	over := uint8(t.max + 1)
	row := make([]uint8, len(s.row))
	row[0] = min(s.row[0]+1, over)
	for i := 1; i < len(row); i++ {
		d := min(s.row[i], row[i-1]) + 1
		if t.word[i-1] == b {
			d = min(d, s.row[i-1])
		} else {
			d = min(d, s.row[i-1]+1)
		}
		if i > 1 && s.before != nil && t.word[i-1] == s.last && t.word[i-2] == b {
			d = min(d, s.before[i-2]+1)
		}
		row[i] = min(d, over)
	}
	to := t.add(state{row: row, before: s.row, last: b, best: min(s.best, row[len(t.word)])})
	s = &t.states[id] // add may have moved it
	if s.next == nil {
		s.next = map[byte]int{}
	}
	s.next[b] = to
	return to
}

// Typos returns how many letters of term are wrong, max+1 when there are too many. A wrong first letter counts twice.
func (t *Automaton) Typos(term string) int {
	id := t.Start()
	for i := 0; i < len(term) && id != 0; i++ {
		id = t.Accept(id, term[i])
	}
	if id == 0 {
		return t.max + 1
	}
	d := t.distance(id)
	a, _ := utf8.DecodeRuneInString(term)
	b, _ := utf8.DecodeRuneInString(t.word)
	if a != b && d > 0 {
		d++
	}
	return d
}
