package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// drawer chooses the dates that a page has room for, and fills them in from the store afterwards, all at once.
type drawer struct {
	s     *Server
	show  presenter
	index *geo.Snapshot
	query frontend.Query

	days, following, previous []chosenDay
}

// chosenDay is a day and the dates shown of it.
type chosenDay struct {
	day           geo.Day
	begins, going []geo.Date
	more          int
}

// byDay puts dates on the days between first and last that they touch.
func byDay(dates []geo.Date, first, last geo.Day) []chosenDay {
	days := make([]chosenDay, last-first+1)
	for i := range days {
		days[i].day = first + geo.Day(i)
	}
	for _, d := range dates {
		if d.First >= first && d.First <= last {
			days[d.First-first].begins = append(days[d.First-first].begins, d)
		}
		for day := max(d.First+1, first); day <= min(d.Last, last); day++ {
			days[day-first].going = append(days[day-first].going, d)
		}
	}
	return days
}

// cut leaves of a day what it has room for among others.
func (d *chosenDay) cut(begins, going int) {
	if n := len(d.begins); n > begins {
		d.begins, d.more = d.begins[:begins], d.more+n-begins
	}
	if n := len(d.going); n > going {
		d.going, d.more = d.going[:going], d.more+n-going
	}
}

// some takes the days that have something until the page is full, and returns the next one, or -1.
func (d *drawer) some(to *[]chosenDay, dates []geo.Date, a period) geo.Day {
	room := agendaDates
	for _, day := range byDay(dates, a.first, a.last) {
		if len(day.begins)+len(day.going) == 0 {
			continue
		}
		if room <= 0 {
			return day.day
		}
		day.cut(agendaPerDay, agendaGoing)
		room -= len(day.begins) + (len(day.going)+1)/2
		*to = append(*to, day)
	}
	return -1
}

// alone takes the dates of one day, page by page; rest is where the next page begins, or empty.
func (d *drawer) alone(to *[]chosenDay, dates []geo.Date, a period) (rest string, err error) {
	if a.after != "" {
		at, err := strconv.Atoi(a.after)
		if err != nil || at < 0 {
			return "", invalidParam("after", directory.CodeInvalid, a.after)
		}
		dates = dates[min(at, len(dates)):]
	}
	if len(dates) > agendaAlone {
		at, _ := strconv.Atoi(a.after)
		dates, rest = dates[:agendaAlone], strconv.Itoa(at+agendaAlone)
	}
	*to = append(*to, byDay(dates, a.first, a.last)...)
	return rest, nil
}

func withAfter(u, after string) string {
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	return u + sep + "after=" + url.QueryEscape(after)
}

// around looks for the nearest dates before and after an empty period.
func (d *drawer) around(v *frontend.AgendaView, f geo.Filter, a period) error {
	f.From, f.To = time.Time{}, time.Time{}
	for _, days := range []geo.Day{31, 366, 5 * 366} {
		dates, err := d.index.Dates(f, a.last+1, a.last+days)
		if err != nil {
			return err
		}
		if len(dates) > 0 {
			d.some(&d.following, dates[:min(len(dates), agendaPerDay)], period{first: a.last + 1, last: a.last + days})
			d.following = d.following[:min(len(d.following), 3)]
			break
		}
	}
	f.Current = time.Time{}
	for _, days := range []geo.Day{31, 366, 5 * 366} {
		dates, err := d.index.Dates(f, a.first-days, a.first-1)
		if err != nil {
			return err
		}
		if len(dates) > 0 {
			list := byDay(dates, a.first-days, a.first-1)
			for i := len(list) - 1; i >= 0 && len(d.previous) == 0; i-- {
				if day := list[i]; len(day.begins)+len(day.going) > 0 {
					day.cut(agendaPerDay, agendaGoing)
					d.previous = append(d.previous, day)
				}
			}
			break
		}
	}
	return nil
}

// month is the grid of a month, weeks from Monday on.
func (d *drawer) month(dates []geo.Date, a period) [][]frontend.AgendaCell {
	days := byDay(dates, a.first, a.last)
	monday := a.first - geo.Day((int(a.first.In(time.UTC).Weekday())+6)%7)
	var weeks [][]frontend.AgendaCell
	for ; monday <= a.last; monday += 7 {
		week := make([]frontend.AgendaCell, 7)
		for i := range week {
			day := monday + geo.Day(i)
			cell := frontend.AgendaCell{Day: day.In(d.show.zone), Outside: day < a.first || day > a.last}
			if !cell.Outside {
				on := days[day-a.first]
				cell.Count = len(on.begins) + len(on.going)
				if cell.Count > 0 {
					cell.URL = frontend.AgendaURL(d.query, "day", cell.Day)
				}
				on.cut(agendaNames, max(0, agendaNames-len(on.begins)))
				for _, date := range slices.Concat(on.begins, on.going) {
					_, slug, name := d.index.DateEntry(date)
					cell.Names = append(cell.Names, frontend.AgendaName{Name: name, Slug: slug, Off: date.Off})
				}
			}
			week[i] = cell
		}
		weeks = append(weeks, week)
	}
	return weeks
}

// fill reads the entries of all that was chosen, and presents them.
func (d *drawer) fill(c *fiber.Ctx, v *frontend.AgendaView) error {
	entries := map[directory.ID]*directory.Entry{}
	var ids []directory.ID
	for _, list := range [][]chosenDay{d.days, d.following, d.previous} {
		for _, day := range list {
			for _, dates := range [][]geo.Date{day.begins, day.going} {
				for _, date := range dates {
					id, _, _ := d.index.DateEntry(date)
					if _, ok := entries[id]; !ok {
						entries[id] = nil
						ids = append(ids, id)
					}
				}
			}
		}
	}
	read, err := d.s.Directory.Entries(c.UserContext(), ids)
	if err != nil {
		return fmt.Errorf("agenda: %w", err)
	}
	for i := range read {
		if read[i].Public() && read[i].Event != nil {
			entries[read[i].ID] = &read[i]
		}
	}
	present := func(dates []geo.Date) (out []frontend.AgendaDate) {
		for _, date := range dates {
			id, _, _ := d.index.DateEntry(date)
			if e := entries[id]; e != nil { // between the index and the store it may have been hidden
				out = append(out, d.show.agendaDate(e, date))
			}
		}
		return out
	}
	days := func(list []chosenDay) (out []frontend.AgendaDay) {
		for _, day := range list {
			at := day.day.In(d.show.zone)
			out = append(out, frontend.AgendaDay{
				Day: at, Dates: present(day.begins), Going: present(day.going), More: day.more, MoreURL: frontend.AgendaURL(d.query, "day", at),
			})
		}
		return out
	}
	v.Days, v.Following, v.Previous = days(d.days), days(d.following), days(d.previous)
	return nil
}

// agendaDate is one date as an agenda shows it.
func (p presenter) agendaDate(e *directory.Entry, d geo.Date) frontend.AgendaDate {
	loc := e.Event.Location(p.zone)
	span := directory.Span{Start: time.Unix(d.Start, 0).In(loc), End: time.Unix(d.End, 0).In(loc)}
	if d.End-d.Start <= 1 {
		span.End = span.Start // its end is not known
	}
	span.State = e.Event.StateAt(span.Start)
	name, summary, _, lang := p.texts(e)
	o := frontend.AgendaDate{
		Occurrence: *p.occurrence(e, span), Category: p.category(e.MainCategory()), Town: e.Town(), Summary: summary, Price: e.Event.Price,
		Online: e.Event.AttendanceURL != "" || span.State == directory.MovedOnline, Past: !time.Unix(d.End, 0).After(p.now),
	}
	o.Name = name
	o.Origin, o.Licence, o.Silent, o.Highlight = p.badge(e)
	if lang != "" && !sameLanguage(lang, p.lang) {
		o.Lang = lang
	}
	_, there := span.Start.Zone()
	if _, here := span.Start.In(p.zone).Zone(); here != there && !o.AllDay {
		o.TimeZone = loc.String()
	}
	return o
}
