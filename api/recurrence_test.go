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
