package geo

import (
	"strings"
	"testing"

	"archipel/directory"
)

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "L’Établi – Œuvre", " «Café» ", "ŀa", "e\u0301a", "ﬁn", "½ 1/2", "ÅB\u030a", "İstanbul", "東京", "\xff", "ª²", "a\u00adb", "\u2028x\u200by"} {
		f.Add(s)
	}
	for r := rune(0); r < 0x2100; r++ {
		f.Add("a" + string(r) + "b" + string(r))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendFold([]byte("x"), s)), "x"+directory.Fold(s); got != want {
			t.Errorf("%q folds to %q, want %q", s, got, want)
		}
	})
}

func TestFoldKeepsCommonTextFast(t *testing.T) {
	text := "L’Épicerie « À la Fourmilière » – Saint-Étienne, Œuvre n° 1"
	buffer := make([]byte, 0, 2*len(text))
	if n := testing.AllocsPerRun(10, func() { buffer = appendFold(buffer[:0], strings.ReplaceAll(text, "°", "")) }); n > 1 {
		t.Errorf("folding took %v allocations", n)
	}
}
