package geo

import (
	"slices"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

var _ directory.View = (*Index)(nil)

// Apply takes the newest state of each entry, as a directory.View: it is inserted, replaces what is there, or is dropped
// when it is not public. Sites off the map are left out.
func (x *Index) Apply(entries []directory.Entry) {
	newest := make(map[directory.ID]int, len(entries))
	for i := range entries {
		newest[entries[i].ID] = i
	}
	items := make([]Item, 0, len(newest))
	var gone []id
	for i := range entries {
		e := &entries[i]
		if newest[e.ID] != i {
			continue
		}
		if e.Shown() {
			if it := itemOf(e, x.Zone); it.check() == nil {
				items = append(items, it)
				continue
			}
		}
		if packed, err := packID(e.ID); err == nil {
			gone = append(gone, packed)
		}
	}
	x.update(items, gone)
}

// maxTimes bounds the dates of one event: five years of Mondays to Fridays.
const maxTimes = 1500

// itemOf returns what the map knows of an entry, with zone for an event that names none. It shares the entry's lists.
func itemOf(e *directory.Entry, zone *time.Location) Item {
	it := Item{
		ID: e.ID, Kind: e.Kind, Slug: e.Slug, Name: e.Name, Town: e.Town(), Categories: e.Categories, Tags: e.Tags,
		Points: e.Sites, Approximate: e.Approximate, Updated: e.Updated, Origin: e.Origin,
	}
	if e.Event == nil {
		if it.Seen = e.Checked; it.Seen.IsZero() {
			it.Seen = e.Updated
		}
	}
	if e.OpeningHours != "" {
		it.Hours, it.Holidays = e.OpeningHours, e.Holidays()
	}
	if slices.ContainsFunc(it.Points, offMap) {
		it.Points = slices.DeleteFunc(slices.Clone(it.Points), offMap)
	}
	if e.Event != nil {
		// A recurring event is on the agenda until five years after its last change, and from its first date, which may have
		// been moved to before its beginning; one that has too many dates, from a year before that change.
		from, to := e.Event.Extent()
		if e.Event.RRule != "" {
			if to = e.Event.Start; e.Updated.After(to) {
				to = e.Updated
			}
		}
		it.Times = e.Event.Occurrences(from, to.AddDate(5, 0, 0), maxTimes+1, zone)
		if len(it.Times) > maxTimes && to.AddDate(-1, 0, 0).After(from) {
			it.Times = e.Event.Occurrences(to.AddDate(-1, 0, 0), to.AddDate(5, 0, 0), maxTimes, zone)
		}
	}
	return it
}

func offMap(p orb.Point) bool { return checkPoint(p) != nil }
