package ical

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"archipel/directory"

	"github.com/teambition/rrule-go"
)

// zone is what a TZID means: a zone of IANA, or the rules that the calendar describes.
type zone struct {
	loc   *time.Location // in which events are shown; where rules is set, as near as can be
	rules []turn         // ascending; nil: loc says it all
}

// turn is a change of the offset.
type turn struct {
	at     int64 // Unix time
	before int   // seconds east of UTC
	after  int
}

// moment is when clocks of the zone show what a stamp says.
func (z zone) moment(s stamp) time.Time {
	if s.utc || z.rules == nil {
		return s.in(z.loc).UTC()
	}
	local := s.clock.Unix()
	offset := z.rules[0].before
	for _, t := range z.rules {
		// In the hour that there is twice, the first is meant.
		if local < t.at+int64(max(t.before, t.after)) {
			break
		}
		offset = t.after
	}
	return time.Unix(local-int64(offset), 0).UTC()
}

// zones resolves the time zones of one calendar.
type zones struct {
	r       *reader
	home    *time.Location // of what names none
	defined map[string]*component
	known   map[string]zone
}

// Limits of what is looked for, since it takes time: zones of one calendar, and names in one file.
const (
	maxZones = 200
	maxNames = 1_000
)

func (r *reader) zones(cal *component, home *time.Location) *zones {
	z := &zones{r: r, home: home, defined: map[string]*component{}, known: map[string]zone{}}
	for _, c := range cal.within {
		if c.name == "VTIMEZONE" {
			if id := c.get("TZID"); id != nil && len(z.defined) < maxZones {
				z.defined[strings.TrimSpace(id.value)] = c
			}
		}
	}
	return z
}

// of is the zone that a TZID names: IANA's, Windows', what the calendar describes, an offset, and else the home zone.
func (z *zones) of(tzid string) zone {
	tzid = strings.TrimSpace(tzid)
	if tzid == "" {
		return zone{loc: z.home}
	}
	if known, ok := z.known[tzid]; ok {
		return known
	}
	if len(z.known) == maxZones {
		z.r.warn(WarnZone, tzid, 1)
		return zone{loc: z.home}
	}
	z.known[tzid] = z.find(tzid)
	return z.known[tzid]
}

func (z *zones) find(tzid string) zone {
	if loc := z.r.named(tzid); loc != nil {
		return zone{loc: loc}
	}
	if def := z.defined[tzid]; def != nil {
		if p := def.get("X-LIC-LOCATION"); p != nil {
			if loc := z.r.named(p.value); loc != nil {
				return zone{loc: loc}
			}
		}
		if turns := turnsOf(def); len(turns) > 0 {
			if loc := z.like(turns); loc != nil {
				return zone{loc: loc}
			}
			z.r.warn(WarnZoneRules, tzid, 1)
			return zone{loc: z.home, rules: turns}
		}
	}
	if loc := z.offset(tzid); loc != nil {
		return zone{loc: loc}
	}
	z.r.warn(WarnZone, tzid, 1)
	return zone{loc: z.home}
}

// abbreviations are names that are no zones of IANA, and are met.
var abbreviations = map[string]string{
	"cest": "Europe/Paris", "mez": "Europe/Berlin", "mesz": "Europe/Berlin", "bst": "Europe/London", "z": "UTC", "utc0": "UTC",
	"paris, madrid": "Europe/Paris", "brussels, copenhagen, madrid, paris": "Europe/Paris", "europe/kyiv": "Europe/Kiev",
}

// named is the zone of IANA that a name stands for: its own, the end of a longer one such as
// "/mozilla.org/20050126_1/Europe/Paris", or Windows'.
func (r *reader) named(name string) *time.Location {
	name = strings.Trim(strings.TrimSpace(name), `"'/`)
	if r.names++; name == "" || len(name) > 200 || r.names > maxNames {
		return nil
	}
	lower := strings.ToLower(name)
	for _, table := range []map[string]string{windows, abbreviations} {
		if iana, ok := table[lower]; ok {
			if loc, err := time.LoadLocation(iana); err == nil {
				return loc
			}
		}
	}
	parts := strings.Split(strings.ReplaceAll(name, " ", "_"), "/")
	for from := range parts {
		if len(parts)-from > 3 || from > 0 && len(parts)-from < 2 {
			continue
		}
		if iana := strings.Join(parts[from:], "/"); ianaForm.MatchString(iana) {
			if loc, err := directory.Zone(iana); err == nil {
				return loc
			}
		}
	}
	return nil
}

var ianaForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

var offsetForm = regexp.MustCompile(`^\(?(?:GMT|UTC)?\s*([+-])(\d{1,2}):?(\d{2})?\)?(.*)$`)

// offset is the zone of a name such as "UTC+02:00", or "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris" as Outlook has it: the
// home zone when that is the offset of its winters, since such names are of zones with summer time.
func (z *zones) offset(name string) *time.Location {
	m := offsetForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(name)))
	if m == nil {
		return nil
	}
	hours, _ := strconv.Atoi(m[2])
	minutes, _ := strconv.Atoi(m[3])
	seconds := hours*3600 + minutes*60
	if m[1] == "-" {
		seconds = -seconds
	}
	if strings.TrimSpace(m[4]) != "" {
		year := z.r.now.Year()
		_, january := time.Date(year, 1, 1, 0, 0, 0, 0, z.home).Zone()
		_, july := time.Date(year, 7, 1, 0, 0, 0, 0, z.home).Zone()
		if min(january, july) == seconds {
			return z.home
		}
	}
	return fixed(seconds)
}

// fixed is the zone of IANA that always has an offset, if there is one.
func fixed(seconds int) *time.Location {
	hours := seconds / 3600
	if seconds%3600 != 0 || hours < -12 || hours > 14 {
		return nil
	}
	name := "UTC"
	if hours > 0 {
		name = "Etc/GMT-" + strconv.Itoa(hours) // its signs are the other way round
	} else if hours < 0 {
		name = "Etc/GMT+" + strconv.Itoa(-hours)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}

// Years in which the rules of a described zone are worked out, and those after now in which it must agree with a zone of
// IANA to be taken for it.
const (
	rulesFrom, rulesTo = 1995, 2045
	agreeYears         = 3
)

// turnsOf works out when the clocks of a described zone change (RFC 5545, section 3.6.5).
func turnsOf(def *component) []turn {
	var out []turn
	earliest := turn{}
	for i, c := range def.within {
		if i >= 100 {
			break
		}
		start, from, to := c.get("DTSTART"), c.get("TZOFFSETFROM"), c.get("TZOFFSETTO")
		if start == nil || from == nil || to == nil {
			continue
		}
		before, ok := parseOffset(from.value)
		after, ok2 := parseOffset(to.value)
		if !ok || !ok2 {
			continue
		}
		first, err := time.Parse("20060102T150405", strings.TrimSuffix(strings.TrimSpace(start.value), "Z"))
		if err != nil || first.Year() < 1600 {
			continue // the 1601 that Outlook begins with is fine
		}
		add := func(local time.Time) {
			if len(out) < 2_000 {
				out = append(out, turn{local.Unix() - int64(before), before, after})
			}
		}
		if earliest == (turn{}) || first.Unix() < earliest.at {
			earliest = turn{first.Unix(), after, after}
		}
		rule := c.get("RRULE")
		if rule == nil || first.Year() >= rulesFrom {
			add(first)
		}
		for _, p := range c.props {
			if p.name == "RDATE" {
				for _, v := range splitList(p.value) {
					if s, ok := parseStamp(v); ok {
						add(s.clock)
					}
				}
			}
		}
		if rule == nil {
			continue
		}
		r, err := directory.ParseRule(strings.ToUpper(rule.value))
		if err != nil || r.Freq != rrule.YEARLY || r.Interval > 1 || r.Count > 0 && first.Year() < 1900 {
			continue
		}
		if len(r.Bymonth) == 0 && len(r.Byweekno)+len(r.Byyearday)+len(r.Bymonthday)+len(r.Byweekday) > 0 {
			continue // no clocks are changed so, and looking at each day of all those years takes long
		}
		if years := rulesFrom - first.Year(); years > 0 && r.Count == 0 {
			first = first.AddDate(years, 0, 0)
		}
		if !r.Until.IsZero() {
			r.Until = r.Until.Add(time.Duration(before) * time.Second) // it is written in UTC
		}
		n := 0
		for at := range r.Dates(first, first, time.Date(rulesTo, 1, 1, 0, 0, 0, 0, time.UTC)) {
			add(at)
			if n++; n == 200 {
				break
			}
		}
	}
	if len(out) == 0 && earliest != (turn{}) {
		out = append(out, earliest)
	}
	slices.SortFunc(out, func(a, b turn) int { return int(min(max(a.at-b.at, -1), 1)) })
	return slices.Compact(out)
}

func parseOffset(s string) (int, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ":", "")
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:])
	if err != nil || n < 0 {
		return 0, false
	}
	if len(s) == 5 {
		n *= 100
	}
	seconds := n/10_000*3600 + n/100%100*60 + n%100
	if seconds > 15*3600 {
		return 0, false
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// candidates are the zones of IANA that a description is compared with, the likelier first.
var candidates = sync.OnceValue(func() []*time.Location {
	var out []*time.Location
	for _, name := range slices.Compact(slices.Sorted(maps.Values(windows))) {
		if loc, err := time.LoadLocation(name); err == nil {
			out = append(out, loc)
		}
	}
	return out
})

// like is a zone of IANA whose clocks show the same as the described one's, from a year ago on for some years; the home zone
// if it is one of them.
func (z *zones) like(turns []turn) *time.Location {
	from, to := z.r.now.AddDate(-1, 0, 0), z.r.now.AddDate(agreeYears, 0, 0)
	agrees := func(loc *time.Location) bool {
		for at := from; at.Before(to); at = at.Add(61 * time.Hour) {
			if _, have := at.In(loc).Zone(); have != offsetAt(turns, at.Unix()) {
				return false
			}
		}
		return true
	}
	for _, loc := range append([]*time.Location{z.home}, candidates()...) {
		if agrees(loc) {
			return loc
		}
	}
	return nil
}

func offsetAt(turns []turn, at int64) int {
	offset := turns[0].before
	for _, t := range turns {
		if at < t.at {
			break
		}
		offset = t.after
	}
	return offset
}
