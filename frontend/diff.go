package frontend

import (
	"strings"
	"unicode"
)

// edit is a piece of text that stayed (0), came (+) or went (-).
type edit struct {
	op   byte
	text string
}

// diffLimit bounds the work of diffWords: longer texts are shown whole, before and after.
const diffLimit = 1500

// diffWords compares two texts word by word (longest common subsequence).
// Joined, what stayed and what went is a; what stayed and what came is b.
func diffWords(a, b string) []edit {
	x, y := words(a), words(b)
	var out []edit
	add := func(op byte, text string) {
		if text == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].op == op {
			out[n-1].text += text
			return
		}
		out = append(out, edit{op, text})
	}
	start := 0
	for start < len(x) && start < len(y) && x[start] == y[start] {
		add(0, x[start])
		start++
	}
	endX, endY := len(x), len(y)
	for endX > start && endY > start && x[endX-1] == y[endY-1] {
		endX--
		endY--
	}
	tail := strings.Join(x[endX:], "")
	x, y = x[start:endX], y[start:endY]
	if len(x) > diffLimit || len(y) > diffLimit {
		add('-', strings.Join(x, ""))
		add('+', strings.Join(y, ""))
		add(0, tail)
		return out
	}
	common := make([][]uint16, len(x)+1) // common[i][j]: length of the longest common subsequence of x[i:] and y[j:]
	for i := range common {
		common[i] = make([]uint16, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			add(0, x[i])
			i++
			j++
		case i < len(x) && (j == len(y) || common[i+1][j] >= common[i][j+1]):
			add('-', x[i])
			i++
		default:
			add('+', y[j])
			j++
		}
	}
	add(0, tail)
	return out
}

// words cuts a text into words with the space after them.
func words(s string) []string {
	var out []string
	start, inSpace := 0, false
	for i, r := range s {
		space := unicode.IsSpace(r)
		if inSpace && !space {
			out = append(out, s[start:i])
			start = i
		}
		inSpace = space
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}
