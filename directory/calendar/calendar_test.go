package calendar

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"archipel/directory"

	"github.com/paulmach/orb"
)

var changed = time.Date(2027, 3, 1, 10, 30, 0, 0, time.UTC)

const someID = directory.ID("019bbef3-b000-7325-8dad-a3770acde605")

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// at is a moment by the clocks of Paris.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.ParseInLocation("2006-01-02 15:04", s, zoneOf(t, "Europe/Paris"))
	if err != nil {
		t.Fatal(err)
	}
	return when.UTC()
}

func event(name string, v directory.Schedule) directory.Entry {
	return directory.Entry{ID: someID, Kind: directory.Event, Name: name, Slug: "x", Status: directory.Published, Version: 7, Created: changed.AddDate(0, -1, 0), Updated: changed, Event: &v}
}

func options() Options {
	return Options{Name: "Agenda", Lang: "fr", Host: "annuaire.example", Page: func(e *directory.Entry) string { return "https://annuaire.example/e/" + e.Slug }}
}

func written(t testing.TB, o Options, entries ...directory.Entry) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, o)
	for i := range entries {
		if err := w.Write(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// unfolded are the content lines of a calendar, after a look at their form.
func unfolded(t testing.TB, s string) []string {
	t.Helper()
	if !strings.HasSuffix(s, "\r\n") {
		t.Error("the last line has no end")
	}
	for _, line := range strings.Split(strings.TrimSuffix(s, "\r\n"), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d octets: %.90q", len(line), line)
		}
		if !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a broken line: %.90q", line)
		}
	}
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(s, "\r\n ", ""), "\r\n"), "\r\n")
}

func has(lines []string, want string) bool {
	for _, l := range lines {
		if l == want {
			return true
		}
	}
	return false
}

func TestFields(t *testing.T) {
	e := event("Fête; du \"vélo\", 1\\2", directory.Schedule{
		Start: at(t, "2027-03-14 18:00"), End: at(t, "2027-03-14 20:00"), Timezone: "Europe/Paris", RRule: "freq=weekly;until=20270601;byday=su",
		ExDates: []time.Time{at(t, "2027-03-28 18:00")}, RDates: []time.Time{at(t, "2027-04-07 18:00"), at(t, "2027-04-08 18:00")},
		Overrides: []directory.Occurrence{
			{Original: at(t, "2027-04-04 18:00"), Start: at(t, "2027-04-05 19:00"), State: directory.Rescheduled},
			{Original: at(t, "2027-04-11 18:00"), State: directory.Cancelled},
		}, AttendanceURL: "https://visio.example/a?b=c,d;e", Price: "2 €",
	})
	e.Sites = []orb.Point{{4.39, 45.44}}
	e.Address = &directory.Address{Street: "2, place du Peuple", PostalCode: "42000", Locality: "Saint-Étienne"}
	e.Categories, e.Tags = []string{"velo"}, []string{"a,b"}
	e.Contact = &directory.Contact{Name: "Ju\"lie; Roux", Email: "julie@asso.example"}
	e.Private = &directory.Private{Email: "secret@asso.example", Phone: "0600000000", Note: "caché"}
	out := written(t, options(), e)
	lines := unfolded(t, out)
	for _, want := range []string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "X-WR-CALNAME:Agenda", "TZID:Europe/Paris",
		"UID:" + string(someID) + "@annuaire.example", "DTSTAMP:20270301T103000Z", "LAST-MODIFIED:20270301T103000Z", "SEQUENCE:7",
		"DTSTART;TZID=Europe/Paris:20270314T180000", "DTEND;TZID=Europe/Paris:20270314T200000",
		"RRULE:FREQ=WEEKLY;UNTIL=20270601T215959Z;BYDAY=SU", "EXDATE;TZID=Europe/Paris:20270328T180000", "RDATE;TZID=Europe/Paris:20270407T180000,20270408T180000",
		"RECURRENCE-ID;TZID=Europe/Paris:20270404T180000", "DTSTART;TZID=Europe/Paris:20270405T190000", "DTEND;TZID=Europe/Paris:20270405T210000",
		"RECURRENCE-ID;TZID=Europe/Paris:20270411T180000", "STATUS:CANCELLED",
		`SUMMARY:Fête\; du "vélo"\, 1\\2`, "GEO:45.44;4.39", `LOCATION:2\, place du Peuple\, 42000 Saint-Étienne`, `CATEGORIES:velo,a\,b`,
		`ORGANIZER;CN="Ju'lie; Roux":mailto:julie@asso.example`, "URL:https://annuaire.example/e/x", "CONFERENCE;VALUE=URI:https://visio.example/a?b=c,d;e",
	} {
		if !has(lines, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(out, "secret") || strings.Contains(out, "0600000000") || strings.Contains(out, "caché") {
		t.Error("private fields are told")
	}
	if n := strings.Count(out, "BEGIN:VEVENT"); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		name string
		v    directory.Schedule
		want []string
		not  string
	}{
		{"whole days, the end excluded", directory.Schedule{Start: at(t, "2027-07-14 00:00"), End: at(t, "2027-07-17 00:00"), AllDay: true, Timezone: "Europe/Paris", RRule: "FREQ=YEARLY;UNTIL=20300714T000000Z"},
			[]string{"DTSTART;VALUE=DATE:20270714", "DTEND;VALUE=DATE:20270717", "RRULE:FREQ=YEARLY;UNTIL=20300714"}, "VTIMEZONE"},
		{"whole days, the last one named", directory.Schedule{Start: at(t, "2027-07-14 00:00"), End: at(t, "2027-07-16 23:59"), AllDay: true, Timezone: "Europe/Paris"},
			[]string{"DTSTART;VALUE=DATE:20270714", "DTEND;VALUE=DATE:20270717"}, "TZID"},
		{"one whole day", directory.Schedule{Start: at(t, "2027-07-14 00:00"), AllDay: true, Timezone: "Europe/Paris"}, []string{"DTSTART;VALUE=DATE:20270714"}, "DTEND"},
		{"no end", directory.Schedule{Start: at(t, "2027-07-14 10:00"), Timezone: "Europe/Paris"}, []string{"DTSTART;TZID=Europe/Paris:20270714T100000"}, "DTEND"},
		{"UTC", directory.Schedule{Start: at(t, "2027-07-14 10:00"), Timezone: "UTC"}, []string{"DTSTART:20270714T080000Z"}, "VTIMEZONE"},
		{"no zone: the site's", directory.Schedule{Start: at(t, "2027-07-14 10:00")}, []string{"DTSTART;TZID=America/New_York:20270714T040000"}, ""},
		{"before zones are described", directory.Schedule{Start: at(t, "1985-07-14 10:00"), Timezone: "Europe/Paris"}, []string{"DTSTART:19850714T080000Z"}, "VTIMEZONE"},
		{"to be confirmed", directory.Schedule{Start: at(t, "2027-07-14 10:00"), State: directory.Tentative}, []string{"STATUS:TENTATIVE"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.Zone = zoneOf(t, "America/New_York")
			out := written(t, o, event("A", c.v))
			lines := unfolded(t, out)
			for _, want := range c.want {
				if !has(lines, want) {
					t.Errorf("%s is missing in\n%s", want, out)
				}
			}
			if body := out[strings.Index(out, "REFRESH")+1:]; c.not != "" && strings.Contains(body, c.not) {
				t.Errorf("%s is there", c.not)
			}
		})
	}
}

// TestHostile holds that no text of an entry can begin a line, end an event or break the form.
func TestHostile(t *testing.T) {
	for _, bad := range []string{
		"a\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:b", "a\nATTENDEE:mailto:x@y.z", "a\rX-EVIL:1", "\u2028X-EVIL:1", "a;b,c:d\\n\\", `"`, "\x00\x07\x1b",
		strings.Repeat("é", 10_000), strings.Repeat("👩‍🚀", 2_500), "\xff\xfe", " \t ", "END:VCALENDAR", strings.Repeat("\\;,\n", 3_000),
	} {
		e := event(bad, directory.Schedule{Start: at(t, "2027-03-14 18:00"), Timezone: "Europe/Paris", RRule: "FREQ=DAILY;X=" + bad, Price: bad, AttendanceURL: "https://a.example/" + bad, RegisterURL: bad})
		e.Summary, e.Description, e.Slug, e.Categories, e.Tags, e.Origin = bad, bad, bad, []string{bad}, []string{bad, bad}, bad
		e.Address = &directory.Address{Street: bad, PostalCode: bad, Locality: bad, Region: bad}
		e.Contact = &directory.Contact{Name: bad, Email: "a@b.example" + bad, Phone: bad, Website: bad}
		o := options()
		o.Name, o.Home, o.Self, o.Product, o.Host = bad, bad, bad, bad, bad
		lines := unfolded(t, written(t, o, e))
		for _, name := range []string{"BEGIN:VEVENT", "END:VEVENT", "BEGIN:VCALENDAR", "END:VCALENDAR"} {
			n := 0
			for _, l := range lines {
				if l == name {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%.40q: %d lines %s", bad, n, name)
			}
		}
		for _, l := range lines {
			if strings.HasPrefix(l, "ATTENDEE") || strings.HasPrefix(l, "X-EVIL") {
				t.Errorf("%.40q began a line: %.60q", bad, l)
			}
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestErrorsAreTold(t *testing.T) {
	w := NewWriter(broken{}, options())
	e := event(strings.Repeat("long ", 5000), directory.Schedule{Start: at(t, "2027-03-14 18:00")})
	err := errors.Join(w.Write(&e), w.Write(&e))
	if err2 := w.Close(); err == nil || err2 == nil {
		t.Errorf("got %v, %v, want errors", err, err2)
	}
}

// TestZones computes what clocks show from each description, and compares with the zone itself.
func TestZones(t *testing.T) {
	for name, want := range map[string]int{"Europe/Paris": 2, "America/New_York": 2, "Australia/Lord_Howe": 2, "Asia/Tokyo": 0, "Africa/Casablanca": 0, "America/Sao_Paulo": 0, "Pacific/Apia": 0, "Europe/Dublin": 2, "America/St_Johns": 2} {
		loc := zoneOf(t, name)
		all := turns(loc)
		irregular, found := rules(all)
		if len(found) != want {
			t.Errorf("%s: %d rules, want %d", name, len(found), want)
		}
		if want > 0 && irregular > 40 {
			t.Errorf("%s: %d changes before its rules", name, irregular)
		}
	}
}

// TestZoneOfOneRule holds that a zone whose tables leave all to a rule, as some systems have them, has the same changes.
func TestZoneOfOneRule(t *testing.T) {
	head := "TZif2" + strings.Repeat("\x00", 15) + strings.Repeat("\x00", 16) + "\x00\x00\x00\x01" + "\x00\x00\x00\x04" + "\x00\x00\x0e\x10\x00\x00CET\x00"
	loc, err := time.LoadLocationFromTZData("Test/Rule", []byte(head+head+"\nCET-1CEST,M3.5.0,M10.5.0/3\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := turns(loc), turns(zoneOf(t, "Europe/Paris")); !slices.Equal(got, want) {
		t.Errorf("%d changes, want %d: %v", len(got), len(want), got)
	}
}

func FuzzWriter(f *testing.F) {
	f.Add("a\r\nEND:VEVENT", "FREQ=WEEKLY;UNTIL=20270101", "Europe/Paris", int64(1_800_000_000))
	f.Add("\u2028\ufeff\u0085\x7f\xff"+strings.Repeat("\u0301", 90), "BEGIN:VEVENT;=;UNTIL=99991231;\u017f=\u0130\r\nEND:VEVENT", "America/Sao_Paulo", int64(-3_900_000_000))
	f.Add("\\", "UNTIL=20270101T000000", "Europe//Paris", int64(820_450_800))
	f.Add("", "", "Local", int64(3_900_000_000))
	f.Fuzz(func(t *testing.T, text, rule, zone string, start int64) {
		e := event(text, directory.Schedule{Start: time.Unix(start%4e9, 0), Timezone: zone, RRule: rule})
		e.Description = text
		n := 0
		for _, l := range unfolded(t, written(t, options(), e)) {
			if l == "BEGIN:VEVENT" || l == "END:VEVENT" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d ends of events, want 2", n)
		}
	})
}
