package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/hours"
	"archipel/frontend"
	"archipel/geo/geocode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// presenter turns entries into what a page shows, in one language at one moment.
type presenter struct {
	s    *Server
	lang string
	now  time.Time
	zone *time.Location
	demo bool

	fades time.Time // what nobody confirmed since then has faded; zero: nothing fades
}

func (s *Server) presenter(lang string) presenter {
	site := s.Site()
	zone := s.zone()
	p := presenter{s: s, lang: lang, now: s.Now().In(zone), zone: zone, demo: site.Demo}
	if site.FadeAfter > 0 {
		p.fades = p.now.AddDate(0, -site.FadeAfter, 0)
	}
	return p
}

func (p presenter) category(id string) frontend.Category {
	c, ok := p.s.Taxonomy.Category(id)
	if !ok {
		return frontend.Category{ID: id, Label: id}
	}
	return frontend.Category{ID: id, Label: p.s.Taxonomy.Label(id, p.lang), Icon: c.Icon, Color: c.Color}
}

// categories lists the whole taxonomy, for the map.
func (p presenter) categories() []frontend.Category {
	items := p.s.Taxonomy.Items(p.lang)
	out := make([]frontend.Category, len(items))
	for i, c := range items {
		label := c.Short
		if label == "" {
			label = c.Label
		}
		out[i] = frontend.Category{ID: c.ID, Label: label, Icon: c.Icon, Color: c.Color}
	}
	return out
}

// texts are an entry's words in the page's language where it has them.
func (p presenter) texts(e *directory.Entry) (name, summary, description, lang string) {
	name, summary, description, lang = e.Name, e.Summary, e.Description, e.Lang
	if lang == "" || sameLanguage(lang, p.lang) {
		return
	}
	for tag, t := range e.Translations {
		if !sameLanguage(tag, p.lang) {
			continue
		}
		lang = tag
		if t.Name != "" {
			name = t.Name
		}
		if t.Summary != "" {
			summary = t.Summary
		}
		if t.Description != "" {
			description = t.Description
		}
		return
	}
	return
}

func sameLanguage(a, b string) bool {
	x, _, _ := strings.Cut(a, "-")
	y, _, _ := strings.Cut(b, "-")
	return strings.EqualFold(x, y)
}

func (p presenter) occurrence(e *directory.Entry, s directory.Span) *frontend.Occurrence {
	o := &frontend.Occurrence{Start: s.Start, AllDay: e.Event.AllDay, Name: e.Name, Slug: e.Slug, Status: eventWord(s.State)}
	if s.End.After(s.Start) {
		o.End = s.End
		if o.AllDay {
			o.End = s.End.Add(-time.Minute) // the last day is included, for people
		}
	}
	return o
}

func eventWord(s directory.EventState) string {
	if s == directory.Scheduled {
		return ""
	}
	return string(s)
}

func (p presenter) alive(e *directory.Entry, h *hours.Hours) frontend.Alive {
	a := frontend.Alive{Checked: inZone(e.Checked, p.zone)}
	seen := e.Checked
	if seen.IsZero() {
		seen = e.Updated
	}
	a.Seen, a.Stale = inZone(seen, p.zone), e.Kind != directory.Event && seen.Before(p.fades)
	if e.Event == nil {
		p.open(h, &a)
	}
	if v := e.Event; v != nil {
		if span, ok := v.Next(p.now, p.zone); ok {
			a.Next = p.occurrence(e, span)
			a.Next.Name, a.Next.Slug = "", ""
			a.Status = eventWord(span.State)
		} else {
			a.Status = "ended"
			a.Next = p.occurrence(e, directory.Span{Start: v.Start.In(v.Location(p.zone)), End: v.End.In(v.Location(p.zone)), State: v.State})
		}
		if v.State == directory.Cancelled {
			a.Status = "cancelled"
		}
	}
	return a
}

func inZone(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

func position(e *directory.Entry) *frontend.Position {
	if len(e.Sites) == 0 {
		return nil
	}
	return &frontend.Position{Lon: e.Sites[0][0], Lat: e.Sites[0][1], Approximate: e.Approximate}
}

// card is an entry in a list. distance is in metres, negative when there is none.
func (p presenter) card(e *directory.Entry, distance float64) frontend.Card {
	name, summary, _, _ := p.texts(e)
	h := e.Hours()
	c := frontend.Card{
		ID: string(e.ID), Slug: e.Slug, Name: name, Kind: string(e.Kind), Category: p.category(e.MainCategory()), Town: e.Town(), Distance: distance,
		Summary: summary, Position: position(e), Alive: p.alive(e, h), Fictitious: p.demo && e.Origin == "", PrintHours: p.hoursLine(e, h),
	}
	if a := e.Address; a != nil {
		c.PrintLine = join(", ", a.Street, join(" ", a.PostalCode, a.Locality))
	}
	c.Origin, c.Licence, c.Silent, c.Highlight = p.badge(e)
	if e.Contact != nil {
		c.PrintPhone = e.Contact.Phone
	}
	return c
}

func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// cards presents entries with their distances (nil: none), numbered from first for those with a position.
func (p presenter) cards(entries []directory.Entry, distance map[directory.ID]float64) []frontend.Card {
	cards := make([]frontend.Card, len(entries))
	number := 0
	for i := range entries {
		d := -1.0
		if v, ok := distance[entries[i].ID]; ok {
			d = v
		}
		cards[i] = p.card(&entries[i], d)
		if cards[i].Position != nil {
			number++
			cards[i].Number = number
		}
	}
	return cards
}

// entry is everything that a page tells of an entry.
func (p presenter) entry(ctx context.Context, e *directory.Entry) (frontend.EntryView, error) {
	name, summary, description, lang := p.texts(e)
	h := e.Hours()
	v := frontend.EntryView{
		ID: string(e.ID), Slug: e.Slug, Name: name, Kind: string(e.Kind), Category: p.category(e.MainCategory()), Tags: e.Tags, Town: e.Town(),
		Summary: summary, DescriptionHTML: renderMarkdown(description), Position: position(e), Alive: p.alive(e, h),
		Created: inZone(e.Created, p.zone), Updated: inZone(e.Updated, p.zone), Version: int64(e.Version), Fictitious: p.demo && e.Origin == "",
		Claimed:    inZone(e.Claimed, p.zone),
		SchemaType: p.s.Taxonomy.SchemaType(e.MainCategory(), e.Kind),
	}
	if lang != "" && !sameLanguage(lang, p.lang) {
		v.Lang = lang
	}
	if len(e.Categories) > 1 {
		for _, id := range e.Categories[1:] {
			v.Categories = append(v.Categories, p.category(id))
		}
	}
	if a := e.Address; a != nil {
		v.Address = frontend.Address{Street: a.Street, PostalCode: a.PostalCode, Town: a.Locality, Region: a.Region, Country: a.Country}
	}
	if len(e.Sites) > 1 {
		for _, site := range e.Sites {
			v.Sites = append(v.Sites, frontend.Place{Position: frontend.Position{Lon: site[0], Lat: site[1], Approximate: e.Approximate}})
		}
	}
	v.Area = p.area(e.Area)
	if c := e.Contact; c != nil {
		v.Contact.Name = c.Name
		v.Contact.Phones = nonEmpty(c.Phone)
		v.Contact.Emails = nonEmpty(c.Email)
		v.Contact.Websites = nonEmpty(c.Website)
	}
	for _, l := range e.Links {
		v.Links = append(v.Links, frontend.Link{Rel: l.Rel, Label: l.Title, URL: l.URL})
	}
	v.Hours = p.hours(e, h)
	for _, m := range e.Images {
		if !strings.HasPrefix(m.URL, "/") {
			// A picture elsewhere would tell a third party who reads this page: it is offered as a link.
			v.Links = append(v.Links, frontend.Link{Label: m.Alt, URL: m.URL})
			continue
		}
		v.Images = append(v.Images, shownPicture(m))
	}
	for _, key := range directory.AccessibilityKeys {
		if value, ok := e.Accessibility[key]; ok {
			v.Accessibility = append(v.Accessibility, frontend.Fact{Code: key, Value: value})
		}
	}
	v.Event = p.event(e)
	if e.Licence != "" {
		v.Licence = frontend.Licence{ID: e.Licence, URL: directory.LicenceURL(e.Licence)}
		if !e.MayBeCopied() {
			v.Licence = frontend.Licence{Name: frontend.T(p.lang).Text("notice.licence_not_stated")}
		}
	}
	if e.Source != nil {
		v.Source = &frontend.Source{Name: e.Source.Name, URL: e.Source.URL}
		v.Attribution = p.s.attribution(e.Source.Name)
	}
	related, err := p.related(ctx, e)
	if err != nil {
		return v, err
	}
	v.Related = related
	return v, nil
}

func (p presenter) area(a *directory.Area) string {
	if a == nil {
		return ""
	}
	names := make([]string, 0, len(a.Zones))
	for _, code := range a.Zones {
		if p.s.Places != nil {
			if z, ok := p.s.Places.Zone(geocode.ZoneCode(code), p.lang); ok {
				code = z.Label
			}
		}
		names = append(names, code)
	}
	return strings.Join(names, ", ")
}

func (p presenter) event(e *directory.Entry) *frontend.EventView {
	v := e.Event
	if v == nil {
		return nil
	}
	a := p.alive(e, nil)
	out := &frontend.EventView{OnlineURL: v.AttendanceURL, RegisterURL: v.RegisterURL, Price: v.Price}
	if a.Next != nil {
		out.Occurrence = *a.Next
	}
	if loc := v.Location(p.zone); loc.String() != p.zone.String() {
		out.TimeZone = loc.String()
	}
	if v.RRule != "" {
		out.Recurrence = frontend.T(p.lang).Recurrence(v.RRule, v.Start.In(v.Location(p.zone)))
	}
	if v.RRule != "" || len(v.RDates) > 0 {
		for _, span := range v.Occurrences(p.now, p.now.AddDate(1, 0, 0), 8, p.zone) {
			out.Upcoming = append(out.Upcoming, *p.occurrence(e, span))
		}
	}
	namer := display.Languages(language.Make(p.lang))
	for _, l := range v.Languages {
		if name := namer.Name(language.Make(l)); name != "" {
			out.Languages = append(out.Languages, name)
		}
	}
	return out
}

// reversed names a relation as the other side has it.
var reversed = map[string]string{"organises": "organisedBy", "organisedBy": "organises", "hosts": "hostedBy", "memberOf": "members", "partOf": "parts", "sameAs": "sameAs"}

// related lists the public entries that e is tied to, from either side.
func (p presenter) related(ctx context.Context, e *directory.Entry) ([]frontend.RelatedGroup, error) {
	targets := map[string][]directory.ID{}
	for _, r := range e.Relations {
		if id := p.s.Relations.Resolve(r.Target); id != e.ID && !slices.Contains(targets[r.Rel], id) {
			targets[r.Rel] = append(targets[r.Rel], id)
		}
	}
	for _, r := range p.s.Relations.To(e) {
		if rel := reversed[r.Rel]; !slices.Contains(targets[rel], r.Target) { // both sides may say it
			targets[rel] = append(targets[rel], r.Target)
		}
	}
	order := []string{"organises", "organisedBy", "hosts", "hostedBy", "parts", "partOf", "members", "memberOf", "sameAs"}
	var groups []frontend.RelatedGroup
	for _, rel := range order {
		if len(targets[rel]) == 0 {
			continue
		}
		entries, err := p.s.Directory.Entries(ctx, p.soonest(rel, targets[rel]))
		if err != nil {
			return nil, err
		}
		entries = slices.DeleteFunc(entries, func(e directory.Entry) bool { return !e.Public() && e.Home() == "" || p.ended(&e) })
		slices.SortStableFunc(entries, func(a, b directory.Entry) int { return p.startOf(&a).Compare(p.startOf(&b)) })
		if len(entries) > 0 {
			groups = append(groups, frontend.RelatedGroup{Relation: rel, Cards: p.cards(entries, nil)})
		}
	}
	return groups, nil
}

func (p presenter) ended(e *directory.Entry) bool {
	if e.Event == nil {
		return false
	}
	_, ok := e.Event.Next(p.now, p.zone)
	return !ok
}

func (p presenter) startOf(e *directory.Entry) time.Time {
	if e.Event == nil {
		return time.Time{}
	}
	next, _ := e.Event.Next(p.now, p.zone)
	return next.Start
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
