package api_test

import (
	"strings"
	"testing"
	"time"
)

// TestPageSaysHowOften: the page of an event that recurs says so in words, in the zone of the event.
func TestPageSaysHowOften(t *testing.T) {
	tn := openTown(t)
	e := event("Atelier du soir", time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC), "FREQ=WEEKLY;INTERVAL=2") // Wednesday in Paris
	e.Event.Timezone = "Europe/Paris"
	e = tn.put(e)[0]
	for path, want := range map[string]string{"/e/" + e.Slug: "Toutes les 2 semaines : mercredi", "/e/" + e.Slug + "?lang=en": "Every 2 weeks: Wednesday"} {
		if body := tn.get(path).body; !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

// TestPageShowsExtraDates: the page of an event that does not repeat lists its extra dates, and says nothing of a rule.
func TestPageShowsExtraDates(t *testing.T) {
	tn := openTown(t)
	e := event("Portes ouvertes", now.AddDate(0, 0, 3), "")
	e.Event.RDates = []time.Time{now.AddDate(0, 0, 10)}
	e = tn.put(e)[0]
	body := tn.get("/e/" + e.Slug).body
	for _, day := range []int{3, 10} {
		if want := `<time datetime="` + now.AddDate(0, 0, day).In(time.UTC).Format("2006-01-02"); strings.Count(body, want) < 1 || !strings.Contains(body, `class="occurrences"`) {
			t.Errorf("the date in %d days is not on the page", day)
		}
	}
}
