package frontend

import (
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// CalendarsURL is the page on which the team of an entry says which calendars it has elsewhere.
func CalendarsURL(slug string) string { return "/e/" + url.PathEscape(slug) + "/calendars" }

// CalendarsView is the calendars of an organisation elsewhere.
type CalendarsView struct {
	Name, Slug string
	Typed      string // the address that was sent and is wrong
	Wrong      string // what is wrong with it
	Done       string // what was done
	Refused    string // what could not be done
	Moderated  bool   // events wait for moderation
	Offline    bool   // the entry is not public, and until it is no calendar is read
	Full       bool   // there can be no more
	Most       int    // events of one calendar that may wait for moderation at once
	Calendars  []CalendarView
}

// CalendarView is one of them, as the team sees it.
type CalendarView struct {
	ID      string // in addresses
	Title   string // as it calls itself, or its host
	URL     string
	Plain   bool // fetched without encryption
	Paused  bool
	Events  int
	Waiting int       // of them, those that are not taken before others were moderated
	Fetched time.Time // last time that it was read; zero: not yet
	Next    time.Time
	Asked   bool // is fetched in this moment

	Trouble             string    // a code of the locale's [calendar_trouble]; empty: none
	Status              int       // of the server's answer
	Since               time.Time // of the trouble
	HeldMissing, HeldOf int       // events that are gone, of all that are to come; nothing was taken away yet
	Warnings            []CalendarWarning
	Refused             []CalendarRefused
}

// CalendarWarning is something that the calendar says and that was not taken over as it stands.
type CalendarWarning struct {
	Code  string // of the locale's [calendar_warning]
	Value string
	Count int
}

// CalendarRefused is an event that the directory does not take.
type CalendarRefused struct {
	Name    string
	Problem Problem
}

// CalendarActions are what the team can do with a calendar, as forms send it.
var CalendarActions = []string{"refresh", "pause", "resume", "accept", "remove", "remove_all"}

func (v CalendarView) working() bool { return v.Fetched.IsZero() && v.Trouble == "" && !v.Paused }

func calendarInput(v CalendarsView) templ.Attributes {
	described := "f-url-hint"
	a := templ.Attributes{"required": true}
	if v.Wrong != "" {
		described += " f-url-error"
		a["aria-invalid"], a["autofocus"] = "true", true
	}
	a["aria-describedby"] = described
	return a
}

// troubleText says why a calendar could not be read.
func troubleText(l *Localizer, c CalendarView) string {
	text := l.Code("calendar_trouble", c.Trouble)
	if c.Trouble == "status" {
		text += " (" + strconv.Itoa(c.Status) + ")"
	}
	return text
}

// CalendarHealth is a calendar that fails, for those who run the instance.
type CalendarHealth struct {
	Name, URL string
	Trouble   string // a code of the locale's [calendar_trouble]; empty: many of its events are gone
	Since     time.Time
}
