package demo

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/teambition/rrule-go"
	"golang.org/x/text/unicode/norm"

	"archipel/directory"
	"archipel/directory/taxonomy"
)

var paris = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// days are awkward ones: year's end, a leap day, both clock changes, midnight in Paris but not in UTC.
var days = []time.Time{
	time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC),
	time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC),
	time.Date(2028, 2, 29, 8, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC),
	time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
	time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
}

func TestEntriesAreValid(t *testing.T) {
	tax := taxonomy.Default()
	for _, now := range days {
		for _, e := range Entries(now) {
			clone := e
			directory.Normalize(&clone)
			if err := directory.Validate(&clone, directory.Rules{Category: tax.Valid}); err != nil {
				t.Errorf("%s: %s: %v", now.Format(time.DateOnly), e.Source.ExternalID, err)
			}
		}
	}
}

func TestEveryKindAndState(t *testing.T) {
	tax := taxonomy.Default()
	entries := Entries(days[0])
	if n := len(entries); n < 200 || n > 300 {
		t.Errorf("%d entries, want some two hundred", n)
	}
	kinds, states, roots := map[directory.Kind]int{}, map[directory.Status]int{}, map[string]int{}
	var english, approximate, several, zones, shapes, hours, related, accessible, online, cancelled, long int
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	for _, e := range entries {
		kinds[e.Kind]++
		states[e.Status]++
		for _, c := range e.Categories {
			roots[tax.Root(c)]++
		}
		count(&english, e.Translations["en"].Summary != "")
		count(&approximate, e.Approximate)
		count(&several, len(e.Sites) > 1)
		count(&zones, e.Area != nil && len(e.Area.Zones) > 0)
		count(&shapes, e.Area != nil && e.Area.Shape != nil)
		count(&hours, e.OpeningHours != "")
		count(&related, len(e.Relations) > 0)
		count(&accessible, len(e.Accessibility) > 0)
		if v := e.Event; v != nil {
			count(&online, v.AttendanceURL != "")
			count(&cancelled, v.State == directory.Cancelled)
			count(&long, v.End.Sub(v.Start) > 36*time.Hour)
		}
	}
	for _, k := range directory.Kinds {
		if kinds[k] < 30 {
			t.Errorf("%d of kind %s, want at least 30", kinds[k], k)
		}
	}
	for _, s := range []directory.Status{directory.Published, directory.Pending, directory.Draft, directory.Hidden} {
		if states[s] == 0 {
			t.Errorf("none %s", s)
		}
	}
	for _, root := range tax.Roots() {
		if roots[root] < 4 {
			t.Errorf("%d entries under %s, want at least 4", roots[root], root)
		}
	}
	for what, got := range map[string][2]int{
		"English text": {english, 15}, "approximate": {approximate, 5}, "several sites": {several, 3}, "zones": {zones, 15}, "drawn areas": {shapes, 2},
		"opening hours": {hours, 80}, "relations": {related, 30}, "accessibility": {accessible, 40}, "online": {online, 1}, "cancelled": {cancelled, 1},
		"over several days": {long, 2},
	} {
		if got[0] < got[1] {
			t.Errorf("%s: %d entries, want at least %d", what, got[0], got[1])
		}
	}
	t.Logf("%d entries: %v %v; %d with English", len(entries), kinds, states, english)
}

func TestNothingTwice(t *testing.T) {
	ids, external, names := map[directory.ID]bool{}, map[string]bool{}, map[string]bool{}
	summaries, positions := map[string]bool{}, map[orb.Point]string{}
	for _, e := range Entries(days[0]) {
		name := directory.Fold(e.Name) + " " + e.Town()
		if ids[e.ID] || external[e.Source.ExternalID] || names[name] && e.Kind != directory.Event || summaries[e.Summary] {
			t.Errorf("%s (%s) is there twice", e.Source.ExternalID, e.Name)
		}
		ids[e.ID], external[e.Source.ExternalID], names[name], summaries[e.Summary] = true, true, true, true
		if !e.ID.Valid() || e.ID[14] != '7' {
			t.Errorf("%s: id %s is no UUIDv7", e.Source.ExternalID, e.ID)
		}
		if e.Source.Name != Source || e.Summary == "" || len(e.Categories) == 0 {
			t.Errorf("%s: lacks its source, summary or category", e.Source.ExternalID)
		}
		if e.Kind == directory.Event {
			continue // at its host's
		}
		for _, p := range e.Sites {
			if other, taken := positions[p]; taken {
				t.Errorf("%s and %s have the same position", e.Source.ExternalID, other)
			}
			positions[p] = e.Source.ExternalID
		}
	}
	for _, e := range Entries(days[0]) {
		for _, r := range e.Relations {
			if !ids[r.Target] {
				t.Errorf("%s: %s somebody who is not there", e.Source.ExternalID, r.Rel)
			}
		}
	}
}

// A second start, whether the same day or later, brings the same entries.
func TestStable(t *testing.T) {
	a, b := Entries(days[0]), Entries(days[0])
	if !reflect.DeepEqual(a, b) {
		t.Error("two calls for one moment differ")
	}
	if evening := Entries(days[0].Add(8 * time.Hour)); !reflect.DeepEqual(a, evening) {
		t.Error("two calls on one day differ")
	}
	later := Entries(days[2])
	if len(a) != len(later) {
		t.Fatalf("%d entries, later %d", len(a), len(later))
	}
	for i := range a {
		if a[i].ID != later[i].ID || a[i].Source.Key() != later[i].Source.Key() {
			t.Errorf("%s: id or source changes with the day", a[i].Source.ExternalID)
		}
	}
}

func TestPositions(t *testing.T) {
	towns, err := readTowns(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range Entries(days[0]) {
		if len(e.Sites) == 0 {
			if e.Event == nil || e.Event.AttendanceURL == "" {
				t.Errorf("%s: has no position", e.Source.ExternalID)
			}
			continue
		}
		// Also Saint-Victor, the quarter farthest from the centre, is within 12 km.
		for i, p := range e.Sites {
			nearest := math.Inf(1)
			for _, c := range towns {
				nearest = math.Min(nearest, distance(c.centre, p))
			}
			if nearest > 600 {
				t.Errorf("%s: site %d is %.0f m from the nearest town", e.Source.ExternalID, i, nearest)
			}
		}
		town, ok := towns[e.Town()]
		if !ok {
			t.Errorf("%s: address names no known town: %q", e.Source.ExternalID, e.Town())
			continue
		}
		if d := distance(town.centre, e.Sites[0]); d > 12_000 || d > 600 && e.Town() != "Saint-Étienne" {
			t.Errorf("%s: %.0f m from %s", e.Source.ExternalID, d, town.name)
		}
		if e.Address.PostalCode == "" || len(e.Address.Code) != 5 {
			t.Errorf("%s: address %+v is incomplete", e.Source.ExternalID, e.Address)
		}
	}
	for name, c := range towns {
		if lon, lat := c.centre[0], c.centre[1]; lon < 3.5 || lon > 4.95 || lat < 45.1 || lat > 46.3 {
			t.Errorf("%s lies at %v, outside the region", name, c.centre)
		}
	}
}

// distance is in metres; good for a few kilometres.
func distance(a, b orb.Point) float64 {
	return math.Hypot((a[0]-b[0])*111_320*math.Cos(a[1]*math.Pi/180), (a[1]-b[1])*111_320)
}

var (
	phoneForm   = regexp.MustCompile(`^04 65 71 \d\d \d\d$`)
	hostInURL   = regexp.MustCompile(`^(https://|mailto:[a-z]+@)([a-z0-9.-]+\.)?example\.org(/[a-zA-Z@./-]*)?$`)
	bareDash    = regexp.MustCompile(`\w - \w`)
	doubleBlank = regexp.MustCompile(`\S {2,}\S`)
	// Words that lose their accents first.
	unaccented = regexp.MustCompile(`(?i)(?:^|[^\p{L}])(epicerie|velo|reparation|reemploi|ecole|energie|cafe|marche de|cooperative d|benevoles?|elec\w+|equipe|theatre|verger-ecole|agriculture paysane|a la |deja|tres|apres)(?:$|[^\p{L}])`)
)

func TestFictitiousAndWellWritten(t *testing.T) {
	for _, e := range Entries(days[0]) {
		id := e.Source.ExternalID
		if c := e.Contact; c != nil {
			if c.Phone != "" && !phoneForm.MatchString(c.Phone) {
				t.Errorf("%s: %s is not in the range reserved for fiction", id, c.Phone)
			}
			if c.Email != "" && !strings.HasSuffix(c.Email, ".example.org") {
				t.Errorf("%s: mail address %s", id, c.Email)
			}
			if c.Website != "" && !hostInURL.MatchString(c.Website) {
				t.Errorf("%s: website %s", id, c.Website)
			}
		}
		urls := []string{}
		for _, l := range e.Links {
			urls = append(urls, l.URL)
		}
		if e.Event != nil {
			urls = append(urls, e.Event.AttendanceURL, e.Event.RegisterURL)
		}
		for _, u := range urls {
			if u != "" && !hostInURL.MatchString(u) {
				t.Errorf("%s: link %s", id, u)
			}
		}
		if e.Description != "" && !strings.Contains(e.Description, "Fiche fictive") {
			t.Errorf("%s: the description does not say that it is fictitious", id)
		}
		french := e.Name + "\n" + e.Summary + "\n" + e.Description + "\n" + strings.Join(e.Tags, "\n")
		if !utf8.ValidString(french) || !norm.NFC.IsNormalString(french) {
			t.Errorf("%s: text is not UTF-8 in NFC", id)
		}
		if m := unaccented.FindString(french); m != "" {
			t.Errorf("%s: accents missing in %q", id, m)
		}
		if m := bareDash.FindString(french); m != "" {
			t.Errorf("%s: hyphen for a dash in %q", id, m)
		}
		if m := doubleBlank.FindString(french); m != "" {
			t.Errorf("%s: two spaces in %q", id, m)
		}
		if n := utf8.RuneCountInString(e.Summary); n > 200 || !strings.ContainsAny(e.Summary[len(e.Summary)-1:], ".!?") {
			t.Errorf("%s: summary of %d characters, or without its full stop", id, n)
		}
	}
}

func TestEvents(t *testing.T) {
	for _, now := range days {
		upcoming, running := 0, 0
		for _, e := range Entries(now) {
			v := e.Event
			if v == nil {
				continue
			}
			id := e.Source.ExternalID
			if v.Timezone != "Europe/Paris" || !v.End.After(v.Start) {
				t.Errorf("%s: %v to %v in %q", id, v.Start, v.End, v.Timezone)
			}
			if v.Start.Location().String() != paris.String() {
				t.Errorf("%s: starts in %v", id, v.Start.Location())
			}
			if v.RRule == "" {
				if v.Start.After(now.AddDate(0, 0, 56)) || v.End.Before(now.AddDate(0, 0, -2)) {
					t.Errorf("%s on %s: %v is not in the coming weeks", id, now.Format(time.DateOnly), v.Start)
				}
				if v.Start.Before(now) && v.End.After(now) {
					running++
				}
				upcoming++
				continue
			}
			o, err := rrule.StrToROptionInLocation(v.RRule, paris)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			o.Dtstart = v.Start.In(paris)
			rule, err := rrule.NewRRule(*o)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			if all := rule.Between(v.Start, v.Start.AddDate(0, 0, 1), true); len(all) == 0 || !all[0].Equal(v.Start) {
				t.Errorf("%s on %s: the first date %v is none of its rule %s", id, now.Format(time.DateOnly), v.Start, v.RRule)
			}
			if len(rule.Between(now, now.AddDate(0, 0, 42), true)) == 0 {
				t.Errorf("%s on %s: nothing in the coming six weeks", id, now.Format(time.DateOnly))
			}
			exceptions := slices.Clone(v.ExDates)
			for _, o := range v.Overrides {
				exceptions = append(exceptions, o.Original)
			}
			for _, x := range exceptions {
				if len(rule.Between(x, x, true)) == 0 {
					t.Errorf("%s on %s: the exception %v is no date of the series", id, now.Format(time.DateOnly), x)
				}
			}
			upcoming++
		}
		if upcoming < 35 {
			t.Errorf("%s: %d events, want at least 35", now.Format(time.DateOnly), upcoming)
		}
		if running == 0 {
			t.Errorf("%s: nothing is going on today", now.Format(time.DateOnly))
		}
	}
}

func TestDay(t *testing.T) {
	wednesday := time.Date(2026, 3, 11, 0, 0, 0, 0, paris)
	for on, want := range map[string]string{
		"+0": "2026-03-11", "+5": "2026-03-16", "-2": "2026-03-09", "wed": "2026-03-18", "thu": "2026-03-12", "tue": "2026-03-17", "sat+1": "2026-03-21",
		"sat-1": "2026-03-07", "1sat": "2026-03-07", "2sun": "2026-03-08", "-1sat": "2026-03-28", "1sat+1": "2026-04-04", "-1sun-1": "2026-02-22", "4thu-12": "2025-03-27",
	} {
		got, err := day(wednesday, on)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("day(%s) = %s, %v, want %s", on, got.Format(time.DateOnly), err, want)
		}
	}
	for _, on := range []string{"", "5", "5sat", "saturday", "0sat", "+1000"} {
		if _, err := day(wednesday, on); err == nil {
			t.Errorf("day(%q): no error", on)
		}
	}
	for _, c := range []string{"", "9", "24:00", "12:60", "a:b", "12:-1"} {
		if _, _, err := clock(c); err == nil {
			t.Errorf("clock(%q): no error", c)
		}
	}
}

// What the store keeps brings back the same entry.
func TestRoundTrip(t *testing.T) {
	for _, e := range Entries(days[0]) {
		directory.Normalize(&e)
		b, err := directory.EncodeStored(&e)
		if err != nil {
			t.Fatalf("%s: %v", e.Source.ExternalID, err)
		}
		var back directory.Entry
		if err := directory.DecodeStored(b, &back); err != nil {
			t.Fatalf("%s: %v", e.Source.ExternalID, err)
		}
		again, _ := directory.EncodeStored(&back)
		if !json.Valid(b) || string(b) != string(again) {
			t.Errorf("%s: changes on its way through a store", e.Source.ExternalID)
		}
	}
}
