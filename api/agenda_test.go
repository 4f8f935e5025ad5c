package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

// told gives the names on a page of the agenda, in their order, those of days in brackets before them.
func told(body string) string {
	var out []string
	for _, m := range regexp.MustCompile(`<h3 id="d(\d+)">|<a href="/e/[^"]*"[^>]*>([^<]*)</a>`).FindAllStringSubmatch(body, -1) {
		if m[1] != "" {
			out = append(out, "["+m[1][4:]+"]")
		} else if m[2] != "" {
			out = append(out, m[2])
		}
	}
	return strings.Join(out, " ")
}

func lasting(name string, start time.Time, d time.Duration) directory.Entry {
	e := event(name, start, "")
	e.Event.End = start.Add(d)
	return e
}

// paris is a moment of March 2027 as clocks show it there.
func paris(day, hour int) time.Time {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return time.Date(2027, 3, day, hour, 0, 0, 0, loc)
}

func fillAgenda(s *site) {
	weekly := event("Repair", paris(6, 14), "FREQ=WEEKLY")
	weekly.Event.Overrides = []directory.Occurrence{
		{Original: paris(20, 14).UTC(), State: directory.Cancelled},
		{Original: paris(27, 14).UTC(), Start: paris(29, 18).UTC(), End: paris(29, 20).UTC(), State: directory.Rescheduled},
	}
	away := event("Veillée", paris(13, 3), "") // the evening before in New York
	away.Event.Timezone = "America/New_York"
	days := lasting("Salon", paris(12, 0), 72*time.Hour)
	days.Event.AllDay = true
	s.put(
		lasting("Petit-déjeuner", paris(12, 8), time.Hour), // over at 10:00
		lasting("Exposition", paris(8, 9), 5*24*time.Hour), // until the 13th, 9:00
		lasting("Bal", paris(12, 21), 5*time.Hour),         // until 2:00
		weekly, away, days,
		lasting("Chantier", paris(18, 9), 3*time.Hour),
		place("Nulle date", "Saint-Étienne", 4.39, 45.44, "coworking"),
	)
}

func TestAgendaByDay(t *testing.T) {
	s := open(t)
	fillAgenda(s)
	for _, c := range []struct{ name, path, want string }{
		{"today: what is over has left, what has begun stays", "/agenda?view=day", "[0312] Exposition Salon Bal Veillée"},
		{"the list's word for it", "/agenda?datetime=today", "[0312] Exposition Salon Bal Veillée"},
		{"weekend", "/agenda?view=weekend", "[0313] Exposition Salon Repair [0314] Salon"},
		{"week, empty days left out", "/agenda?view=week&date=2027-03-15", "[0318] Chantier [0320] Repair"},
		{"a night until two is one evening", "/agenda?view=day&date=2027-03-13", "[0313] Exposition Salon Repair"},
		{"past days are all there", "/agenda?view=day&date=2027-03-10", "[0310] Exposition"},
		{"moved to another week", "/agenda?view=week&date=2027-03-23", "[0329] Repair"},
		{"an interval of the list", "/agenda?datetime=2027-03-18/2027-03-19", "[0318] Chantier"},
		{"words", "/agenda?view=week&q=chantier&date=2027-03-15", "[0318] Chantier"},
		{"a box elsewhere is empty and says what comes nowhere", "/agenda?bbox=0,0,1,1", ""},
		{"an empty day offers the next ones, and the last", "/agenda?view=day&date=2027-03-16", "[0318] Chantier [0320] Repair [0329] Repair [0314] Salon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get(c.path)
			if got := told(a.body); a.StatusCode != http.StatusOK || got != c.want {
				t.Errorf("got %d %q, want %q", a.StatusCode, got, c.want)
			}
		})
	}
}

func TestAgendaIsCut(t *testing.T) {
	s := open(t)
	var many []directory.Entry
	for i := range 450 {
		many = append(many, lasting(fmt.Sprintf("Fête %03d", i), paris(14, 8).Add(time.Duration(i)*time.Minute), time.Hour))
	}
	for i := range 20 {
		many = append(many, lasting(fmt.Sprintf("Salon %02d", i), paris(13, 8), 72*time.Hour))
	}
	s.put(many...)
	shown := func(path string) (int, string) {
		a := s.get(path)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
		}
		return len(regexp.MustCompile(`<h4>|<span>\s*<a href="/e/`).FindAllString(a.body, -1)), a.body
	}
	n, body := shown("/agenda?view=week&lang=fr")
	if n > 60 || !strings.Contains(body, "voir les 453 autres") { // 450 begin and 20 go on; 12 and 5 are shown
		t.Errorf("week: %d dates are drawn, or the rest is not told", n)
	}
	if !strings.Contains(body, `href="/agenda?date=2027-03-14&amp;view=day"`) {
		t.Error("week: nothing leads to the whole day")
	}
	n, body = shown("/agenda?view=month&lang=fr")
	if n > 0 || !strings.Contains(body, "voir les 467 autres") || len(body) > 200_000 {
		t.Errorf("month: %d dates are drawn below the grid, %d bytes", n, len(body))
	}
	seen, next := 0, "/agenda?date=2027-03-14&view=day"
	for range 10 {
		n, body = shown(next)
		seen += n
		m := regexp.MustCompile(`<a class="button" rel="next nofollow" href="([^"]*after=[^"]*)"`).FindStringSubmatch(body)
		if m == nil {
			break
		}
		next = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	if seen != 470 {
		t.Errorf("the pages of one day have %d dates, want 470", seen)
	}
}

func TestAgendaWords(t *testing.T) {
	s := open(t)
	fillAgenda(s)
	for _, c := range []struct{ name, path, want string }{
		{"cancelled is said and struck through", "/agenda?view=week&date=2027-03-15&lang=fr", `Annulé`},
		{"its line is marked", "/agenda?view=week&date=2027-03-15&lang=fr", `class="date off"`},
		{"moved", "/agenda?view=week&date=2027-03-23&lang=fr", "Déplacé à une autre date"},
		{"hours are those of the event, with its zone", "/agenda?view=day&date=2027-03-12&lang=fr", "21:00–23:00"},
		{"the zone", "/agenda?view=day&date=2027-03-12&lang=fr", "America/New_York"},
		{"several days", "/agenda?view=day&lang=fr", "usqu’au dimanche 14 mars"},
		{"a whole day", "/agenda?view=day&lang=fr", "journée"},
		{"English", "/agenda?view=day&lang=en", "ntil Sunday 14 March"},
		{"an empty one says so", "/agenda?view=day&date=2027-03-16&lang=fr", "Aucune date"},
		{"month", "/agenda?view=month&lang=fr", "Mars 2027"},
		{"cancelled in the grid", "/agenda?view=month&lang=fr", "<del>Repair</del>"},
		{"earlier", "/agenda?view=month&lang=fr", `href="/agenda?date=2027-02-01&amp;view=month"`},
		{"later", "/agenda?view=month&lang=fr", `href="/agenda?date=2027-04-01&amp;view=month"`},
		{"the list of the same", "/agenda?view=weekend&q=repair", `href="/?datetime=2027-03-13%2F2027-03-14&amp;kind=event&amp;q=repair"`},
		{"filters stay", "/agenda?view=week&q=repair", `view=week`},
		{"a past date has archives", "/agenda?view=day&date=1999-01-01", "1998-12-31"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := s.get(c.path); a.StatusCode != http.StatusOK || !strings.Contains(a.body, c.want) {
				t.Errorf("got %d, without %s\n%s", a.StatusCode, c.want, a.body)
			}
		})
	}
	for _, path := range []string{"/agenda?view=month&date=1970-01-01", "/agenda?view=month&date=2199-12-31"} {
		if a := s.get(path); a.StatusCode != http.StatusOK || strings.Contains(a.body, "date=1969") || strings.Contains(a.body, "date=2200") {
			t.Errorf("%s: got %d, or it leads out of the calendar", path, a.StatusCode)
		}
	}
}

// TestAgendaCountsLikeTheStore compares a month with what the schedules themselves say, day by day.
func TestAgendaCountsLikeTheStore(t *testing.T) {
	s := open(t)
	rules := []string{"", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY;BYDAY=1SA,-1SU", "FREQ=WEEKLY;BYDAY=SU;COUNT=9"}
	var all []directory.Entry
	for i := range 60 {
		e := event(fmt.Sprintf("Date %d", i), paris(-20+i, i%24).Add(time.Duration(i)*time.Minute), rules[i%len(rules)])
		e.Event.End = e.Event.Start.Add(time.Duration(i%5) * 11 * time.Hour)
		all = append(all, e)
	}
	all = s.put(all...)
	want := map[string]int{}
	for _, e := range all {
		for _, span := range e.Event.Occurrences(paris(-30, 0), paris(40, 0), 0, nil) {
			end := span.End.Add(-time.Second)
			if !span.End.After(span.Start) {
				end = span.Start
			}
			first, last := dayOf(span.Start), dayOf(end)
			if last.After(first) && end.Hour() < 6 {
				last = last.AddDate(0, 0, -1)
			}
			for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
				want[day.Format(time.DateOnly)]++
			}
		}
	}
	body := s.get("/agenda?view=month&lang=fr").body
	compared := 0
	for day := paris(1, 0); day.Month() == time.March; day = day.AddDate(0, 0, 1) {
		name := day.Format(time.DateOnly)
		m := regexp.MustCompile(`<time datetime="` + name + `">\d+</time>\s*<span class="count" aria-hidden="true">(\d+)<`).FindStringSubmatch(body)
		got := "0"
		if m != nil {
			got = m[1]
		}
		compared += want[name]
		if got != fmt.Sprint(want[name]) {
			t.Errorf("%s: got %s dates, want %d", name, got, want[name])
		}
	}
	if compared < 100 {
		t.Errorf("only %d dates were compared", compared)
	}
}

func dayOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// BenchmarkAgendaMonth draws a month that has 10,000 events, 2,000 of which come back every week.
func BenchmarkAgendaMonth(b *testing.B) {
	s := open(b)
	var all []directory.Entry
	for i := range 10_000 {
		e := event(fmt.Sprintf("Date n° %d", i), paris(1+i%31, 8+i%14), "")
		if i%5 == 0 {
			e = event(fmt.Sprintf("Rendez-vous n° %d", i), paris(1+i%31, 8+i%14).AddDate(0, -4, 0), "FREQ=WEEKLY")
		}
		e.Summary = "Un rendez-vous de la région, ouvert à toutes et à tous."
		e.Categories = []string{[]string{"coworking", "atelier-velo", "cafe-associatif", "energie"}[i%4]}
		all = append(all, e)
	}
	for len(all) > 0 {
		n := min(len(all), 1000)
		s.put(all[:n]...)
		all = all[n:]
	}
	for _, path := range []string{"/agenda?view=month", "/agenda", "/agenda?view=day&date=2027-03-20", "/agenda?view=month&category=energie"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if a := s.get(path); a.StatusCode != http.StatusOK {
					b.Fatal(a.StatusCode)
				}
			}
		})
	}
}
