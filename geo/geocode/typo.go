package geocode

import "unicode/utf8"

// minTypo is the shortest text, in bytes, in which one wrong letter is forgiven; in
// the first letter only from one more.
const minTypo = 4

// typos offers what starts with the reading's name but for one letter: missing,
// added, changed, or swapped with the next. It walks the sorted keys as the trie that
// they are: at each position the keys that share what was typed so far
// are tried with every letter that really follows.
func (l *lookup) typos(r reading) {
	text := []byte(r.name)
	if len(text) < minTypo || digitsOnly(r.name) {
		return
	}
	d := l.g.d
	lo, hi := 0, len(d.KeyOff)
	try := func(lo, hi int, typed []byte, at int) {
		if lo, hi = d.PrefixRange(lo, hi, typed, at); lo < hi {
			l.offerRange(lo, hi, len(typed), r, scoreTypo)
		}
	}
	changed := make([]byte, 0, len(text)+utf8.UTFMax)
	for i := range text {
		if i > 0 || len(text) > minTypo {
			// A letter added: go on without it.
			if i+1 < len(text) {
				changed = append(append(changed[:0], text[:i]...), text[i+1:]...)
				try(lo, hi, changed, i)
			}
			// Two letters swapped.
			if i+1 < len(text) && text[i] != text[i+1] {
				changed = append(changed[:0], text...)
				changed[i], changed[i+1] = changed[i+1], changed[i]
				try(lo, hi, changed, i)
			}
			l.branch(lo, hi, i, func(letter []byte, a, b int) {
				if letter[0] != text[i] { // changed
					changed = append(append(append(changed[:0], text[:i]...), letter...), text[i+1:]...)
					if rest := i + 1; rest < len(text) {
						try(a, b, changed, i+len(letter))
					}
				}
				// missing
				changed = append(append(append(changed[:0], text[:i]...), letter...), text[i:]...)
				try(a, b, changed, i+len(letter))
			})
		}
		if lo, hi = d.PrefixRange(lo, hi, text[:i+1], i); lo == hi {
			return
		}
	}
}

// branch visits each letter that follows, at byte n, in the keys [lo, hi), with
// its keys.
func (l *lookup) branch(lo, hi, n int, visit func(letter []byte, lo, hi int)) {
	d := l.g.d
	for lo < hi {
		if d.ByteAt(lo, n) == 0 {
			// The keys that end here come first.
			a, b := lo, hi
			for a < b {
				if m := int(uint(a+b) >> 1); d.ByteAt(m, n) == 0 {
					a = m + 1
				} else {
					b = m
				}
			}
			lo = a
			continue
		}
		key := d.Key(lo)[n:]
		_, size := utf8.DecodeRune(key)
		letter := key[:size]
		whole := d.Key(lo)[:n+size]
		_, end := d.PrefixRange(lo, hi, whole, n)
		visit(letter, lo, end)
		lo = end
	}
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
