package transfer

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
)

func (b *builder) contacts(p *parts) error {
	e := &p.entry
	c := directory.Contact{Name: p.one["contactName"], Email: strings.TrimPrefix(p.one["email"], "mailto:"), Phone: phone(p.one["phone"])}
	if b.own {
		c.Phone, c.Website = p.one["phone"], p.one["website"]
	}
	if v := c.Email; v != "" && !b.own {
		if found := mailbox.FindString(v); found != v {
			c.Email = found
			if found == "" {
				p.warn("email", CodeDropped, v, "is no mail address, left out")
			} else {
				p.warn("email", CodeAltered, v, "only the first mail address was taken")
			}
		}
	}
	if v := p.one["website"]; v != "" && !b.own {
		found := webAddresses(v)
		switch {
		case len(found) > 0:
			c.Website = found[0]
			for _, more := range found[1:] {
				if more != c.Website {
					e.Links = append(e.Links, directory.Link{Rel: relOf(more, "related"), URL: more})
				}
			}
			if strings.ContainsAny(v, " |") && strings.TrimPrefix(v, found[0]) != "" && len(found) == 1 {
				p.warn("website", CodeAltered, v, "only the web address was taken")
			}
		case mailbox.FindString(v) == v && c.Email == "":
			c.Email = v
			p.warn("website", CodeAltered, v, "is a mail address and was taken as such")
		default:
			p.warn("website", CodeDropped, v, "is no web address, left out")
		}
	}
	if c != (directory.Contact{}) {
		e.Contact = &c
	}
	for _, m := range p.many {
		field := m.col.Field
		switch {
		case field == "links":
			b.linkList(p, m.value)
		case field == "images":
			b.imageList(p, m.value)
		case strings.HasPrefix(field, linkPrefix):
			found := links(m.value, strings.TrimPrefix(field, linkPrefix))
			if len(found) == 0 {
				p.warn(m.col.Name, CodeDropped, m.value, "is no web address, left out")
			}
			for _, l := range found {
				if !slices.Contains(e.Links, l) {
					e.Links = append(e.Links, l)
				}
			}
			p.given["links"] = true
		}
	}
	return nil
}

// phone takes the first number of a cell and the spelling that entries use.
func phone(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "tel:"), "Tél. ")
	for _, sep := range []string{" / ", ";", " ou ", "|", "\n"} {
		s, _, _ = strings.Cut(s, sep)
	}
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '\u00a0' || r == '\u202f' || r == '_' {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) == 9 && s[0] >= '1' && s[0] <= '9' && strings.Trim(s, "0123456789") == "" {
		return "0" + s // a spreadsheet took it for a number
	}
	return s
}

func (b *builder) linkList(p *parts, v string) {
	e := &p.entry
	if strings.HasPrefix(v, "[") {
		var list []directory.Link
		if err := json.Unmarshal([]byte(v), &list); err == nil {
			e.Links = append(e.Links, list...)
			return
		}
		p.warn("links", CodeDropped, v, "broken JSON, left out")
		return
	}
	found := webAddresses(v)
	if len(found) == 0 {
		p.warn("links", CodeDropped, v, "holds no web address, left out")
	}
	for _, u := range found {
		e.Links = append(e.Links, directory.Link{Rel: relOf(u, "related"), URL: u})
	}
}

func (b *builder) imageList(p *parts, v string) {
	e := &p.entry
	if strings.HasPrefix(v, "[{") || v == "[]" {
		var list []directory.Image
		if err := json.Unmarshal([]byte(v), &list); err == nil {
			e.Images = append(e.Images, list...)
			return
		}
		p.warn("images", CodeDropped, v, "broken JSON, left out")
		return
	}
	found := webAddresses(v)
	if len(found) == 0 {
		p.warn("images", CodeDropped, v, "holds no web address, left out")
	}
	for _, u := range found {
		e.Images = append(e.Images, directory.Image{URL: u, Alt: e.Name})
	}
}

// structured reads the columns that hold JSON, and families of columns.
func (b *builder) structured(p *parts) error {
	e := &p.entry
	for _, c := range []struct {
		name target
		to   any
	}{
		{"translations", &e.Translations}, {"relations", &e.Relations}, {"accessibility", &e.Accessibility},
		{"identifiers", &e.Identifiers}, {"extra", &e.Extra},
	} {
		if v := p.one[c.name]; v != "" {
			if c.name == "accessibility" && !strings.HasPrefix(v, "{") {
				put(&e.Accessibility, "note", v)
			} else if err := json.Unmarshal([]byte(v), c.to); err != nil {
				return &refused{string(c.name), CodeSyntax, v, "broken JSON: " + err.Error()}
			}
		}
	}
	if v := p.one["area"]; v != "" {
		shape := &directory.Shape{}
		if err := json.Unmarshal([]byte(v), shape); err != nil {
			p.warn("area", CodeDropped, v, "is no GeoJSON geometry, left out")
		} else {
			if e.Area == nil {
				e.Area = &directory.Area{}
			}
			e.Area.Shape = shape
		}
	}
	for t, v := range p.one {
		family, key, ok := strings.Cut(string(t), ".")
		if !ok {
			continue
		}
		switch family + "." {
		case identifierPrefix:
			if key == "siret" || key == "siren" {
				v = strings.ReplaceAll(strings.ReplaceAll(v, " ", ""), "\u00a0", "")
			}
			put(&e.Identifiers, key, v)
		case accessPrefix:
			if key == "wheelchair" {
				if yes, err := truth(v); err == nil {
					v = map[bool]string{true: "yes", false: "no"}[yes]
				}
			}
			put(&e.Accessibility, key, v)
		case extraPrefix:
			put(&e.Extra, key, v)
		}
	}
	if id := directory.ID(p.one["id"]); !b.own && id.Valid() {
		p.maybe = id
	}
	if b.own && p.one["origin"] != "" && p.one["sourceName"] == "" {
		e.Source = comesFrom(p.one["origin"], p.id)
		return nil
	}
	if name, id, link := p.one["sourceName"], p.one["sourceId"], p.one["sourceUrl"]; name+id+link != "" {
		if id == "" && !b.own {
			id = p.one["id"]
		}
		e.Source = &directory.Source{Name: name, URL: link, ExternalID: id}
	} else if id := p.one["id"]; id != "" && !b.own {
		e.Source = &directory.Source{ExternalID: id}
	}
	return nil
}

// when reads what only events have. A row of another kind that has such values keeps them only if it says that it is
// an event.
func (b *builder) when(p *parts) error {
	e := &p.entry
	v := directory.Schedule{
		Timezone: p.one["timezone"], RRule: p.one["rrule"], Price: p.one["price"], AttendanceURL: p.one["attendanceUrl"],
		RegisterURL: p.one["registerUrl"], State: directory.EventState(p.one["eventStatus"]),
	}
	start := p.one["start"]
	if start == "" {
		if e.Kind == directory.Event {
			return &refused{"start", directory.CodeRequired, "", "an event has a start"}
		}
		return nil
	}
	kind := e.Kind
	if kind == "" {
		kind = directory.Kind(b.mapping.Kind)
	}
	if kind != "" && kind != directory.Event {
		p.warn("start", CodeDropped, start, "only events have dates, left out")
		return nil
	}
	zone := b.zone
	if v.Timezone != "" {
		z, err := directory.Zone(v.Timezone)
		if err != nil {
			return &refused{"timezone", directory.CodeUnknown, v.Timezone, "is no IANA time zone"}
		}
		zone = z
	} else if !b.own {
		v.Timezone = b.mapping.Timezone
	}
	join := func(date, clockTime string) string {
		if clockTime != "" {
			date, _, _ = strings.Cut(date, "T")
			return date + " " + clock(clockTime)
		}
		return date
	}
	var err error
	var day, endDay bool
	if v.Start, day, err = moment(join(start, p.one["startTime"]), zone); err != nil {
		return &refused{"start", directory.CodeInvalid, start, "is no date"}
	}
	v.AllDay = day
	if s := p.one["allDay"]; s != "" {
		if v.AllDay, err = truth(s); err != nil {
			return &refused{"allDay", directory.CodeInvalid, s, "is neither yes nor no"}
		}
	}
	end := p.one["end"]
	if end == "" && p.one["endTime"] != "" {
		end = v.Start.Format("2006-01-02")
	}
	if end != "" {
		if v.End, endDay, err = moment(join(end, p.one["endTime"]), zone); err != nil {
			return &refused{"end", directory.CodeInvalid, end, "is no date"}
		}
		if v.End.Before(v.Start) {
			return &refused{"end", directory.CodeOrder, end, "comes before the start"}
		}
		if endDay { // people name the last day; an end is exclusive
			v.End = v.End.AddDate(0, 0, 1)
		}
	}
	for name, to := range map[target]*[]time.Time{"exdates": &v.ExDates, "rdates": &v.RDates} {
		for _, s := range list(p.one[name]) {
			t, _, err := moment(s, zone)
			if err != nil {
				return &refused{string(name), directory.CodeInvalid, s, "is no date"}
			}
			*to = append(*to, t)
		}
	}
	if s := p.one["overrides"]; s != "" {
		if err := json.Unmarshal([]byte(s), &v.Overrides); err != nil {
			return &refused{"overrides", CodeSyntax, s, "broken JSON: " + err.Error()}
		}
	}
	if s := p.one["languages"]; s != "" {
		v.Languages = list(s)
	}
	e.Kind, e.Event = directory.Event, &v
	return nil
}

// drop takes an optional value out of e and returns it; false when an entry cannot do without it.
func drop(e *directory.Entry, field string) (string, bool) {
	clear := func(s *string) (string, bool) {
		v := *s
		*s = ""
		return v, v != ""
	}
	key := func(m map[string]string, prefix string) (string, bool) {
		k := strings.TrimPrefix(field, prefix)
		v, ok := m[k]
		delete(m, k)
		return v, ok
	}
	switch {
	case field == "contact.website" && e.Contact != nil:
		return clear(&e.Contact.Website)
	case field == "contact.email" && e.Contact != nil:
		return clear(&e.Contact.Email)
	case field == "contact.phone" && e.Contact != nil:
		return clear(&e.Contact.Phone)
	case field == "contact.name" && e.Contact != nil:
		return clear(&e.Contact.Name)
	case field == "address.addressCountry" && e.Address != nil:
		return clear(&e.Address.Country)
	case field == "openingHours":
		return clear(&e.OpeningHours)
	case field == "lang":
		return clear(&e.Lang)
	case field == "slug":
		return clear(&e.Slug)
	case field == "source.url" && e.Source != nil:
		return clear(&e.Source.URL)
	case strings.HasPrefix(field, "identifiers."):
		return key(e.Identifiers, "identifiers.")
	case strings.HasPrefix(field, "accessibility."):
		return key(e.Accessibility, "accessibility.")
	case strings.HasPrefix(field, "extra."):
		return key(e.Extra, "extra.")
	case strings.HasPrefix(field, "event.attendanceUrl") && e.Event != nil:
		return clear(&e.Event.AttendanceURL)
	case strings.HasPrefix(field, "event.registerUrl") && e.Event != nil:
		return clear(&e.Event.RegisterURL)
	}
	name, rest, ok := strings.Cut(field, "[")
	if !ok {
		return "", false
	}
	number, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 {
		return "", false
	}
	switch {
	case name == "links" && i < len(e.Links):
		v := e.Links[i].URL
		e.Links = slices.Delete(e.Links, i, i+1)
		return v, true
	case name == "images" && i < len(e.Images):
		v := e.Images[i].URL
		e.Images = slices.Delete(e.Images, i, i+1)
		return v, true
	case name == "tags" && i < len(e.Tags):
		v := e.Tags[i]
		e.Tags = slices.Delete(e.Tags, i, i+1)
		return v, true
	case name == "categories" && i < len(e.Categories):
		v := e.Categories[i]
		e.Categories = slices.Delete(e.Categories, i, i+1)
		return v, true
	case name == "area.zones" && e.Area != nil && i < len(e.Area.Zones):
		v := e.Area.Zones[i]
		e.Area.Zones = slices.Delete(e.Area.Zones, i, i+1)
		return v, true
	}
	return "", false
}
