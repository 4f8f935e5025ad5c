package api_test

import (
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
