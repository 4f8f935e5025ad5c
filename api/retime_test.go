package api_test

import (
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"archipel/directory"
)

var inParis = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return loc
}()

// course is an event on Tuesdays and Thursdays with every kind of exception, on both sides of the change of clocks.
func course(rule string) *directory.Schedule {
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2027, month, day, hour, 0, 0, 0, inParis).UTC()
	}
	return &directory.Schedule{Start: at(3, 16, 19), End: at(3, 16, 21), Timezone: "Europe/Paris", RRule: rule, ExDates: []time.Time{at(3, 30, 19)}, RDates: []time.Time{at(4, 4, 10)},
		Overrides: []directory.Occurrence{{Original: at(3, 23, 19), State: directory.Cancelled}, {Original: at(4, 6, 19), Start: at(4, 7, 20), State: directory.Rescheduled}}}
}

func clocks(list ...time.Time) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.In(inParis).Format("01-02 15:04"))
	}
	return out
}

func exceptionsOf(v *directory.Schedule) []string {
	out := append(clocks(v.ExDates...), clocks(v.RDates...)...)
	for _, o := range v.Overrides {
		out = append(out, clocks(o.Original)...)
		if !o.Start.IsZero() {
			out = append(out, clocks(o.Start)...)
		}
	}
	return out
}

// TestExceptionsFollowTheHour: what was cancelled, left out, moved or added stays so when the event begins at another hour,
// with a rule of its own or one of the simple ones.
func TestExceptionsFollowTheHour(t *testing.T) {
	for _, rule := range []string{"FREQ=WEEKLY;BYDAY=TU,TH", "FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY;BYDAY=TU;UNTIL=20271228T180000Z"} {
		s := openPosting(t)
		anna := s.member("Anna")
		anna.owned("Chorale", func(e *directory.Entry) { e.Kind, e.Event = directory.Event, course(rule) })
		v := anna.fieldsOfPage("/e/chorale/edit")
		v.Set("event.startTime", "20:30")
		v.Set("event.endTime", "22:30")
		row := "event.at." + strconv.FormatInt(time.Date(2027, 4, 13, 19, 0, 0, 0, inParis).Unix(), 10)
		if !v.Has(row + ".state") {
			t.Fatalf("%s: no row for 13 April: %v", rule, v)
		}
		v.Set(row+".state", "cancelled") // at the same time
		v.Set("event.extra.new0.date", "2027-05-01")
		v.Set("event.extra.new0.time", "15:00")
		anna.send("/e/chorale/edit", v).leads(t, "^/e/")
		now := s.bySlug("chorale").Event
		want := []string{"03-30 20:30", "04-04 11:30", "05-01 15:00", "03-23 20:30", "04-06 20:30", "04-07 21:30", "04-13 20:30"}
		if got := exceptionsOf(now); !slices.Equal(got, want) {
			t.Errorf("%s: got %q\nwant %q", rule, got, want)
		}
		if last, ok := now.Until(inParis); ok && last.In(inParis).Format("2006-01-02 15:04") != "2027-12-28 23:59" {
			t.Errorf("the rule %s loses its last date: %s", rule, now.RRule)
		}
	}
}

// TestExceptionsThatFitStay: after another change only the exceptions stay whose date there still is.
func TestExceptionsThatFitStay(t *testing.T) {
	const own = "FREQ=WEEKLY;BYDAY=TU,TH"
	for name, c := range map[string]struct {
		rule string
		set  [][2]string
		want []string
	}{
		"another day":             {own, [][2]string{{"event.startDate", "2027-03-25"}, {"event.endDate", "2027-03-25"}}, []string{"03-30 19:00", "04-04 10:00", "04-06 19:00", "04-07 20:00"}},
		"another day and hour":    {own, [][2]string{{"event.startDate", "2027-03-18"}, {"event.endDate", "2027-03-18"}, {"event.startTime", "18:00"}}, []string{"04-04 10:00"}},
		"another day of the week": {"FREQ=WEEKLY;BYDAY=TU", [][2]string{{"event.startDate", "2027-03-17"}, {"event.endDate", "2027-03-17"}}, nil},
		"every other week":        {"FREQ=WEEKLY;BYDAY=TU", [][2]string{{"event.repeat", "fortnightly"}}, []string{"03-30 19:00"}},
		"another zone":            {own, [][2]string{{"event.timezone", "America/Montreal"}}, nil},
		"once":                    {own, [][2]string{{"event.repeat", ""}}, nil},
	} {
		s := openPosting(t)
		anna := s.member("Anna")
		anna.owned("Chorale", func(e *directory.Entry) { e.Kind, e.Event = directory.Event, course(c.rule) })
		v := anna.fieldsOfPage("/e/chorale/edit")
		for _, kv := range c.set {
			v.Set(kv[0], kv[1])
		}
		anna.send("/e/chorale/edit", v).leads(t, "^/e/")
		if got := exceptionsOf(s.bySlug("chorale").Event); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestUntouchedCourseStays: saving the form as it came changes nothing of a series and its exceptions.
func TestUntouchedCourseStays(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	e := anna.owned("Chorale", func(e *directory.Entry) { e.Kind, e.Event = directory.Event, course("FREQ=WEEKLY;BYDAY=TU,TH") })
	anna.send("/e/chorale/edit", anna.fieldsOfPage("/e/chorale/edit")).leads(t, "^/e/")
	if now := s.bySlug("chorale"); !reflect.DeepEqual(now.Event, e.Event) {
		t.Errorf("it became %+v", now.Event)
	}
}

// TestAllDayOverTheChangeOfClocks: whole days end at midnight, also the one that has 23 hours.
func TestAllDayOverTheChangeOfClocks(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	midnight := func(month time.Month, day int) time.Time {
		return time.Date(2026, month, day, 0, 0, 0, 0, inParis).UTC()
	}
	for name, c := range map[string]struct {
		start, end time.Time
		last       string // as typed, empty: as it came
		want       time.Time
	}{
		"spring":                 {midnight(3, 28), midnight(3, 30), "", midnight(3, 30)},
		"the short day":          {midnight(3, 29), midnight(3, 30), "", midnight(3, 30)},
		"a day longer":           {midnight(3, 28), midnight(3, 29), "2026-03-29", midnight(3, 30)},
		"without an end":         {midnight(3, 29), time.Time{}, "", midnight(3, 30)},
		"a day longer, autumn":   {midnight(10, 24), midnight(10, 25), "2026-10-25", midnight(10, 26)},
		"until the day before":   {midnight(3, 28), midnight(3, 30), "2026-03-28", midnight(3, 29)},
		"the long day by itself": {midnight(10, 25), midnight(10, 26), "", midnight(10, 26)},
	} {
		e := anna.owned("Foire "+name, func(e *directory.Entry) {
			e.Kind, e.Event = directory.Event, &directory.Schedule{Start: c.start, End: c.end, AllDay: true, Timezone: "Europe/Paris"}
		})
		v := anna.fieldsOfPage("/e/" + e.Slug + "/edit")
		if c.last != "" {
			v.Set("event.endDate", c.last)
		}
		anna.send("/e/"+e.Slug+"/edit", v).leads(t, "^/e/")
		if now := s.bySlug(e.Slug).Event; !now.Start.Equal(c.start) || !now.End.Equal(c.want) {
			t.Errorf("%s: from %v to %v, want %v to %v", name, now.Start, now.End, c.start, c.want)
		}
	}
}
