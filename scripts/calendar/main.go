// Command calendar writes random events as iCalendar, with the dates that we think they have, for another program to read
// back: one JSON object a line. See ./run.
//
//	go run ./scripts/calendar -events 400
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/calendar"
)

// One is an event with its dates. Those of whole days are "2006-01-02", others Unix seconds; a date that is cancelled has "-"
// before it.
type One struct {
	Calendar string   `json:"calendar"`
	Until    int64    `json:"until"` // dates that begin later are not compared
	Dates    []string `json:"dates"`
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "calendar:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("calendar", flag.ContinueOnError)
	n := flags.Int("events", 400, "how many")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(5545, 7986)) // the same events on every run
	out := json.NewEncoder(stdout)
	for range *n {
		e, err := event(r)
		if err != nil {
			return err
		}
		one, err := written(&e)
		if err != nil {
			return err
		}
		if err := out.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

var zones = []string{"Europe/Paris", "Europe/Paris", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Indian/Reunion", "UTC", "Europe/Dublin"}

var rules = []string{
	"FREQ=DAILY;COUNT=20", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR", "FREQ=WEEKLY;BYDAY=MO,WE,SU;COUNT=31",
	"FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYMONTHDAY=15", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=YEARLY",
	"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "",
}

// event is a random event, with dates that are moved, cancelled, left out and added.
func event(r *rand.Rand) (directory.Entry, error) {
	loc, err := time.LoadLocation(zones[r.IntN(len(zones))])
	if err != nil {
		return directory.Entry{}, err
	}
	v := &directory.Schedule{Timezone: loc.String(), RRule: rules[r.IntN(len(rules))], AllDay: r.IntN(5) == 0}
	v.Start = time.Date(2026, time.Month(1+r.IntN(12)), 1+r.IntN(27), 8+r.IntN(14), 15*r.IntN(4), 0, 0, loc)
	v.End = v.Start.Add(time.Duration(1+r.IntN(6)) * 30 * time.Minute)
	if v.AllDay {
		y, m, d := v.Start.Date()
		v.Start = time.Date(y, m, d, 0, 0, 0, 0, loc)
		v.End = v.Start.AddDate(0, 0, 1+r.IntN(3))
	}
	if !strings.Contains(v.RRule, "COUNT") && v.RRule != "" && r.IntN(3) == 0 {
		v.RRule += ";UNTIL=" + v.Start.AddDate(0, 5, 0).UTC().Format("20060102T150405Z")
	}
	if v.RRule != "" {
		// The first date is one of the rule's: on others, programs disagree.
		first := v.Occurrences(v.Start.AddDate(0, 0, 1), v.Start.AddDate(2, 0, 0), 1, nil)
		if len(first) == 1 {
			length := v.End.Sub(v.Start)
			v.Start = first[0].Start
			v.End = v.Start.Add(length)
			if v.AllDay {
				v.End = first[0].End
			}
		}
	}
	dates := v.Occurrences(v.Start, v.Start.AddDate(1, 0, 0), 12, nil)
	for i, d := range dates {
		if i == 0 || v.RRule == "" {
			continue
		}
		switch r.IntN(6) {
		case 0:
			v.ExDates = append(v.ExDates, d.Start)
		case 1:
			v.Overrides = append(v.Overrides, directory.Occurrence{Original: d.Start, State: directory.Cancelled})
		case 2:
			to := d.Start.AddDate(0, 0, 1+r.IntN(2))
			if !v.AllDay {
				to = to.Add(time.Duration(r.IntN(3)) * 15 * time.Minute)
			}
			v.Overrides = append(v.Overrides, directory.Occurrence{Original: d.Start, Start: to, State: directory.Rescheduled})
		}
	}
	if r.IntN(3) == 0 {
		for i := range 2 {
			extra := v.Start.AddDate(0, 0, 100+17*i)
			// One that is there by the rule as well is one date, which ical.js tells twice.
			if len(v.Occurrences(extra.Add(-time.Second), extra.Add(time.Second), 1, nil)) == 0 {
				v.RDates = append(v.RDates, extra)
			}
		}
	}
	e := directory.Entry{ID: directory.NewID(), Kind: directory.Event, Name: "Fête; du « vélo », n° 1", Slug: "x", Status: directory.Published, Version: 1, Created: v.Start, Updated: v.Start, Event: v}
	directory.Normalize(&e)
	return e, directory.Validate(&e, directory.Rules{})
}

func written(e *directory.Entry) (One, error) {
	var b strings.Builder
	w := calendar.NewWriter(&b, calendar.Options{Name: "Agenda", Lang: "fr", Host: "annuaire.example"})
	if err := w.Write(e); err != nil {
		return One{}, err
	}
	if err := w.Close(); err != nil {
		return One{}, err
	}
	// Between two days, wherever they are: whole days are compared as days of Greenwich.
	until := e.Event.Start.AddDate(1, 0, 0).Add(-36*time.Hour - 17*time.Minute)
	one := One{Calendar: b.String(), Until: until.Unix(), Dates: []string{}}
	for _, s := range e.Event.Occurrences(e.Event.Start.AddDate(0, 0, -7), until, 0, nil) {
		text := fmt.Sprint(s.Start.Unix(), "/", s.End.Unix())
		if e.Event.AllDay {
			text = s.Start.Format(time.DateOnly) + "/" + s.End.Format(time.DateOnly)
		}
		if s.State == directory.Cancelled {
			text = "-" + text
		}
		one.Dates = append(one.Dates, text)
	}
	return one, nil
}
