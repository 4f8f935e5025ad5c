package directory

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/paulmach/orb"
	"golang.org/x/text/unicode/norm"
)

var (
	bareDomain = regexp.MustCompile(`(?i)^(www\.|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,24}(/|$|\?|:[0-9]))`)
	manySpaces = regexp.MustCompile(`[\s\x{00a0}\x{202f}]+`)
)

// Normalize brings what people type into one form, without judging it: spaces, Unicode form NFC, letter case of codes,
// "https://" before a bare domain, coordinates to 7 decimals (about 1 cm), times in UTC to the millisecond, duplicates and empty parts dropped.
func Normalize(e *Entry) {
	line := func(s *string) { *s = strings.TrimSpace(manySpaces.ReplaceAllString(norm.NFC.String(*s), " ")) }
	text := func(s *string) {
		*s = strings.TrimSpace(strings.ReplaceAll(norm.NFC.String(*s), "\r\n", "\n"))
	}
	tag := func(s *string) {
		if t, ok := LanguageTag(strings.TrimSpace(*s)); ok {
			*s = t
		}
	}
	link := func(s *string) { *s = NormalizeURL(*s) }

	line(&e.Name)
	line(&e.Summary)
	text(&e.Description)
	tag(&e.Lang)
	if e.Translations != nil {
		translations := make(map[string]Translation, len(e.Translations))
		for _, said := range slices.Sorted(maps.Keys(e.Translations)) { // of two ways to write a tag the same one counts each time
			t, lang := e.Translations[said], said
			tag(&lang)
			line(&t.Name)
			line(&t.Summary)
			text(&t.Description)
			if t != (Translation{}) {
				translations[lang] = t
			}
		}
		if e.Translations = translations; len(translations) == 0 {
			e.Translations = nil
		}
	}
	e.Categories = cleanList(e.Categories, strings.TrimSpace)
	e.Tags = cleanList(e.Tags, func(s string) string {
		line(&s)
		return strings.TrimLeftFunc(s, func(r rune) bool { return r == '#' || unicode.IsSpace(r) })
	})
	for i, p := range e.Sites {
		e.Sites[i] = orb.Point{roundTo(p[0], 1e7), roundTo(p[1], 1e7)}
	}
	e.Sites = dropRepeated(e.Sites)
	if a := e.Area; a != nil {
		a.Zones = cleanList(a.Zones, strings.TrimSpace)
		if len(a.Zones) == 0 && (a.Shape == nil || a.Shape.Geometry == nil) {
			e.Area = nil
		}
	}
	if a := e.Address; a != nil {
		for _, s := range []*string{&a.Street, &a.PostalCode, &a.Locality, &a.Region, &a.Country, &a.Code} {
			line(s)
		}
		if len(a.Country) == 2 {
			a.Country = strings.ToUpper(a.Country)
		}
		if *a == (Address{}) {
			e.Address = nil
		}
	}
	if c := e.Contact; c != nil {
		line(&c.Name)
		line(&c.Phone)
		c.Email = normalizeEmail(c.Email)
		link(&c.Website)
		if *c == (Contact{}) {
			e.Contact = nil
		}
	}
	for i := range e.Links {
		link(&e.Links[i].URL)
		line(&e.Links[i].Title)
		e.Links[i].Rel = strings.TrimSpace(e.Links[i].Rel)
	}
	e.Links = dropRepeated(slices.DeleteFunc(e.Links, func(l Link) bool { return l.URL == "" && l.Title == "" }))
	line(&e.OpeningHours)
	for i := range e.Images {
		link(&e.Images[i].URL)
		line(&e.Images[i].Alt)
		line(&e.Images[i].Credit)
		e.Images[i].Licence = CanonicalLicence(e.Images[i].Licence)
	}
	for _, m := range []*map[string]string{&e.Accessibility, &e.Identifiers, &e.Extra} {
		if len(*m) == 0 {
			*m = nil
			continue
		}
		clean := make(map[string]string, len(*m))
		for _, k := range slices.Sorted(maps.Keys(*m)) {
			v := (*m)[k]
			line(&k)
			line(&v)
			if v != "" {
				clean[k] = v
			}
		}
		if *m = clean; len(clean) == 0 {
			*m = nil
		}
	}
	instant(&e.Created)
	instant(&e.Updated)
	instant(&e.Checked)
	instant(&e.Claimed)
	if e.Fediverse != nil {
		e.Fediverse.normalize()
	}
	if v := e.Event; v != nil {
		instant(&v.Start)
		instant(&v.End)
		for i := range v.ExDates {
			instant(&v.ExDates[i])
		}
		for i := range v.RDates {
			instant(&v.RDates[i])
		}
		for i := range v.Overrides {
			o := &v.Overrides[i]
			instant(&o.Original)
			instant(&o.Start)
			instant(&o.End)
		}
		v.Timezone = strings.TrimSpace(v.Timezone)
		v.RRule = strings.TrimPrefix(strings.TrimSpace(v.RRule), "RRULE:")
		link(&v.AttendanceURL)
		link(&v.RegisterURL)
		line(&v.Price)
		for i := range v.Languages {
			tag(&v.Languages[i])
		}
	}
	e.Licence = CanonicalLicence(e.Licence)
	if s := e.Source; s != nil {
		line(&s.Name)
		link(&s.URL)
		s.ExternalID = strings.TrimSpace(s.ExternalID)
		if *s == (Source{}) {
			e.Source = nil
		}
	}
	if p := e.Private; p != nil {
		p.Email = normalizeEmail(p.Email)
		line(&p.Phone)
		text(&p.Note)
		if len(p.Owners) == 0 && len(p.Editors) == 0 && p.Team == "" && p.Email == "" && p.Phone == "" && p.Note == "" && p.Mirror == nil && p.Twin == "" {
			e.Private = nil
		}
	}
}

// instant keeps the moment and drops the offset: what an offset means to people is in the event's Timezone.
func instant(t *time.Time) {
	if !t.IsZero() {
		*t = t.UTC().Truncate(time.Millisecond)
	}
}

// NormalizeURL trims s and puts "https://" before a bare domain; anything else is left as it is.
func NormalizeURL(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.Contains(s, "://") || !bareDomain.MatchString(s) {
		return s
	}
	return "https://" + s
}

func normalizeEmail(s string) string {
	s = strings.TrimPrefix(strings.TrimSpace(s), "mailto:")
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return s[:at+1] + strings.ToLower(s[at+1:])
	}
	return s
}

func roundTo(v, scale float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	return math.Round(v*scale) / scale
}

func cleanList(list []string, clean func(string) string) []string {
	seen := make(map[string]bool, len(list))
	var kept []string
	for _, s := range list {
		s = clean(s)
		if key := strings.ToLower(s); s != "" && !seen[key] {
			seen[key] = true
			kept = append(kept, s)
		}
	}
	return kept
}

func dropRepeated[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	var kept []T
	for _, v := range list {
		if !seen[v] {
			seen[v] = true
			kept = append(kept, v)
		}
	}
	return kept
}
