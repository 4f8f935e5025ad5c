package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

func valid() Entry {
	return Entry{
		Kind: Event, Name: "Repair café", Summary: "Réparer ensemble", Status: Published, Lang: "fr", Categories: []string{"repair-cafe"},
		Sites: []orb.Point{{4.39, 45.44}}, Address: &Address{Street: "1 rue du Port", PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR"},
		Contact: &Contact{Email: "bonjour@example.org", Phone: "+33 4 65 71 00 01", Website: "https://example.org"},
		Links:   []Link{{Rel: "mastodon", URL: "https://social.example.org/@repair"}}, Licence: "ODbL-1.0", Source: &Source{Name: "nous"},
		Event: &Schedule{Start: time.Date(2027, 1, 2, 14, 0, 0, 0, time.UTC), End: time.Date(2027, 1, 2, 18, 0, 0, 0, time.UTC), Timezone: "Europe/Paris", RRule: "FREQ=MONTHLY;BYDAY=1SA"},
		Area:  &Area{Zones: []string{"FR-42"}, Shape: &Shape{orb.Polygon{{{4, 45}, {5, 45}, {5, 46}, {4, 45}}}}},
	}
}

// Moments that are written with four digits of a year, and are of no such year in UTC: no JSON holds them.
var (
	beforeYears = time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	afterYears  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
)

func TestValidateNamesTheField(t *testing.T) {
	cases := []struct {
		name, field, code string
		change            func(e *Entry)
	}{
		{"no name", "name", CodeRequired, func(e *Entry) { e.Name = " " }},
		{"long name", "name", CodeTooLong, func(e *Entry) { e.Name = strings.Repeat("é", MaxName+1) }},
		{"ten megabytes", "description", CodeTooLong, func(e *Entry) { e.Description = strings.Repeat("x", 10<<20) }},
		{"NUL in a name", "name", CodeControl, func(e *Entry) { e.Name = "a\x00b" }},
		{"line break in a summary", "summary", CodeControl, func(e *Entry) { e.Summary = "a\nb" }},
		{"text that turns around", "name", CodeControl, func(e *Entry) { e.Name = "a\u202egpj.exe" }},
		{"broken UTF-8", "summary", CodeControl, func(e *Entry) { e.Summary = "a\xff" }},
		{"claimed long ago", "claimed", CodeOutOfRange, func(e *Entry) { e.Claimed = time.Date(99, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"no kind", "kind", CodeRequired, func(e *Entry) { e.Kind, e.Event = "", nil }},
		{"unknown kind", "kind", CodeUnknown, func(e *Entry) { e.Kind, e.Event = "shop", nil }},
		{"unknown status", "status", CodeUnknown, func(e *Entry) { e.Status = "live" }},
		{"language", "lang", CodeInvalid, func(e *Entry) { e.Lang = "french!" }},
		{"translation's language", "translations.xx-!", CodeInvalid, func(e *Entry) { e.Translations = map[string]Translation{"xx-!": {Name: "a"}} }},
		{"swapped coordinates", "geometry", CodeSwapped, func(e *Entry) { e.Sites = []orb.Point{{45.44, 104.39}} }},
		{"longitude", "geometry", CodeOutOfRange, func(e *Entry) { e.Sites = []orb.Point{{181, 45}} }},
		{"latitude", "geometry", CodeOutOfRange, func(e *Entry) { e.Sites = []orb.Point{{120, -91}} }},
		{"not a number", "geometry", CodeInvalid, func(e *Entry) { e.Sites = []orb.Point{{math.NaN(), 45}} }},
		{"infinite", "geometry", CodeInvalid, func(e *Entry) { e.Sites = []orb.Point{{4, math.Inf(1)}} }},
		{"open ring", "area.geometry", CodeInvalid, func(e *Entry) { e.Area.Shape.Geometry = orb.Polygon{{{4, 45}, {5, 45}, {5, 46}, {4, 46}}} }},
		{"area is a line", "area.geometry", CodeUnknown, func(e *Entry) { e.Area.Shape.Geometry = orb.LineString{{4, 45}, {5, 45}} }},
		{"zone", "area.zones[0]", CodeUnknown, func(e *Entry) { e.Area.Zones = []string{"FR-999"} }},
		{"category", "categories[1]", CodeUnknown, func(e *Entry) { e.Categories = append(e.Categories, "nope") }},
		{"category with a script", "categories[0]", CodeInvalid, func(e *Entry) { e.Categories = []string{"<script>"} }},
		{"too many tags", "tags", CodeTooMany, func(e *Entry) {
			for i := range MaxList + 1 {
				e.Tags = append(e.Tags, fmt.Sprint(i))
			}
		}},
		{"country", "address.addressCountry", CodeUnknown, func(e *Entry) { e.Address.Country = "France" }},
		{"mail", "contact.email", CodeInvalid, func(e *Entry) { e.Contact.Email = "a@b@c" }},
		{"mail with a header", "contact.email", CodeInvalid, func(e *Entry) { e.Contact.Email = "a@b.org\r\nBcc: all@b.org" }},
		{"phone", "contact.phone", CodeInvalid, func(e *Entry) { e.Contact.Phone = "call me" }},
		{"javascript", "contact.website", CodeScheme, func(e *Entry) { e.Contact.Website = "javascript:alert(1)" }},
		{"data", "links[0].url", CodeScheme, func(e *Entry) { e.Links[0].URL = "data:text/html,<script>" }},
		{"mixed case scheme", "links[0].url", CodeScheme, func(e *Entry) { e.Links[0].URL = "JaVaScRiPt:alert(1)" }},
		{"user in a URL", "links[0].url", CodeInvalid, func(e *Entry) { e.Links[0].URL = "https://bank.example@evil.example/" }},
		{"no host", "links[0].url", CodeInvalid, func(e *Entry) { e.Links[0].URL = "https:///path" }},
		{"relation of a link", "links[0].rel", CodeUnknown, func(e *Entry) { e.Links[0].Rel = "evil" }},
		{"picture", "images[0].url", CodeScheme, func(e *Entry) { e.Images = []Image{{URL: "file:///etc/passwd"}} }},
		{"licence", "licence", CodeUnknown, func(e *Entry) { e.Licence = "mine" }},
		{"licence of a picture", "images[0].licence", CodeUnknown, func(e *Entry) { e.Images = []Image{{URL: "https://example.org/a.jpg", Licence: "x"}} }},
		{"time zone", "event.timezone", CodeUnknown, func(e *Entry) { e.Event.Timezone = "Paris" }},
		{"end before start", "event.end", CodeOrder, func(e *Entry) { e.Event.End = e.Event.Start.Add(-time.Hour) }},
		{"no start", "event.start", CodeRequired, func(e *Entry) { e.Event.Start = time.Time{} }},
		{"far year", "event.start", CodeOutOfRange, func(e *Entry) { e.Event.Start, e.Event.End = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{} }},
		{"rule", "event.rrule", CodeInvalid, func(e *Entry) { e.Event.RRule = "every day" }},
		{"rule by the second", "event.rrule", CodeUnknown, func(e *Entry) { e.Event.RRule = "FREQ=SECONDLY" }},
		{"rule of a timetable", "event.rrule", CodeUnknown, func(e *Entry) { e.Event.RRule = "FREQ=DAILY;BYHOUR=9,10,11,12;BYMINUTE=0,15,30,45" }},
		{"rule without a date", "event.rrule", CodeInvalid, func(e *Entry) { e.Event.RRule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" }},
		{"rule on two lines", "event.rrule", CodeInvalid, func(e *Entry) { e.Event.RRule = "DTSTART:20270102T140000Z\nRRULE:FREQ=DAILY" }},
		{"before the year 0, in UTC", "event.exdates[0]", CodeOutOfRange, func(e *Entry) { e.Event.ExDates = []time.Time{beforeYears} }},
		{"after the year 9999, in UTC", "event.rdates[1]", CodeOutOfRange, func(e *Entry) { e.Event.RDates = []time.Time{e.Event.Start, afterYears, afterYears} }},
		{"a date of no year", "event.overrides[0].recurrenceId", CodeOutOfRange, func(e *Entry) { e.Event.Overrides = []Occurrence{{Original: beforeYears}} }},
		{"moved to no year", "event.overrides[0].start", CodeOutOfRange, func(e *Entry) { e.Event.Overrides = []Occurrence{{Original: e.Event.Start, Start: beforeYears}} }},
		{"moved until no year", "event.overrides[0].end", CodeOutOfRange, func(e *Entry) { e.Event.Overrides = []Occurrence{{Original: e.Event.Start, End: afterYears}} }},
		{"start in no year", "event.start", CodeOutOfRange, func(e *Entry) { e.Event.Start = beforeYears }},
		{"end in no year", "event.end", CodeOutOfRange, func(e *Entry) { e.Event.End = afterYears }},
		{"created in no year", "created", CodeOutOfRange, func(e *Entry) { e.Created = beforeYears }},
		{"updated in no year", "updated", CodeOutOfRange, func(e *Entry) { e.Updated = beforeYears }},
		{"checked in no year", "checked", CodeOutOfRange, func(e *Entry) { e.Checked = afterYears }},
		{"claimed in no year", "claimed", CodeOutOfRange, func(e *Entry) { e.Claimed = beforeYears }},
		{"event without a date", "event.start", CodeRequired, func(e *Entry) { e.Event = nil }},
		{"a place with a date", "event", CodeNotHere, func(e *Entry) { e.Kind = Place }},
		{"relation", "relations[0].rel", CodeUnknown, func(e *Entry) { e.Relations = []Relation{{Rel: "loves", Target: NewID()}} }},
		{"relation to nothing", "relations[0].target", CodeInvalid, func(e *Entry) { e.Relations = []Relation{{Rel: "hosts", Target: "x"}} }},
		{"accessibility", "accessibility.jetpack", CodeUnknown, func(e *Entry) { e.Accessibility = map[string]string{"jetpack": "yes"} }},
		{"slug", "slug", CodeInvalid, func(e *Entry) { e.Slug = "../admin" }},
		{"origin", "origin", CodeInvalid, func(e *Entry) { e.Origin = "https://evil/" }},
	}
	rules := Rules{Category: func(id string) bool { return id == "repair-cafe" || id == "<script>" }, Zone: func(c string) bool { return c == "FR-42" }}
	e := valid()
	if err := Validate(&e, rules); err != nil {
		t.Fatalf("the valid one: %v", err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := valid()
			c.change(&e)
			var got Invalid
			if !errors.As(Validate(&e, rules), &got) || len(got) != 1 || got[0].Field != c.field || got[0].Code != c.code {
				t.Errorf("got %v, want %s %s", got, c.field, c.code)
			}
			if len(got.Error()) > 1000 {
				t.Errorf("the message is %d bytes long", len(got.Error()))
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	e := Entry{
		Name: "  La  Fourmilière ", Tags: []string{"#vélo", "Vélo", " "}, Sites: []orb.Point{{4.123456789, 45}, {4.1234568, 45}},
		Contact: &Contact{Website: "www.example.org/a", Email: "mailto:Jo@EXAMPLE.org"}, Links: []Link{{URL: "example.org"}, {URL: "https://example.org"}, {}},
		Lang: "FR-fr", Licence: "licence ouverte", Address: &Address{Country: "fr"}, Area: &Area{}, Source: &Source{},
		Event: &Schedule{Start: time.Date(2027, 1, 2, 15, 0, 0, 999, time.FixedZone("", 3600)), RRule: "RRULE:FREQ=DAILY"},
	}
	Normalize(&e)
	want := Entry{
		Name: "La Fourmilière", Tags: []string{"vélo"}, Sites: []orb.Point{{4.1234568, 45}},
		Contact: &Contact{Website: "https://www.example.org/a", Email: "Jo@example.org"}, Links: []Link{{URL: "https://example.org"}},
		Lang: "fr-FR", Licence: "etalab-2.0", Address: &Address{Country: "FR"},
		Event: &Schedule{Start: time.Date(2027, 1, 2, 14, 0, 0, 0, time.UTC), RRule: "FREQ=DAILY"},
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
	again := e.Clone()
	Normalize(&again)
	if !reflect.DeepEqual(e, again) {
		t.Error("normalising twice gives something else")
	}
}

func TestFoldAndSlugify(t *testing.T) {
	cases := []struct{ in, fold, slug string }{
		{"L'Atelier du 9 !", "l atelier du 9", "l-atelier-du-9"},
		{"Saint-Étienne", "saint etienne", "saint-etienne"},
		{"Cœur de Ville", "coeur de ville", "coeur-de-ville"},
		{"Straße", "strasse", "strasse"},
		{"", "", ""},
		{"--", "", ""},
		{"東京", "東京", "東京"},
		{"fab lab", "fab lab", "fab-lab"},
		{strings.Repeat("a", 200), strings.Repeat("a", 200), strings.Repeat("a", 80)},
		{strings.Repeat("mot ", 60), strings.TrimSpace(strings.Repeat("mot ", 60)), strings.TrimSuffix(strings.Repeat("mot-", 20), "-")},
	}
	for _, c := range cases {
		if got := Fold(c.in); got != c.fold {
			t.Errorf("Fold(%q) = %q, want %q", c.in, got, c.fold)
		}
		if got := Slugify(c.in); got != c.slug {
			t.Errorf("Slugify(%q) = %q, want %q", c.in, got, c.slug)
		}
	}
}

func TestPublicFormHasNothingPrivate(t *testing.T) {
	e := valid()
	e.ID = NewID()
	e.Private = &Private{Owners: []string{"account:secret"}, Email: "secret@example.org", Note: "secret"}
	for name, v := range map[string]any{"value": e, "pointer": &e, "in a list": []Entry{e}} {
		b, err := json.Marshal(v)
		if err != nil || strings.Contains(string(b), "secret") {
			t.Errorf("%s: %s %v", name, b, err)
		}
	}
	stored, err := EncodeStored(&e)
	if err != nil {
		t.Fatal(err)
	}
	var back Entry
	if err := DecodeStored(stored, &back); err != nil || !reflect.DeepEqual(e, back) {
		t.Errorf("stored and read: %v\n got %+v\nwant %+v", err, back, e)
	}
}

func TestForeignFeatures(t *testing.T) {
	cases := []struct{ name, in, err string }{
		{"not a feature", `{"type":"Point","coordinates":[1,2]}`, "want a GeoJSON Feature"},
		{"one number", `{"type":"Feature","geometry":{"type":"Point","coordinates":[1]},"properties":{}}`, "two numbers"},
		{"text for numbers", `{"type":"Feature","geometry":{"type":"Point","coordinates":["a","b"]},"properties":{}}`, "geometry"},
		{"a line", `{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]},"properties":{}}`, "LineString"},
		{"unknown geometry", `{"type":"Feature","geometry":{"type":"Blob"},"properties":{}}`, "geometry"},
		{"heights are left aside", `{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2,3]},"properties":{}}`, ""},
		{"no geometry", `{"type":"Feature","geometry":null,"properties":{}}`, ""},
		{"no properties", `{"type":"Feature","geometry":null,"properties":null}`, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var e Entry
			err := json.Unmarshal([]byte(c.in), &e)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func FuzzFeature(f *testing.F) {
	e := valid()
	e.ID = NewID()
	b, _ := json.Marshal(e)
	f.Add(b)
	f.Add([]byte(`{"type":"Feature","geometry":{"type":"GeometryCollection","geometries":[{}]},"properties":{"area":{"geometry":{"type":"Polygon","coordinates":[[[]]]}}}}`))
	f.Add([]byte(`{"type":"Feature","geometry":null,"properties":{"kind":"place","name":"x","status":"published","updated":"9999-12-31T23:59:59-23:59"}}`))
	f.Add([]byte(`{"type":"Feature","geometry":null,"properties":{"kind":"place","name":"x","status":"published","area":{"zones":["FR"],"geometry":{"type":"MultiPolygon","coordinates":[[[[1,2],[1,3],[2,3],[1,2]]]]}}}}`))
	nested := strings.Repeat(`{"type":"GeometryCollection","geometries":[`, 3_000) + strings.Repeat("]}", 3_000)
	f.Add([]byte(`{"type":"Feature","geometry":` + nested + `,"properties":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		if json.Unmarshal(b, &e) != nil {
			return
		}
		Normalize(&e)
		if Validate(&e, Rules{}) != nil {
			return
		}
		out, err := EncodeStored(&e)
		if err != nil {
			t.Fatalf("a valid entry cannot be stored: %v", err)
		}
		var back Entry
		if err := DecodeStored(out, &back); err != nil {
			t.Fatalf("a stored entry cannot be read: %v", err)
		}
	})
}
