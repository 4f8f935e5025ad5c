package directory

import (
	"slices"
	"strings"
	"time"
)

// Span is one date of an event. End is exclusive; it equals Start when the event has no known end.
type Span struct {
	Start, End time.Time // in the event's time zone
	State      EventState
}

// Location is the event's time zone, or fallback when it names none that exists.
func (v *Schedule) Location(fallback *time.Location) *time.Location {
	if loc, err := Zone(v.Timezone); err == nil {
		return loc
	}
	if fallback == nil {
		return time.UTC
	}
	return fallback
}

// Occurrences returns the dates that touch [from, to), ascending, at most limit of them (0: no limit but 10,000). A
// recurring event keeps its wall-clock time across daylight-saving changes (RFC 5545, section 3.3.10). Moved and
// cancelled dates are as the overrides say; cancelled ones are included, with their state.
func (v *Schedule) Occurrences(from, to time.Time, limit int, fallback *time.Location) []Span {
	const most = 10_000
	if limit <= 0 || limit > most {
		limit = most
	}
	loc := v.Location(fallback)
	length := time.Duration(0)
	if v.End.After(v.Start) {
		length = v.End.Sub(v.Start)
	}
	touches := func(s Span) bool {
		return s.Start.Before(to) && (s.End.After(from) || s.End.Equal(s.Start) && !s.Start.Before(from))
	}
	if v.RRule == "" && len(v.RDates) == 0 {
		s := Span{v.Start.In(loc), v.Start.Add(length).In(loc), v.State}
		if !touches(s) {
			return nil
		}
		return []Span{s}
	}
	moved := make(map[int64]Occurrence, len(v.Overrides))
	for _, o := range v.Overrides {
		moved[o.Original.Unix()] = o
	}
	var spans []Span
	add := func(start time.Time) {
		s := Span{start.In(loc), v.endOf(start.In(loc), length), v.State}
		if o, ok := moved[start.Unix()]; ok {
			delete(moved, start.Unix())
			s = o.apply(s, length, loc)
		}
		if touches(s) {
			spans = append(spans, s)
		}
	}
	// As many as are wanted, besides those that are over by then and those that may be elsewhere.
	enough := limit + 3*maxTimesADay + len(v.Overrides)
	for _, start := range v.starts(from.Add(-length).Add(-26*time.Hour), to, enough, loc) {
		add(start)
	}
	// An override may move a date into the window from outside it.
	for _, o := range moved {
		if o.Start.IsZero() {
			continue
		}
		if s := o.apply(Span{o.Original.In(loc), v.endOf(o.Original.In(loc), length), v.State}, length, loc); touches(s) {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	if len(spans) > limit {
		spans = spans[:limit]
	}
	return spans
}

// starts are when the dates of a recurring event begin by its rule, from one moment to another, ascending, at most as many by
// the rule as said. The rule counts in what clocks show, so that no change of them moves it. A rule that cannot be read has none.
func (v *Schedule) starts(from, to time.Time, most int, loc *time.Location) []time.Time {
	without := make(map[int64]bool, len(v.ExDates))
	for _, t := range v.ExDates {
		without[t.Unix()] = true
	}
	out := slices.DeleteFunc(slices.Clone(v.RDates), func(t time.Time) bool { return t.Before(from) || t.After(to) || without[t.Unix()] })
	if v.RRule == "" && !v.Start.Before(from) && !v.Start.After(to) && !without[v.Start.Unix()] {
		out = append(out, v.Start)
	}
	if rule, err := ParseRule(v.RRule); v.RRule != "" && err == nil {
		first := shown(v.Start.In(loc))
		rule.Until = time.Time{}
		if until, ok := v.Until(loc); ok {
			rule.Until = shown(until.In(loc))
		}
		for w := range rule.Dates(first, shown(from.In(loc)), shown(to.In(loc))) {
			at := v.Start
			if !w.Equal(first) {
				at = whenShown(w, loc)
			}
			if without[at.Unix()] {
				continue
			}
			if most--; most < 0 {
				break
			}
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, func(a, b time.Time) bool { return a.Unix() == b.Unix() })
}

// shown is what clocks show at t in its location, as if it were UTC.
func shown(t time.Time) time.Time {
	_, offset := t.Zone()
	return time.Unix(t.Unix()+int64(offset), 0).UTC()
}

// whenShown is when clocks in loc show w: the first time where they do twice, and where they leave it out, as long after the
// change as it would have been (RFC 5545, section 3.3.5).
func whenShown(w time.Time, loc *time.Location) time.Time {
	about := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, loc)
	_, before := about.Add(-24 * time.Hour).Zone()
	_, after := about.Add(24 * time.Hour).Zone()
	early := time.Unix(w.Unix()-int64(before), 0).In(loc)
	late := time.Unix(w.Unix()-int64(after), 0).In(loc)
	if !shown(early).Equal(w) && shown(late).Equal(w) {
		return late
	}
	return early
}

// endOf keeps the wall-clock end of an event that lasts whole days, and the duration of any other.
func (v *Schedule) endOf(start time.Time, length time.Duration) time.Time {
	if v.AllDay && length >= 23*time.Hour {
		return start.AddDate(0, 0, int((length+12*time.Hour)/(24*time.Hour)))
	}
	return start.Add(length)
}

func (o Occurrence) apply(s Span, length time.Duration, loc *time.Location) Span {
	if o.State != "" {
		s.State = o.State
	}
	if !o.Start.IsZero() {
		s.Start, s.End = o.Start.In(loc), o.Start.Add(length).In(loc)
	}
	if !o.End.IsZero() {
		s.End = o.End.In(loc)
	}
	return s
}

// Extent is the first and the last moment that v names itself: its start, extra dates, and where dates were moved. What its rule
// adds comes after its start.
func (v *Schedule) Extent() (first, last time.Time) {
	first, last = v.Start, v.Start
	take := func(t time.Time) {
		if t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	for _, t := range v.RDates {
		take(t)
	}
	for _, o := range v.Overrides {
		if !o.Start.IsZero() {
			take(o.Start)
		}
	}
	return first, last
}

// Next returns the date that is on at now or comes next, leaving out cancelled ones unless all are. It looks far ahead: an event
// is over only when nothing comes any more.
func (v *Schedule) Next(now time.Time, fallback *time.Location) (Span, bool) {
	spans := v.Occurrences(now, now.AddDate(3, 0, 0), 60, fallback)
	if len(spans) == 0 {
		_, last := v.Extent()
		if last.Before(now) {
			last = now
		}
		spans = v.Occurrences(now, last.AddDate(farAhead, 0, 0), 60, fallback)
	}
	for _, s := range spans {
		if s.State != Cancelled {
			return s, true
		}
	}
	if len(spans) > 0 {
		return spans[0], true
	}
	return Span{}, false
}

// farAhead is for how many years no date of a rule may come while its event is not over.
const farAhead = 30

// StateAt is the state of the date that takes place at start, after its move if it was moved.
func (v *Schedule) StateAt(start time.Time) EventState {
	for _, o := range v.Overrides {
		at := o.Start
		if at.IsZero() {
			at = o.Original
		}
		if o.State != "" && at.Unix() == start.Unix() {
			return o.State
		}
	}
	return v.State
}

// Until is the last moment at which a date of a recurring event may begin, or false when its rule names none. A moment
// without a zone is one in loc, and a day is meant to its end.
func (v *Schedule) Until(loc *time.Location) (time.Time, bool) {
	for part := range strings.SplitSeq(strings.ToUpper(v.RRule), ";") {
		value, ok := strings.CutPrefix(strings.TrimSpace(part), "UNTIL=")
		if !ok {
			continue
		}
		if t, err := time.Parse("20060102T150405Z", value); err == nil {
			return t, true
		}
		if t, err := time.ParseInLocation("20060102T150405", value, loc); err == nil {
			return t, true
		}
		if t, err := time.ParseInLocation("20060102", value, loc); err == nil {
			return t.AddDate(0, 0, 1).Add(-time.Second), true
		}
	}
	return time.Time{}, false
}
