package geo

import (
	"cmp"
	"slices"
	"time"

	"archipel/directory"
)

// Day is a day of the calendar, counted from 1 January 1970. It belongs to no time zone: the day of a date is the day
// where the event takes place.
type Day int32

// DayOf returns the day on which t falls in its location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// In returns the midnight, in zone, at which d begins.
func (d Day) In(zone *time.Location) time.Time {
	y, m, day := time.Unix(int64(d)*86400, 0).UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, zone)
}

// Date is one date of an event.
type Date struct {
	Start, End  int64 // Unix seconds, end excluded
	First, Last Day   // the days that it touches
	Off         bool  // it is cancelled
	row         uint32
}

// Dates lists the dates that touch the days first to last of the entries that match, by their start. The filter's From,
// To and Current are looked at date by date: what is over by then is left out. Errors wrap [ErrInvalid].
func (s *Snapshot) Dates(f Filter, first, last Day) ([]Date, error) {
	q, err := f.compile(s)
	if err != nil {
		return nil, err
	}
	from, to := int64(minTime), int64(maxTime)
	if q.timed {
		from, to = q.from, q.to
	}
	from = max(from, q.current)
	var out []Date
	s.rows(q, func(r uint32) {
		spans := s.rowSpans(r)
		// They come by their start, and few last long: the search begins where none of a year can reach the first day.
		at, _ := slices.BinarySearchFunc(spans, first, func(sp span, d Day) int { return cmp.Compare(sp.day, d-maxDays) })
		for _, sp := range spans[at:] {
			if sp.day > last {
				break
			}
			if end := sp.day + Day(sp.more); end >= first && sp.end > from && sp.start < to {
				out = append(out, Date{sp.start, sp.end, sp.day, end, sp.off, r})
			}
		}
	})
	slices.SortFunc(out, func(a, b Date) int {
		if c := cmp.Compare(a.Start, b.Start); c != 0 {
			return c
		}
		return slices.Compare(s.ids[a.row][:], s.ids[b.row][:])
	})
	return out, nil
}

// DateEntry tells whose date d is. It must come from this snapshot.
func (s *Snapshot) DateEntry(d Date) (id directory.ID, slug, name string) {
	in := &s.info[d.row]
	return s.ids[d.row].unpack(), string(s.slug(in)), string(s.name(in))
}

// maxDays is on how many days an agenda shows one date at most.
const maxDays = 366

// nightEnds is the hour until which a night belongs to the day before.
const nightEnds = 6

// daysOf returns the day on which a date begins and how many more it touches, in the event's own time zone. A night
// until the early morning is one evening.
func daysOf(sp directory.Span) (first Day, more uint16) {
	first = DayOf(sp.Start)
	if !sp.End.After(sp.Start) {
		return first, 0
	}
	end := sp.End.In(sp.Start.Location()).Add(-time.Second)
	last := DayOf(end)
	if last > first && end.Hour() < nightEnds {
		last--
	}
	return first, uint16(min(max(last-first, 0), maxDays))
}
