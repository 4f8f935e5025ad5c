package transfer

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/directory/hours"
)

// maker makes valid entries with awkward contents. full fills every field that the kind has.
type maker struct {
	*rand.Rand
	full bool
}

var awkward = []string{
	"é, ü; ß | \"quoted\" 'single'", "=SUM(A1:A9)", "+33 4", "-5", "@name", "'=quoted", "''-twice", "[brackets]", "{\"json\": 1}", "null", "n/a", "-", "--",
	"日本語 🌻", "a\\nb", "<b>&amp;</b>", "0", "00000", "1e5", "x;y;z", "one", "trailing,", "1 rue de la Paix, 75002 Paris", "%41", "—", "http://a b", "oui", "Événement", "place",
}

func (m maker) maybe() bool { return m.full || m.IntN(3) > 0 }

func (m maker) line(field string) string {
	if !m.maybe() {
		return ""
	}
	return awkward[m.IntN(len(awkward))] + " " + field
}

// raw returns an awkward value as it is, without anything that makes it harmless.
func (m maker) raw() string { return awkward[m.IntN(len(awkward))] }

func (m maker) text() string {
	if !m.maybe() {
		return ""
	}
	return m.raw() + "\n\n* " + m.raw() + "\n\t" + m.raw() + "x"
}

func (m maker) url() string {
	return fmt.Sprintf("https://example.org/%d?a=b;c,d&e=%%20#f|%d", m.IntN(1e6), m.IntN(1e6))
}

func (m maker) time() time.Time {
	zone := time.FixedZone("", m.IntN(5)*3600)
	return time.Date(2027, time.Month(1+m.IntN(12)), 1+m.IntN(28), m.IntN(24), m.IntN(60), m.IntN(60), m.IntN(1000)*1e6, zone)
}

func (m maker) point() orb.Point {
	return orb.Point{float64(m.IntN(3_600_000_000)-1_800_000_000) / 1e7, float64(m.IntN(1_800_000_000)-900_000_000) / 1e7}
}

func (m maker) list(field string) []string {
	if !m.maybe() {
		return nil
	}
	out := []string{m.raw() + field, m.raw()}
	return out[:1+m.IntN(2)]
}

func (m maker) table(keys []string, field string) map[string]string {
	if !m.maybe() {
		return nil
	}
	t := map[string]string{}
	for _, k := range keys {
		if m.full || m.IntN(2) > 0 {
			t[k] = m.raw() + field
		}
	}
	return t
}

func pick[T any](m maker, list ...T) T { return list[m.IntN(len(list))] }

func (m maker) entry(kind directory.Kind, n int) directory.Entry {
	e := directory.Entry{
		ID: directory.NewID(), Kind: kind, Name: fmt.Sprintf("%s %d", m.raw(), n), Slug: fmt.Sprintf("slug-%d", n), Aliases: []string{fmt.Sprintf("alias-%d", n), fmt.Sprintf("old-%d", n)},
		Summary: m.line("s"), Description: m.text(), Tags: m.list("tag"), OpeningHours: hours.Quote(m.line("h")), Status: directory.Published,
		Accessibility: m.table(directory.AccessibilityKeys, "a"), Identifiers: m.table(directory.IdentifierKeys, "i"),
		Extra: m.table([]string{"Clé, 1", "b=c", "x.y"}, "x"), Created: m.time().UTC(), Licence: pick(m, "ODbL-1.0", "etalab-2.0", "LicenseRef-x"),
		Private: &directory.Private{Email: "secret@example.org", Owners: []string{"alice"}},
	}
	if m.maybe() {
		e.Lang = pick(m, "fr", "en", "oc")
		e.Translations = map[string]directory.Translation{"de": {Name: m.raw() + "n", Summary: m.line("s"), Description: m.text() + "d"}, "br": {Name: "x"}}
		e.Categories = []string{"food.amap", pick(m, "fablab", "a/b", "x:y")}
		e.Approximate = true
		e.Checked = m.time()
	}
	if m.maybe() {
		e.Sites = []orb.Point{m.point(), m.point(), m.point()}[:1+m.IntN(3)]
	}
	if m.maybe() {
		e.Area = &directory.Area{Zones: []string{"FR-42", "fr:epci/24"}, Shape: &directory.Shape{Geometry: orb.Polygon{{{4, 45}, {5, 45}, {5, 46}, {4, 45}}}}}
		e.Address = &directory.Address{Street: m.line("st"), PostalCode: m.raw(), Locality: m.line("l"), Region: m.line("r"), Country: "FR", Code: m.raw()}
		e.Contact = &directory.Contact{Name: m.line("c"), Email: "a.b+c@example.org", Phone: pick(m, "+33 4 77 00 00 00", "0477000000", "(04) 77", "+33477000000"), Website: m.url()}
		e.Links = []directory.Link{{Rel: "mastodon", URL: m.url(), Title: m.line("t")}, {URL: "mailto:x@example.org"}}
		e.Images = []directory.Image{{URL: m.url(), Alt: m.line("alt"), Licence: "CC0-1.0", Credit: m.line("cr"), Width: 640, Height: 480}}
		e.Relations = []directory.Relation{{Rel: "memberOf", Target: directory.NewID()}, {Rel: "sameAs", Target: directory.NewID()}}
		e.Source = &directory.Source{Name: m.raw() + "src", URL: m.url(), ExternalID: fmt.Sprintf("%s%d", m.raw(), n)}
	}
	if kind == directory.Event {
		s := m.time()
		e.Event = &directory.Schedule{Start: s, State: pick(m, directory.Cancelled, directory.Postponed)}
		if m.maybe() {
			e.Event = &directory.Schedule{
				Start: s, End: s.Add(25 * time.Hour), AllDay: true, Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY;BYDAY=MO,TU;COUNT=9", ExDates: []time.Time{m.time(), m.time()}, RDates: []time.Time{m.time()},
				Overrides: []directory.Occurrence{{Original: s, Start: m.time(), State: directory.Cancelled}, {Original: s, Start: s, End: s.Add(time.Hour)}}, State: directory.MovedOnline, AttendanceURL: m.url(), RegisterURL: m.url(), Price: m.line("p"), Languages: []string{"fr", "br"},
			}
		}
	}
	return e
}

// public returns what anybody may see of an entry and what does not belong to the instance that it is in.
func public(e directory.Entry) map[string]any {
	m := map[string]any{}
	for _, f := range fields {
		if !f.empty(&e) {
			m[f.name] = f.get(&e)
		}
	}
	m["id"], m["slug"], m["aliases"], m["created"] = e.ID, e.Slug, join(e.Aliases), instant(e.Created)
	return m
}

// Whatever an entry holds, an export imported elsewhere brings it: every public field, in every format.
func TestExportThenImportLosesNothing(t *testing.T) {
	formats := map[string]func(io.Writer) Writer{
		"CSV": func(w io.Writer) Writer { return NewCSV(w, ExportOptions{}) },
		"CSV semicolon": func(w io.Writer) Writer {
			return NewCSV(w, ExportOptions{Separator: ';', BOM: true, Page: func(*directory.Entry) string { return "https://here.example/x" }})
		},
		"CSV tab": func(w io.Writer) Writer { return NewCSV(w, ExportOptions{Separator: '\t'}) },
		"GeoJSON": func(w io.Writer) Writer {
			return NewGeoJSON(w, ExportOptions{Members: map[string]any{"title": "x", "numberMatched": 3}})
		},
	}
	for seed := range uint64(3) {
		m := maker{Rand: rand.New(rand.NewPCG(seed, 7)), full: seed == 0}
		from := newDirectory(t)
		var entries []directory.Entry
		for n := range 60 {
			entries = append(entries, m.entry(directory.Kinds[n%4], n))
		}
		outcomes, err := from.Write(context.Background(), directory.Write{Author: "account:alice", Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if o.Err != nil {
				t.Fatalf("the test makes an invalid entry: %v\n%+v", o.Err, o.Entry)
			}
		}
		want := all(t, from)
		for name, format := range formats {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				var file strings.Builder
				if n, err := Export(context.Background(), from, format(&file), nil); err != nil || n != len(entries) {
					t.Fatalf("export: %d entries, %v", n, err)
				}
				if strings.Contains(file.String(), "secret@example.org") {
					t.Error("the export holds something private")
				}
				to := newDirectory(t)
				r := mustImport(t, to, file.String(), ImportOptions{Mapping: &Mapping{}, Lang: "fr", Timezone: "Europe/Paris"})
				if counts(t, r, len(entries), 0, 0, 0); len(r.Warnings) > 0 {
					t.Errorf("warnings: %v", r.Warnings[:min(3, len(r.Warnings))])
				}
				got := all(t, to)
				for name, w := range want {
					g := got[name]
					if a, b := public(g), public(w); !reflect.DeepEqual(a, b) {
						for k := range b {
							if !reflect.DeepEqual(a[k], b[k]) {
								t.Errorf("%q: %s: got %#v, want %#v", name, k, a[k], b[k])
							}
						}
						if len(a) != len(b) {
							t.Errorf("%q: got %v, want %v", name, a, b)
						}
						break
					}
				}
				counts(t, mustImport(t, to, file.String(), ImportOptions{Mapping: &Mapping{}, Lang: "fr", Timezone: "Europe/Paris"}), 0, 0, len(entries), 0)
			})
		}
	}
}

// A field that somebody adds to an entry must be exported, imported and merged: this test fails the day it is added.
func TestEveryFieldTravels(t *testing.T) {
	m := maker{Rand: rand.New(rand.NewPCG(1, 1)), full: true}
	seen := map[string]bool{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), path)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), path)
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k), path)
			}
		case reflect.Struct:
			if _, ok := v.Interface().(time.Time); ok {
				seen[path] = seen[path] || !v.IsZero()
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		}
		seen[path] = seen[path] || !v.IsZero()
	}
	for n := range 40 {
		e := m.entry(directory.Kinds[n%4], n)
		walk(reflect.ValueOf(e), "")
	}
	// What belongs to the instance and not to the entry.
	for _, path := range []string{".MergedInto", ".Origin", ".Version", ".Updated", ".Claimed", ".Fediverse"} {
		seen[path] = true
	}
	for path, ok := range seen {
		if !ok && !strings.HasPrefix(path, ".Private") {
			t.Errorf("the round trip is not tried with %s", path)
		}
	}
}

// The columns of an export are the fields that a mapping may name, but for two that are for people.
func TestExportColumnsAreFields(t *testing.T) {
	for _, c := range csvColumns {
		if !target(c.name).valid() {
			t.Errorf("%q is no field", c.name)
		}
		if got := headerWords()[headerKey(c.name)]; got.target != target(c.name) || got.rank != 0 {
			t.Errorf("%q is recognised as %q, rank %d", c.name, got.target, got.rank)
		}
	}
	// And every word leads to one field only.
	seen := map[string]target{}
	for field, names := range words {
		for name := range strings.FieldsSeq(names) {
			if other, taken := seen[headerKey(name)]; taken && other != field {
				t.Errorf("%q means both %q and %q", name, field, other)
			}
			seen[headerKey(name)] = field
		}
	}
}
