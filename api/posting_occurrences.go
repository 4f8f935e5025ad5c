package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
	"archipel/frontend"
)

// The dates of an event that its form shows one by one. Each is named by the moment at which it would be without any
// exception, so that a form that was open for long changes what it showed.
const (
	shownDates  = 12 // that come next
	shownExtra  = 20 // extra dates to come
	emptyExtra  = 2  // rows to add some
	maxOverride = 1_000
)

// What a form says of one date.
const (
	dateAsPlanned = ""
	dateCancelled = "cancelled" // it is shown, and does not take place
	dateMoved     = "moved"
	dateLeftOut   = "left_out" // it is not even shown
)

const (
	atField    = "event.at."    // and the moment, and what of it
	extraField = "event.extra." // likewise, or newN
)

// datesOf are the dates of an event that come next, and its extra ones, as its form shows them.
func (s *Server) datesOf(e *directory.Entry, lang string) (dates, extra []frontend.PostingDate) {
	v := e.Event
	if v == nil {
		return nil, nil
	}
	l, loc, now := frontend.T(lang), v.Location(s.zone()), s.Now()
	row := func(original, at time.Time, state string) frontend.PostingDate {
		original, at = original.In(loc), at.In(loc)
		d := frontend.PostingDate{Key: strconv.FormatInt(original.Unix(), 10), Label: l.Day(original, now), State: state, Date: at.Format(formDate), AllDay: v.AllDay}
		if !v.AllDay {
			d.Label += ", " + l.Clock(original)
			d.Time = at.Format(formTime)
		}
		return d
	}
	if v.RRule != "" {
		for _, o := range plannedDates(v, now, loc) {
			dates = append(dates, row(o.Original, o.Start, stateOfDate(v, o)))
		}
	}
	for _, t := range v.RDates {
		if !t.Before(now) && len(extra) < shownExtra {
			extra = append(extra, row(t, t, dateAsPlanned))
		}
	}
	for i := range emptyExtra {
		extra = append(extra, frontend.PostingDate{Key: "new" + strconv.Itoa(i), AllDay: v.AllDay})
	}
	return dates, extra
}

// plannedDates are the next dates of a series as its rule has them, those that were taken out among them, each with what
// became of it. Start is when it takes place.
func plannedDates(v *directory.Schedule, now time.Time, loc *time.Location) []directory.Occurrence {
	plain := *v
	plain.Overrides, plain.RDates, plain.ExDates = nil, nil, nil
	length := max(v.End.Sub(v.Start), 0)
	var out []directory.Occurrence
	for _, span := range plain.Occurrences(now, now.AddDate(5, 0, 0), shownDates, loc) {
		o := directory.Occurrence{Original: span.Start.UTC(), Start: span.Start.UTC()}
		if i := slices.IndexFunc(v.Overrides, func(x directory.Occurrence) bool { return x.Original.Equal(o.Original) }); i >= 0 {
			o = v.Overrides[i]
			if o.Start.IsZero() {
				o.Start = o.Original
			}
		}
		out = append(out, o)
	}
	// A date that was moved here from before, or far ahead, can be moved back.
	for _, o := range v.Overrides {
		if !o.Start.IsZero() && o.Start.Add(length).After(now) && !slices.ContainsFunc(out, func(x directory.Occurrence) bool { return x.Original.Equal(o.Original) }) && len(out) < 3*shownDates {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b directory.Occurrence) int { return a.Original.Compare(b.Original) })
	return out
}

func stateOfDate(v *directory.Schedule, o directory.Occurrence) string {
	switch {
	case slices.ContainsFunc(v.ExDates, o.Original.Equal):
		return dateLeftOut
	case o.State == directory.Cancelled:
		return dateCancelled
	case !o.Start.Equal(o.Original):
		return dateMoved
	}
	return dateAsPlanned
}

// exceptions takes the dates that were moved, cancelled, left out or added along when the beginning or the rule changes. They
// follow another hour of the same day. After any other change those stay whose date there still is, and extra dates while the
// rule stays. It gives where a moment that the form names has gone, nil when none of them means anything any more.
func (f *filler) exceptions(v, before *directory.Schedule, loc *time.Location) func(time.Time) time.Time {
	if before == nil || v.Start.IsZero() {
		return nil
	}
	stays := func(t time.Time) time.Time { return t }
	clocks := v.AllDay == before.AllDay && loc.String() == before.Location(f.s.zone()).String()
	if clocks && v.RRule == before.RRule {
		if v.Start.Equal(before.Start) {
			return stays
		}
		if now, at, ok := before.Retimed(v.Start, f.s.zone()); ok {
			v.RRule, v.ExDates, v.RDates, v.Overrides = now.RRule, now.ExDates, now.RDates, now.Overrides
			return at
		}
	} else {
		v.RDates = nil
	}
	plain := *v
	plain.Overrides, plain.ExDates = nil, nil
	gone := func(t time.Time) bool { return !begins(plain, t, loc) }
	v.ExDates = slices.DeleteFunc(slices.Clone(v.ExDates), gone)
	v.Overrides = slices.DeleteFunc(slices.Clone(v.Overrides), func(o directory.Occurrence) bool { return gone(o.Original) })
	if !clocks {
		return nil
	}
	return stays
}

// begins says whether a date of v begins at t.
func begins(v directory.Schedule, t time.Time, loc *time.Location) bool {
	v.End = time.Time{}
	return slices.ContainsFunc(v.Occurrences(t.Add(-time.Second), t.Add(time.Second), 5, loc), func(s directory.Span) bool { return s.Start.Equal(t) })
}

// dates reads what a form says of single dates. Those that it names began before at the moments that it names, and do so now
// where at says; nil: they are gone.
func (f *filler) dates(v, before *directory.Schedule, loc *time.Location, at func(time.Time) time.Time) {
	if at == nil {
		return
	}
	v.ExDates, v.RDates, v.Overrides = slices.Clone(v.ExDates), slices.Clone(v.RDates), slices.Clone(v.Overrides)
	for _, key := range keysUnder(f.v, atField) {
		seconds, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			continue
		}
		old := time.Unix(seconds, 0).UTC()
		stood := old
		if i := slices.IndexFunc(before.Overrides, func(o directory.Occurrence) bool { return o.Original.Equal(old) }); i >= 0 && !before.Overrides[i].Start.IsZero() {
			stood = before.Overrides[i].Start
		}
		f.date(v, at(old), stood, atField+key+".", loc)
	}
	for _, key := range keysUnder(f.v, extraField) {
		old := time.Time{}
		if seconds, err := strconv.ParseInt(key, 10, 64); err == nil {
			old = time.Unix(seconds, 0).UTC()
		} else if !strings.HasPrefix(key, "new") {
			continue
		}
		// What was not there when the form came is not brought back by it.
		i := slices.IndexFunc(v.RDates, func(t time.Time) bool { return !old.IsZero() && t.Unix() == at(old).Unix() })
		if !old.IsZero() && i < 0 {
			continue
		}
		typed, ok := f.dateAndTime(extraField+key+".", v.AllDay, loc)
		if !ok {
			continue
		}
		if i >= 0 {
			typed = asShown(typed, old, v.RDates[i], loc)
			v.RDates = slices.Delete(v.RDates, i, i+1)
		}
		if !typed.IsZero() && !slices.ContainsFunc(v.RDates, typed.Equal) {
			v.RDates = append(v.RDates, typed)
		}
	}
	slices.SortFunc(v.RDates, time.Time.Compare)
	slices.SortFunc(v.Overrides, func(a, b directory.Occurrence) int { return a.Original.Compare(b.Original) })
}

// asShown is what was typed, or where the date is now when it is the one that the form showed.
func asShown(typed, shown, now time.Time, loc *time.Location) time.Time {
	if !typed.IsZero() && sameMinute(typed.In(loc), shown).Equal(shown) {
		return now.UTC()
	}
	return typed
}

// date reads what becomes of one date of a series. The form showed it at stood.
func (f *filler) date(v *directory.Schedule, original, stood time.Time, field string, loc *time.Location) {
	if !f.v.Has(field + "state") {
		return
	}
	plain := *v
	plain.Overrides, plain.RDates, plain.ExDates = nil, nil, nil
	if !begins(plain, original, loc) {
		return // no date of this series
	}
	now := directory.Occurrence{Original: original}
	if i := slices.IndexFunc(v.Overrides, func(o directory.Occurrence) bool { return o.Original.Equal(original) }); i >= 0 {
		now = v.Overrides[i]
	}
	was := now
	if was.Start.IsZero() {
		was.Start = original
	}
	state := f.v.Get(field + "state")
	at, ok := f.dateAndTime(field, v.AllDay, loc)
	if !ok {
		return
	}
	at = asShown(at, stood, was.Start, loc)
	// Another date that was typed is a move, also without saying so.
	if state == dateAsPlanned && stateOfDate(v, was) == dateAsPlanned && !at.IsZero() && !at.Equal(was.Start) {
		state = dateMoved
	}
	left := slices.DeleteFunc(slices.Clone(v.ExDates), original.Equal)
	switch state {
	case dateAsPlanned:
		now = directory.Occurrence{Original: original}
	case dateCancelled:
		now.State = directory.Cancelled
	case dateMoved:
		if at.IsZero() {
			f.add("event.overrides", directory.CodeRequired, "")
			return
		}
		if !at.Equal(was.Start) {
			now.End = time.Time{} // it lasts as long as the others
		}
		now.Start = at
		if now.State == "" || now.State == directory.Cancelled {
			now.State = directory.Rescheduled
		}
		if at.Equal(original) && now.End.IsZero() {
			now = directory.Occurrence{Original: original}
		}
	case dateLeftOut:
		left = append(left, original)
		now = directory.Occurrence{Original: original}
	default:
		f.add("event.overrides", directory.CodeUnknown, state)
		return
	}
	v.ExDates = left
	v.Overrides = slices.DeleteFunc(v.Overrides, func(o directory.Occurrence) bool { return o.Original.Equal(original) })
	if now != (directory.Occurrence{Original: original}) && len(v.Overrides) < maxOverride {
		v.Overrides = append(v.Overrides, now)
	}
}

// dateAndTime reads a date and a time of a row, zero when the row is empty.
func (f *filler) dateAndTime(field string, allDay bool, loc *time.Location) (time.Time, bool) {
	date, clock := strings.TrimSpace(f.v.Get(field+"date")), strings.TrimSpace(f.v.Get(field+"time"))
	if date == "" {
		return time.Time{}, true
	}
	day, err := time.Parse(formDate, date)
	if err != nil || day.Year() < 1800 || day.Year() > 2200 {
		f.add("event.overrides", directory.CodeInvalid, date)
		return time.Time{}, false
	}
	at := time.Time{}
	if !allDay {
		if at, err = time.Parse(formTime, clock); err != nil {
			f.add("event.overrides", directory.CodeInvalid, date+" "+clock)
			return time.Time{}, false
		}
	}
	return time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), 0, 0, loc).UTC(), true
}

// keysUnder are the keys of rows that a form has, sorted: of "event.at.17.date" under "event.at." it is "17".
func keysUnder(v url.Values, prefix string) []string {
	var out []string
	for name := range v {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			key, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(out, key) && len(out) < maxFields {
				out = append(out, key)
			}
		}
	}
	slices.Sort(out)
	return out
}
