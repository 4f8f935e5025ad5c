package search

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/ca"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/eu"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/turkish"

	"archipel/directory"
)

// language is what is known of one: its stop words, and how it bends words. Both see folded words, so that somebody
// who types no accents gets the same as somebody who does.
type language struct {
	stop map[string]bool
	stem func(string) string
}

type source struct {
	stop []byte
	stem func(string) string
}

func filter(f analysis.TokenFilter) func(string) string {
	return func(w string) string {
		out := f.Filter(analysis.TokenStream{{Term: []byte(w)}})
		if len(out) == 0 {
			return w
		}
		return string(out[0].Term)
	}
}

func snowball(stem func(*snowballstem.Env) bool) func(string) string {
	return func(w string) string {
		env := snowballstem.NewEnv(w)
		stem(env)
		return env.Current()
	}
}

var languages = sync.OnceValue(func() map[string]*language {
	all := map[string]source{
		"ca": {ca.CatalanStopWords, nil},
		"da": {da.DanishStopWords, snowball(danish.Stem)},
		"de": {de.GermanStopWords, filter(de.NewGermanLightStemmerFilter())},
		"en": {en.EnglishStopWords, snowball(english.Stem)},
		"es": {es.SpanishStopWords, filter(es.NewSpanishLightStemmerFilter())},
		"eu": {eu.BasqueStopWords, nil},
		"fi": {fi.FinnishStopWords, snowball(finnish.Stem)},
		"fr": {fr.FrenchStopWords, filter(fr.NewFrenchLightStemmerFilter())},
		"hu": {hu.HungarianStopWords, snowball(hungarian.Stem)},
		"it": {it.ItalianStopWords, filter(it.NewItalianLightStemmerFilterFilter())},
		"nl": {nl.DutchStopWords, snowball(dutch.Stem)},
		"no": {no.NorwegianStopWords, snowball(norwegian.Stem)},
		"pt": {pt.PortugueseStopWords, filter(pt.NewPortugueseLightStemmerFilter())},
		"ro": {ro.RomanianStopWords, snowball(romanian.Stem)},
		"ru": {ru.RussianStopWords, snowball(russian.Stem)},
		"sv": {sv.SwedishStopWords, snowball(swedish.Stem)},
		"tr": {tr.TurkishStopWords, snowball(turkish.Stem)},
	}
	// Words of these lists that are names of things once their accents are gone: summer, planes, sound.
	never := map[string]bool{"ete": true, "avions": true, "son": true}
	m := map[string]*language{}
	for code, s := range all {
		l := &language{stop: map[string]bool{}, stem: s.stem}
		for line := range strings.Lines(string(s.stop)) {
			line, _, _ = strings.Cut(line, "|")
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for w := range strings.FieldsSeq(line) {
				if w = directory.Fold(w); w != "" && !strings.Contains(w, " ") && !never[w] {
					l.stop[w] = true
				}
			}
		}
		m[code] = l
	}
	for _, w := range []string{"les", "chez", "sous", "sur", "lez"} { // of town names as well: Saint-Denis-lès-Bourg
		m["fr"].stop[w] = true
	}
	return m
})

// primary is the language of a BCP 47 tag without script and region.
func primary(tag string) string {
	tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
	switch tag {
	case "nb", "nn":
		return "no"
	}
	return tag
}

// StopWords returns the stop words of a language, folded, in no order.
func StopWords(lang string) []string {
	l := languages()[primary(lang)]
	if l == nil {
		return nil
	}
	words := make([]string, 0, len(l.stop))
	for w := range l.stop {
		words = append(words, w)
	}
	return words
}

// isStop reports whether a folded word carries no meaning of its own: the long and short stop words of lang, and the
// short ones of French and English, in which many people type whatever their browser says.
func isStop(lang, w string) bool {
	all := languages()
	if l := all[lang]; l != nil && l.stop[w] {
		return true
	}
	return len(w) <= 3 && (all["fr"].stop[w] || all["en"].stop[w])
}

// stemmed returns the stem of a folded word, which may be the word itself.
func stemmed(lang, w string) string {
	l := languages()[lang]
	if l == nil || l.stem == nil || len(w) < 3 || hasDigit(w) {
		return w
	}
	s := l.stem(w)
	if utf8.RuneCountInString(s) < 2 {
		return w
	}
	return s
}

func hasDigit(w string) bool { return strings.ContainsAny(w, "0123456789") }

// alternates are other spellings of a whole word.
func alternates(w string) []string {
	switch w {
	case "st":
		return []string{"saint"}
	case "ste":
		return []string{"sainte"}
	case "saint":
		return []string{"st"}
	case "sainte":
		return []string{"ste"}
	case "asso", "assoc":
		return []string{"association"}
	case "association":
		return []string{"asso", "assoc"}
	case "bd":
		return []string{"boulevard"}
	case "boulevard":
		return []string{"bd"}
	case "av":
		return []string{"avenue"}
	case "avenue":
		return []string{"av"}
	case "fg", "fbg":
		return []string{"faubourg"}
	case "faubourg":
		return []string{"fg", "fbg"}
	}
	return nil
}

// Synonyms are the spellings that count as equal, each with what it also finds; for engines that want a table.
func Synonyms() map[string][]string {
	m := map[string][]string{}
	for _, w := range []string{"st", "ste", "saint", "sainte", "asso", "assoc", "association", "bd", "boulevard", "av", "avenue", "fg", "fbg", "faubourg"} {
		m[w] = alternates(w)
	}
	return m
}
