package directory

import (
	"reflect"
	"strings"
	"testing"
)

func TestLanguageTag(t *testing.T) {
	for said, want := range map[string]string{
		"fr": "fr", "FR": "fr", "pt_br": "pt-BR", "iw": "he", "zh-min-nan": "nan", "x-a": "x-a",
		"": "", "und": "", "zz-": "", "français": "", "de-" + strings.Repeat("a", 100): "", "x-" + strings.Repeat("aaaaaaaa-", 11) + "a": "",
		"sr-1994-polyton-419": "", // the library makes "sr-polyton-1994-419" of it, and takes that for no tag
	} {
		if tag, ok := LanguageTag(said); tag != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", said, tag, ok)
		}
	}
	for _, unit := range []string{"en-t-en-", "aaaaaaaaa-", "-"} { // the test would not end in time if they were read
		if tag, ok := LanguageTag(strings.Repeat(unit, 1_000_000)); ok {
			t.Errorf("%.100q", tag)
		}
	}
}

// What Normalize made it leaves as it is, the same each time.
func TestNormalizeTwice(t *testing.T) {
	for range 20 {
		e := Entry{
			Tags: []string{"## x", "#\u2003y"}, Extra: map[string]string{"a ": "1", "a": "2", "b": " "}, Identifiers: map[string]string{"osm": " "},
			Translations: map[string]Translation{"he": {Name: "1"}, "iw": {Name: "2"}, " he": {Name: "3"}, "en": {Name: " "}},
		}
		want := Entry{Tags: []string{"x", "y"}, Extra: map[string]string{"a": "1"}, Identifiers: nil, Translations: map[string]Translation{"he": {Name: "2"}}}
		for range 2 {
			if Normalize(&e); !reflect.DeepEqual(e, want) {
				t.Fatalf("%+v, want %+v", e, want)
			}
		}
	}
}
