package ical

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
)

// source is a VEVENT whose beginning could be read.
type source struct {
	*component
	uid        string
	start      stamp
	zone       string // TZID of the start
	recurrence *property
	sequence   int
	changed    string
}

func (s *source) text(name string) string {
	if p := s.get(name); p != nil {
		return p.value
	}
	return ""
}

func (s *source) newer(than *source) bool {
	return cmp.Or(cmp.Compare(s.sequence, than.sequence), cmp.Compare(s.changed, than.changed)) > 0
}

// source takes an event's UID and beginning, or nil when it is none for the public.
func (r *reader) source(c *component) *source {
	s := &source{component: c}
	switch strings.ToUpper(strings.TrimSpace(s.text("CLASS"))) {
	case "PRIVATE", "CONFIDENTIAL":
		r.warn(WarnPrivate, "", 1)
		return nil
	}
	p := c.get("DTSTART")
	if p == nil {
		r.warn(WarnDate, unescape(s.text("SUMMARY")), 1)
		return nil
	}
	var ok bool
	if s.start, ok = parseStamp(p.value); !ok {
		r.warn(WarnDate, p.value, 1)
		return nil
	}
	s.zone = p.param("TZID")
	s.recurrence = c.get("RECURRENCE-ID")
	if s.recurrence != nil {
		if _, ok := parseStamp(s.recurrence.value); !ok {
			r.warn(WarnDate, s.recurrence.value, 1)
			return nil
		}
	}
	s.sequence, _ = strconv.Atoi(strings.TrimSpace(s.text("SEQUENCE"))) // 0 when it is not a number
	s.changed = strings.TrimSpace(s.text("LAST-MODIFIED"))
	if s.changed == "" && s.get("SEQUENCE") != nil {
		s.changed = strings.TrimSpace(s.text("DTSTAMP")) // often the moment of the export, the same for all
	}
	s.uid = shortUID(strings.TrimSpace(readable(unescape(s.text("UID")), false)))
	if s.uid == "" {
		// Without a name, what it says names it: it is another event when that changes.
		s.uid = shortUID("no-uid " + s.start.clock.Format(time.RFC3339) + " " + s.text("SUMMARY") + strings.Repeat(" ", 300))
	}
	return s
}

// shortUID keeps what fits into an external id, and a digest of what does not.
func shortUID(uid string) string {
	if len(uid) <= 200 {
		return uid
	}
	sum := sha256.Sum256([]byte(uid))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// event makes an entry of a series.
func (r *reader) event(g *series, z *zones) (Event, bool) {
	s := g.master
	e := directory.Entry{Kind: directory.Event, Status: directory.Published, Name: oneLine(unescape(s.text("SUMMARY")), directory.MaxName)}
	if looksLikeHTML(e.Name) {
		e.Name = fromHTML(e.Name)
	}
	e.Name = oneLine(html.UnescapeString(e.Name), directory.MaxName)
	if e.Name == "" {
		r.warn(WarnTitle, s.uid, 1)
		return Event{}, false
	}
	e.Event = r.schedule(g, z)
	place := r.texts(&e, s)
	directory.Normalize(&e)
	return Event{UID: shortUID(g.uid), Entry: e, Place: place}, true
}

// maxExceptions is how many single dates of a kind a series may have.
const maxExceptions = 1_000

// schedule is when an event takes place.
func (r *reader) schedule(g *series, z *zones) *directory.Schedule {
	s := g.master
	where := z.of(s.zone)
	v := &directory.Schedule{AllDay: s.start.day, State: state(s.text("STATUS"))}
	repeats := s.get("RRULE") != nil || s.get("RDATE") != nil
	switch {
	case s.start.utc && repeats:
		where = zone{loc: time.UTC} // it keeps its time by the clocks of Greenwich
	case s.start.utc:
		where = zone{loc: z.home}
	}
	if allDay := s.text("X-MICROSOFT-CDO-ALLDAYEVENT"); strings.EqualFold(strings.TrimSpace(allDay), "TRUE") {
		v.AllDay = true
	}
	v.Timezone = where.loc.String()
	v.Start = where.moment(s.start)
	v.End = r.end(s, z, where, v.Start, v.AllDay)
	if !repeats {
		return v
	}
	r.rules(v, s)
	v.ExDates = r.moments(s, "EXDATE", z, where)
	v.RDates = slices.DeleteFunc(r.moments(s, "RDATE", z, where), func(t time.Time) bool { return t.Equal(v.Start) })
	for _, d := range g.dates {
		r.override(v, d, s, z, where)
	}
	for _, list := range []*[]time.Time{&v.ExDates, &v.RDates} {
		if len(*list) > maxExceptions {
			r.warn(WarnExceptions, s.uid, 1)
			*list = (*list)[len(*list)-maxExceptions:]
		}
	}
	if len(v.Overrides) > maxExceptions {
		r.warn(WarnExceptions, s.uid, 1)
		v.Overrides = v.Overrides[len(v.Overrides)-maxExceptions:]
	}
	return v
}

// end is when an event that begins at start ends, zero when nobody says.
func (r *reader) end(s *source, z *zones, where zone, start time.Time, allDay bool) time.Time {
	var end time.Time
	if p := s.get("DTEND"); p != nil {
		if t, ok := parseStamp(p.value); ok {
			in := where
			if id := p.param("TZID"); id != "" {
				in = z.of(id)
			}
			end = in.moment(t)
		}
	} else if p := s.get("DURATION"); p != nil {
		if days, rest, ok := duration(p.value); ok {
			end = start.In(where.loc).AddDate(0, 0, min(days, 4_000)).Add(rest).UTC()
		}
	}
	switch {
	case allDay && !end.After(start):
		return start.In(where.loc).AddDate(0, 0, 1).UTC() // one day, of which some give the last moment and some the first
	case end.IsZero() || end.Equal(start):
		return time.Time{}
	case end.Before(start) || end.Year() > 2200:
		r.warn(WarnEnd, s.text("SUMMARY"), 1)
		return time.Time{}
	}
	return end
}

// rules takes the recurrence, if it is one that the directory knows.
func (r *reader) rules(v *directory.Schedule, s *source) {
	for i := range s.props {
		p := &s.props[i]
		switch p.name {
		case "EXRULE":
			r.warn(WarnRuleExtra, p.value, 1)
		case "RRULE":
			if v.RRule != "" {
				r.warn(WarnRuleExtra, p.value, 1)
				continue
			}
			rule := strings.Trim(strings.ToUpper(strings.Join(strings.Fields(p.value), "")), ";")
			if directory.CheckRule(rule, v.Start.In(v.Location(nil))) != nil {
				r.warn(WarnRule, p.value, 1)
				continue
			}
			v.RRule = rule
		}
	}
}

// moments are the dates of EXDATE or RDATE. A day means the date that begins on it; of a period, its beginning counts.
func (r *reader) moments(s *source, name string, z *zones, where zone) []time.Time {
	var out []time.Time
	for i := range s.props {
		p := &s.props[i]
		if p.name != name {
			continue
		}
		in := where
		if id := p.param("TZID"); id != "" {
			in = z.of(id)
		}
		for _, text := range strings.Split(p.value, ",") {
			text, _, _ = strings.Cut(text, "/")
			if strings.TrimSpace(text) == "" {
				continue
			}
			t, ok := parseStamp(text)
			if !ok {
				r.warn(WarnExceptions, text, 1)
				continue
			}
			out = append(out, in.moment(like(t, s.start)))
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// like gives a day the time of a series that is not of whole days, and takes it from a moment of one that is.
func like(t, start stamp) stamp {
	switch {
	case t.day && !start.day:
		clock := start.clock
		return stamp{clock: time.Date(t.clock.Year(), t.clock.Month(), t.clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC), utc: start.utc}
	case !t.day && start.day:
		return stamp{clock: time.Date(t.clock.Year(), t.clock.Month(), t.clock.Day(), 0, 0, 0, 0, time.UTC), day: true}
	}
	return t
}

// following is how many dates a change of all dates from one on is worked out for.
const following = 100

// maxFutures is how many changes of that kind a calendar may have, since each has its dates worked out; those of others count
// for one date.
const maxFutures = 100

// override takes what was said of one date of a series.
func (r *reader) override(v *directory.Schedule, d, master *source, z *zones, where zone) {
	in := where
	if id := d.recurrence.param("TZID"); id != "" {
		in = z.of(id)
	}
	t, _ := parseStamp(d.recurrence.value) // it was read before
	original := in.moment(like(t, master.start))
	own := z.of(d.zone)
	if d.start.utc {
		own = where
	}
	start := own.moment(d.start)
	o := directory.Occurrence{Original: original, Start: start, End: r.end(d, z, own, start, v.AllDay)}
	if st := state(d.text("STATUS")); st != "" && st != v.State {
		o.State = st
	}
	if d.text("SUMMARY") != "" && d.text("SUMMARY") != master.text("SUMMARY") {
		r.warn(WarnOccurrence, unescape(d.text("SUMMARY")), 1)
	}
	if strings.EqualFold(d.recurrence.param("RANGE"), "THISANDFUTURE") {
		r.warn(WarnFollowing, unescape(master.text("SUMMARY")), 1)
		if r.futures++; r.futures <= maxFutures {
			r.andFuture(v, o, where)
			return
		}
	}
	r.setOverride(v, o)
}

// setOverride replaces what was known of a date. What is as the series says is no exception.
func (r *reader) setOverride(v *directory.Schedule, o directory.Occurrence) {
	length := v.End.Sub(v.Start)
	if v.End.IsZero() {
		length = 0
	}
	moved := !o.Start.Equal(o.Original)
	if lasts := o.End.Sub(o.Start); o.End.IsZero() || lasts == length {
		o.End = time.Time{}
	}
	if !moved && o.End.IsZero() {
		o.Start = time.Time{}
	} else if o.State == "" && moved {
		o.State = directory.Rescheduled
	}
	v.Overrides = slices.DeleteFunc(v.Overrides, func(old directory.Occurrence) bool { return old.Original.Equal(o.Original) })
	if o.Start.IsZero() && o.End.IsZero() && o.State == "" {
		return
	}
	// A little more than is kept in the end stays meanwhile, since each of many is compared with all.
	if v.Overrides = append(v.Overrides, o); len(v.Overrides) > maxExceptions+100 {
		v.Overrides = slices.Delete(v.Overrides, 0, 99)
	}
}

// andFuture changes all dates from one on: a cancellation ends the series before it, a move is worked out for the dates that
// come next, as many as [following], from that date or from a month ago on.
func (r *reader) andFuture(v *directory.Schedule, o directory.Occurrence, where zone) {
	if o.State == directory.Cancelled {
		var parts []string
		for part := range strings.SplitSeq(v.RRule, ";") {
			if !strings.HasPrefix(part, "UNTIL=") && !strings.HasPrefix(part, "COUNT=") {
				parts = append(parts, part)
			}
		}
		if v.RRule != "" {
			ended := strings.Join(parts, ";") + ";UNTIL=" + o.Original.Add(-time.Second).UTC().Format("20060102T150405Z")
			if _, err := directory.ParseRule(ended); err != nil { // longer than a rule may be
				r.warn(WarnRule, ended, 1)
				return
			}
			v.RRule = ended
		}
		v.RDates = slices.DeleteFunc(v.RDates, func(t time.Time) bool { return !t.Before(o.Original) })
		return
	}
	from := o.Original
	if recent := r.now.AddDate(0, -1, 0); from.Before(recent) {
		from = recent
	}
	shift := shown(o.Start, where.loc).Sub(shown(o.Original, where.loc))
	series := *v
	series.Overrides = nil
	for _, span := range series.Occurrences(from, from.AddDate(5, 0, 0), following, where.loc) {
		if span.Start.Before(o.Original) {
			continue
		}
		start := stamp{clock: shown(span.Start, where.loc).Add(shift)}.in(where.loc).UTC()
		next := directory.Occurrence{Original: span.Start.UTC(), Start: start, State: o.State}
		if !o.End.IsZero() {
			next.End = start.Add(o.End.Sub(o.Start))
		}
		if !inRange(next.Start) || !next.End.IsZero() && !inRange(next.End) || !inRange(next.Original) {
			break
		}
		r.setOverride(v, next)
	}
}

// shown is what clocks show at t in loc, as if it were UTC.
func shown(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

func state(s string) directory.EventState {
	switch strings.ToUpper(strings.TrimSpace(s)) {
	case "CANCELLED", "CANCELED":
		return directory.Cancelled
	case "TENTATIVE":
		return directory.Tentative
	}
	return ""
}
