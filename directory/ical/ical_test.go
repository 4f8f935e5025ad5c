package ical

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

var now = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func paris(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func readFile(t *testing.T, name string) *Calendar {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(b, Options{Zone: paris(t), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Events {
		e.Entry.Slug = "x"
		if err := directory.Validate(&e.Entry, directory.Rules{}); err != nil {
			t.Errorf("%s: %v", e.UID, err)
		}
	}
	return c
}

func (c *Calendar) event(t *testing.T, uid string) Event {
	t.Helper()
	for _, e := range c.Events {
		if strings.HasPrefix(e.UID, uid) {
			return e
		}
	}
	t.Fatalf("no event %s", uid)
	return Event{}
}

// dates are the first dates of an event by the clocks of Paris, with what became of them.
func dates(t *testing.T, e Event, n int) string {
	t.Helper()
	var out []string
	for _, s := range e.Entry.Event.Occurrences(now.AddDate(-1, 0, 0), now.AddDate(3, 0, 0), n, paris(t)) {
		text := s.Start.In(paris(t)).Format("01-02 15:04")
		if s.State != "" {
			text += " " + string(s.State)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func codes(c *Calendar) string {
	var out []string
	for _, w := range c.Warnings {
		out = append(out, fmt.Sprintf("%s %d", w.Code, w.Count))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestGoogle(t *testing.T) {
	c := readFile(t, "google.ics")
	equal(t, "calendar", fmt.Sprint(c.Name, c.Complete, len(c.Events), codes(c)), "Agenda de l'associationtrue 3private 1")
	e := c.event(t, "repare1@google.com")
	equal(t, "dates", dates(t, e, 5), "03-05 18:00, 03-13 10:00 rescheduled, 03-19 18:00 cancelled, 03-26 18:00, 04-09 18:00")
	equal(t, "address", *e.Entry.Address, directory.Address{Street: "Maison du Vélo, 12 Rue de la République", PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR"})
	if d := e.Entry.Description; strings.Contains(d, "alert") || strings.Contains(d, "<") || !strings.Contains(d, "- Outils prêtés") || !strings.Contains(d, "[La charte](https://velo.example/charte?a=1&b=2)") {
		t.Errorf("description: %q", d)
	}
	ca := c.event(t, "ca1").Entry.Event
	equal(t, "a time in UTC is shown by the calendar's clocks", ca.Timezone+ca.Start.Format(time.RFC3339)+ca.AttendanceURL, "Europe/Paris2027-03-10T17:00:00Zhttps://meet.google.com/abc-defg-hij")
	fete := c.event(t, "fete").Entry.Event
	equal(t, "whole days", fmt.Sprint(fete.AllDay, fete.Start.In(paris(t)), fete.End.In(paris(t))), "true 2027-05-01 00:00:00 +0200 CEST 2027-05-03 00:00:00 +0200 CEST")
}

func TestOutlook(t *testing.T) {
	c := readFile(t, "outlook.ics")
	equal(t, "warnings", codes(c), "zone 1, zone_rules 1")
	e := c.event(t, "040000008200E0")
	equal(t, "zone", e.Entry.Event.Timezone, "Europe/Paris")
	equal(t, "dates", dates(t, e, 9), "03-09 19:00, 04-13 19:00, 05-11 19:00, 06-08 19:00, 07-13 19:00, 08-10 19:00")
	equal(t, "texts", e.Entry.Lang+e.Entry.Description+e.Entry.Address.Street, "fr-FROrdre du jour :\n\n1. Accueil\n2. BilanSalle 2")
	custom := c.event(t, "custom-zone").Entry.Event
	equal(t, "a described zone", fmt.Sprint(custom.Timezone, custom.Start, custom.End), "Europe/Paris2027-07-10 12:00:00 +0000 UTC 2027-07-10 13:30:00 +0000 UTC")
	equal(t, "a zone like no other", c.event(t, "odd-zone").Entry.Event.Start, "2027-07-10 12:45:00 +0000 UTC")
	equal(t, "a zone named by its offset", c.event(t, "named-offset").Entry.Event.Start, "2027-07-10 12:00:00 +0000 UTC")
	equal(t, "a zone of nobody's", c.event(t, "nobody").Entry.Event.Start, "2027-07-10 12:00:00 +0000 UTC")
	if v := c.event(t, "all-day").Entry.Event; !v.AllDay || v.End.Sub(v.Start) != 24*time.Hour {
		t.Errorf("a whole day by a property of Microsoft's: %+v", v)
	}
}

func TestNextcloud(t *testing.T) {
	c := readFile(t, "nextcloud.ics")
	e := c.event(t, "2f6b")
	// Every second Saturday without 3 April, two extra dates, and an hour earlier from 17 April on.
	equal(t, "dates", dates(t, e, 7), "03-06 09:30 tentative, 03-20 09:30 tentative, 04-08 14:00 tentative, 04-09 14:00 tentative, 04-17 08:30 rescheduled, 05-01 08:30 rescheduled, 05-15 08:30 rescheduled")
	equal(t, "refresh", c.Refresh, 4*time.Hour)
	equal(t, "tags", strings.Join(e.Entry.Tags, "|"), "Jardin|Bénévolat, entraide")
	equal(t, "position", fmt.Sprint(e.Entry.Sites, e.Entry.Links), "[[4.387 45.441]] [{website https://jardin.example/chantiers }]")
	equal(t, "warnings", codes(c), "following 1")
}

func TestApple(t *testing.T) {
	for _, name := range []string{"apple.ics", "utf16.ics"} {
		c := readFile(t, name)
		e := c.event(t, "6D9C7F0E-AAAA-BBBB-CCCC-000000000001").Entry
		equal(t, name+": a floating time", e.Event.Start, "2027-03-18 19:00:00 +0000 UTC")
		equal(t, name+": description", e.Description, "Répétition, ouverte à toutes et tous.")
		equal(t, name+": address", *e.Address, directory.Address{Street: "Église Saint-Louis Place Louis Comte", PostalCode: "42000", Locality: "Saint-Étienne", Country: "FR"})
		day := c.event(t, "6D9C7F0E-AAAA-BBBB-CCCC-000000000002").Entry.Event
		equal(t, name+": a day without an end", day.End.Sub(day.Start), 24*time.Hour)
	}
}

func TestOthers(t *testing.T) {
	m := readFile(t, "mobilizon.ics").Events[0].Entry
	equal(t, "mobilizon", fmt.Sprint(m.Contact.Name, m.Contact.Email, len(m.Images), m.Sites, m.Description), "Collectif du Crêt1 [[4.3925 45.4305]]Un film, puis une discussion.\n\nParticipation libre.")
	o := readFile(t, "openagenda.ics")
	equal(t, "two events of one UID", fmt.Sprint(len(o.Events), codes(o), o.Events[1].UID), "2duplicate 1oa-123@openagenda.com 20270402T120000")
	equal(t, "html", o.Events[0].Entry.Description, "Une journée pour tout découvrir.")
	w := readFile(t, "wordpress.ics").Events[0].Entry
	equal(t, "wordpress", w.Name, "Grande vente – printemps")
	if !strings.Contains(w.Description, `\# Au programme`) || !strings.Contains(w.Description, "vente_de_printemps") || w.Contact == nil || w.Contact.Email != "" {
		t.Errorf("got %q, %+v", w.Description, w.Contact)
	}
}

func TestEightBit(t *testing.T) {
	c := readFile(t, "eight-bit.ics")
	for uid, want := range map[string]string{"latin1": "Fête de l’été – 2€", "folded": "Café de l’école", "qp": "Réunion de quartier", "never-ended": "Sans fin"} {
		equal(t, uid, c.event(t, uid).Entry.Name, want)
	}
	if len(c.Events) != 4 || c.Complete || codes(c) != "date 2, end 1, line 3, title 1" {
		t.Errorf("%d events, complete %v, %s", len(c.Events), c.Complete, codes(c))
	}
}

// calendarOf is a calendar of one event with these lines.
func calendarOf(lines ...string) string {
	return "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:A\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\nEND:VCALENDAR\n"
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct{ name, lines, want, warned string }{
		{"by the hour", "DTSTART:20270310T100000|RRULE:FREQ=HOURLY", "03-10 10:00", "rule 1"},
		{"a broken rule", "DTSTART:20270310T100000|RRULE:FREQ=SOMETIMES;BYDAY=XX", "03-10 10:00", "rule 1"},
		{"a timetable", "DTSTART:20270310T100000|RRULE:FREQ=DAILY;BYHOUR=9,10,11,12;BYMINUTE=0,10,20,30,40,50", "03-10 10:00", "rule 1"},
		{"a rule without a date", "DTSTART:20270310T100000|RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "03-10 10:00", "rule 1"},
		{"a rule of days out of a month", "DTSTART:20270310T100000|RRULE:FREQ=MONTHLY;BYDAY=-6MO", "03-10 10:00", "rule 1"},
		{"two rules", "DTSTART:20270310T100000|RRULE:FREQ=DAILY;COUNT=2|RRULE:FREQ=YEARLY", "03-10 10:00, 03-11 10:00", "rule_extra 1"},
		{"until a day", "DTSTART:20270310T100000|RRULE:FREQ=DAILY;UNTIL=20270311", "03-10 10:00, 03-11 10:00", ""},
		{"dates alone", "DTSTART:20270310T100000|RDATE:20270312T110000,20270312T110000", "03-10 10:00, 03-12 11:00", ""},
		{"periods", "DTSTART:20270310T100000|RDATE;VALUE=PERIOD:20270312T110000/PT1H", "03-10 10:00, 03-12 11:00", ""},
		{"over the change of clocks", "DTSTART;TZID=Europe/Paris:20270327T100000|RRULE:FREQ=DAILY;COUNT=2", "03-27 10:00, 03-28 10:00", ""},
		{"repeated in UTC", "DTSTART:20270327T090000Z|RRULE:FREQ=DAILY;COUNT=2", "03-27 10:00, 03-28 11:00", ""},
		{"a zone at the end of a path", "DTSTART;TZID=/mozilla.org/20050126_1/America/New_York:20270310T100000", "03-10 16:00", ""},
		{"an offset", "DTSTART;TZID=UTC-05:00:20270310T100000", "03-10 16:00", ""},
		{"no such zone", "DTSTART;TZID=Local:20270310T100000", "03-10 10:00", "zone 1"},
		{"a path", "DTSTART;TZID=../../etc/passwd:20270310T100000", "03-10 10:00", "zone 1"},
		{"ISO 8601", "DTSTART:2027-03-10T10:00:00+02:00", "03-10 09:00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cal, err := Read([]byte(calendarOf(strings.Split(c.lines, "|")...)), Options{Zone: paris(t), Now: now})
			if err != nil || len(cal.Events) != 1 {
				t.Fatal(err, cal)
			}
			equal(t, "dates", dates(t, cal.Events[0], 5), c.want)
			equal(t, "warnings", codes(cal), c.warned)
		})
	}
}

// TestHostileZone: whatever a calendar says of when clocks change, it is read, and the zone is as good as it can be.
func TestHostileZone(t *testing.T) {
	for _, rule := range []string{"FREQ=YEARLY;BYMONTH=1;BYDAY=-53SU", "FREQ=YEARLY;BYEASTER=1000", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=9", "FREQ=YEARLY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5,6"} {
		for _, year := range []string{"1601", "2020", "9998"} {
			zone := "BEGIN:VTIMEZONE\nTZID:Ici\nBEGIN:STANDARD\nDTSTART:" + year + "0101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:" + rule + "\nEND:STANDARD\nEND:VTIMEZONE\n"
			body := strings.Replace(calendarOf("DTSTART;TZID=Ici:20270310T100000"), "BEGIN:VEVENT", zone+"BEGIN:VEVENT", 1)
			cal, err := Read([]byte(body), Options{Zone: paris(t), Now: now})
			if err != nil || len(cal.Events) != 1 {
				t.Fatalf("%s from %s: %v, %+v", rule, year, err, cal)
			}
			equal(t, rule+" from "+year, dates(t, cal.Events[0], 5), "03-10 10:00")
		}
	}
}

func TestVersions(t *testing.T) {
	one := func(name string, more ...string) string {
		return "BEGIN:VEVENT\nUID:a\nDTSTART:20270310T100000\nSUMMARY:" + name + "\n" + strings.Join(append(more, ""), "\n") + "END:VEVENT\n"
	}
	for name, c := range map[string]struct{ body, want string }{
		"a higher sequence counts":           {one("neu", "SEQUENCE:2") + one("alt", "SEQUENCE:1"), "neu"},
		"then the later change":              {one("neu", "LAST-MODIFIED:20270201T000000Z") + one("alt", "LAST-MODIFIED:20270101T000000Z"), "neu"},
		"the same twice is one":              {one("neu") + one("neu"), "neu"},
		"an occurrence without its series":   {one("allein", "RECURRENCE-ID:20270310T090000"), "allein"},
		"what has no UID is named by itself": {strings.ReplaceAll(one("a")+one("b"), "UID:a\n", ""), "a|b"},
	} {
		cal, err := Read([]byte("BEGIN:VCALENDAR\n"+c.body+"END:VCALENDAR"), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range cal.Events {
			names = append(names, e.Entry.Name)
		}
		equal(t, name, strings.Join(names, "|"), c.want)
	}
}

func TestLimits(t *testing.T) {
	if _, err := Read([]byte("<!doctype html><title>Sign in</title>"), Options{}); !errors.Is(err, ErrNotCalendar) {
		t.Errorf("a page: %v", err)
	}
	if _, err := Read(make([]byte, MaxBytes+1), Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large file: %v", err)
	}
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\n")
	for i := range MaxEvents + 3 {
		fmt.Fprintf(&b, "BEGIN:VEVENT\nUID:%d\nDTSTART:20270310T100000\nSUMMARY:x\nEND:VEVENT\n", i)
	}
	c, err := Read([]byte(b.String()+"END:VCALENDAR\n"), Options{Now: now})
	if err != nil || len(c.Events) != MaxEvents || c.Complete || codes(c) != "too_many 3" {
		t.Errorf("%v, %d events, complete %v, %s", err, len(c.Events), c.Complete, codes(c))
	}
	// Components in one another without end, and one property of four megabytes.
	deep := strings.Repeat("BEGIN:VEVENT2\n", 50_000) + calendarOf("DTSTART:20270310T100000", "DESCRIPTION:"+strings.Repeat("é", 2_000_000))
	if c, err := Read([]byte(deep), Options{Now: now}); err == nil && len(c.Events) > 0 {
		t.Errorf("read %d events below 50,000 components", len(c.Events))
	}
	long, err := Read([]byte(calendarOf("DTSTART:20270310T100000", "DESCRIPTION:"+strings.Repeat("mot ", 500_000))), Options{Now: now})
	if err != nil || len([]rune(long.Events[0].Entry.Description)) > directory.MaxDescription || codes(long) != "long_line 1, too_long 1" {
		t.Errorf("%v, %s", err, codes(long))
	}
	if cut, err := Read([]byte(strings.TrimSuffix(calendarOf("DTSTART:20270310T100000"), "END:VCALENDAR\n")), Options{}); err != nil || cut.Complete {
		t.Errorf("a file that was cut is complete: %v", err)
	}
}

// FuzzRead holds that nothing makes the reader fail, and that what it gives can be kept.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ics")
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(calendarOf("DTSTART:20270310T100000", "RRULE:FREQ=MONTHLY;BYDAY=-6MO;INTERVAL=9223372036854775807")))
	f.Add([]byte(calendarOf("DTSTART" + strings.Repeat(":", 18_000))))
	f.Add([]byte(calendarOf("UID:a", "SUMMARY:b", "DTSTART:20270101T000000", "RRULE:FREQ=DAILY", "END:VEVENT", "BEGIN:VEVENT", "UID:a",
		"RECURRENCE-ID;RANGE=THISANDFUTURE:20270401T000000", "DTSTART:20270401T010000", "DTEND:20270401T030000")))
	f.Add([]byte(calendarOf("DTSTART:20270101T000000", "RRULE:FREQ=DAILY;BYMONTH=1"+strings.Repeat(",1", 135), "END:VEVENT", "BEGIN:VEVENT", "UID:a",
		"RECURRENCE-ID;RANGE=THISANDFUTURE:20270401T000000", "DTSTART:20270401T000000", "STATUS:CANCELLED")))
	f.Add([]byte("BEGIN:VCALENDAR\nX-WR-TIMEZONE:x\nREFRESH-INTERVAL:P999999W\nBEGIN:VTIMEZONE\nTZID:z\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0000\nTZOFFSETTO:+1459\n" +
		"DTSTART:19000101T000000\nRRULE:FREQ=YEARLY;BYYEARDAY=366;COUNT=200\nRDATE:19990101T000000,22000101T000000\nEND:DAYLIGHT\nEND:VTIMEZONE\n" +
		"BEGIN:VEVENT\nSUMMARY:<b>&#0;&nbsp;\\,\nLOCATION:12345 x\nGEO:-0\\;1e-320\nDTSTART;TZID=z:21991231T235959\nDURATION:P4000DT99S\nEND:VEVENT\nEND:VCALENDAR\n"))
	zone := paris(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 20_000 {
			return
		}
		c, err := Read(b, Options{Zone: zone, Now: now})
		if err != nil {
			if !errors.Is(err, ErrNotCalendar) {
				t.Error(err)
			}
			return
		}
		seen := map[string]bool{}
		for _, e := range c.Events {
			if e.UID == "" || len(e.UID) > directory.MaxLine || seen[e.UID] || e.Entry.Name == "" || e.Entry.Event == nil || e.Entry.Event.Start.IsZero() {
				t.Errorf("an event that cannot be kept: %q %+v", e.UID, e.Entry)
			}
			seen[e.UID] = true
			if err := directory.Validate(&e.Entry, directory.Rules{}); err != nil {
				t.Error(err)
			}
			if _, err := directory.EncodeStored(&e.Entry); err != nil {
				t.Error(err)
			}
		}
	})
}
