package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// field is a part of an entry that an import compares, keeps or replaces as one.
type field struct {
	name string
	get  func(*directory.Entry) any // a comparable or DeepEqual-comparable value; nil or zero when empty
	set  func(dst, src *directory.Entry)
}

func (f field) same(a, b *directory.Entry) bool {
	x, y := f.get(a), f.get(b)
	if isEmpty(x) && isEmpty(y) {
		return true
	}
	return reflect.DeepEqual(x, y)
}

func (f field) empty(e *directory.Entry) bool { return isEmpty(f.get(e)) }

func isEmpty(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() == 0
	}
	return r.IsZero()
}

func plain(name string, at func(*directory.Entry) *string) field {
	return field{name,
		func(e *directory.Entry) any { return *at(e) },
		func(dst, src *directory.Entry) { *at(dst) = *at(src) }}
}

// within is plain for a field inside a part of the entry that may be absent.
func within[P any](name string, part func(*directory.Entry) **P, at func(*P) *string) field {
	return field{name,
		func(e *directory.Entry) any {
			if p := *part(e); p != nil {
				return *at(p)
			}
			return ""
		},
		func(dst, src *directory.Entry) {
			v := ""
			if p := *part(src); p != nil {
				v = *at(p)
			}
			if *part(dst) == nil {
				if v == "" {
					return
				}
				*part(dst) = new(P)
			}
			*at(*part(dst)) = v
		}}
}

func whole[T any](name string, at func(*directory.Entry) *T) field {
	return field{name,
		func(e *directory.Entry) any { return *at(e) },
		func(dst, src *directory.Entry) { *at(dst) = *at(src) }}
}

func scheduled[T any](name string, show func(*directory.Schedule) any, at func(*directory.Schedule) *T) field {
	return field{name,
		func(e *directory.Entry) any {
			if e.Event == nil {
				return nil
			}
			if show != nil {
				return show(e.Event)
			}
			return *at(e.Event)
		},
		func(dst, src *directory.Entry) {
			var v T
			if src.Event != nil {
				v = *at(src.Event)
			}
			if dst.Event == nil {
				if src.Event == nil {
					return
				}
				dst.Event = &directory.Schedule{}
			}
			*at(dst.Event) = v
		}}
}

func instant(t time.Time) any {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func instants(list []time.Time) any {
	out := make([]string, len(list))
	for i, t := range list {
		out[i], _ = instant(t).(string)
	}
	return out
}

// asJSON compares what has times or pointers inside by what it looks like from outside.
func asJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil || bytes.Equal(b, []byte("null")) || bytes.Equal(b, []byte("[]")) {
		return ""
	}
	return string(b)
}

type entry = directory.Entry

var (
	addressOf = func(e *entry) **directory.Address { return &e.Address }
	contactOf = func(e *entry) **directory.Contact { return &e.Contact }
	sourceOf  = func(e *entry) **directory.Source { return &e.Source }
)

// fields are all that an import may change, in the order in which reports name them. What is not here belongs to the
// instance: id, slug, aliases, status, version, created, updated, origin and everything private.
var fields = []field{
	{"kind", func(e *entry) any { return string(e.Kind) }, func(dst, src *entry) { dst.Kind = src.Kind }},
	plain("name", func(e *entry) *string { return &e.Name }),
	plain("summary", func(e *entry) *string { return &e.Summary }),
	plain("description", func(e *entry) *string { return &e.Description }),
	plain("lang", func(e *entry) *string { return &e.Lang }),
	whole("translations", func(e *entry) *map[string]directory.Translation { return &e.Translations }),
	whole("categories", func(e *entry) *[]string { return &e.Categories }),
	whole("tags", func(e *entry) *[]string { return &e.Tags }),
	{"position", func(e *entry) any { return asJSON(e.Sites) }, func(dst, src *entry) { dst.Sites, dst.Approximate = src.Sites, src.Approximate }},
	whole("approximate", func(e *entry) *bool { return &e.Approximate }),
	{"zones", func(e *entry) any {
		if e.Area == nil {
			return nil
		}
		return e.Area.Zones
	}, func(dst, src *entry) { setArea(dst, src, false) }},
	{"area", func(e *entry) any {
		if e.Area == nil || e.Area.Shape == nil {
			return nil
		}
		return asJSON(e.Area.Shape)
	}, func(dst, src *entry) { setArea(dst, src, true) }},
	within("street", addressOf, func(a *directory.Address) *string { return &a.Street }),
	within("postalCode", addressOf, func(a *directory.Address) *string { return &a.PostalCode }),
	within("locality", addressOf, func(a *directory.Address) *string { return &a.Locality }),
	within("region", addressOf, func(a *directory.Address) *string { return &a.Region }),
	within("country", addressOf, func(a *directory.Address) *string { return &a.Country }),
	within("municipalityCode", addressOf, func(a *directory.Address) *string { return &a.Code }),
	within("contactName", contactOf, func(c *directory.Contact) *string { return &c.Name }),
	within("email", contactOf, func(c *directory.Contact) *string { return &c.Email }),
	within("phone", contactOf, func(c *directory.Contact) *string { return &c.Phone }),
	within("website", contactOf, func(c *directory.Contact) *string { return &c.Website }),
	whole("links", func(e *entry) *[]directory.Link { return &e.Links }),
	plain("openingHours", func(e *entry) *string { return &e.OpeningHours }),
	whole("images", func(e *entry) *[]directory.Image { return &e.Images }),
	whole("accessibility", func(e *entry) *map[string]string { return &e.Accessibility }),
	whole("identifiers", func(e *entry) *map[string]string { return &e.Identifiers }),
	whole("extra", func(e *entry) *map[string]string { return &e.Extra }),
	scheduled("start", func(v *directory.Schedule) any { return instant(v.Start) }, func(v *directory.Schedule) *time.Time { return &v.Start }),
	scheduled("end", func(v *directory.Schedule) any { return instant(v.End) }, func(v *directory.Schedule) *time.Time { return &v.End }),
	scheduled("allDay", nil, func(v *directory.Schedule) *bool { return &v.AllDay }),
	scheduled("timezone", nil, func(v *directory.Schedule) *string { return &v.Timezone }),
	scheduled("rrule", nil, func(v *directory.Schedule) *string { return &v.RRule }),
	scheduled("exdates", func(v *directory.Schedule) any { return instants(v.ExDates) }, func(v *directory.Schedule) *[]time.Time { return &v.ExDates }),
	scheduled("rdates", func(v *directory.Schedule) any { return instants(v.RDates) }, func(v *directory.Schedule) *[]time.Time { return &v.RDates }),
	scheduled("overrides", func(v *directory.Schedule) any { return asJSON(v.Overrides) }, func(v *directory.Schedule) *[]directory.Occurrence { return &v.Overrides }),
	scheduled("eventStatus", nil, func(v *directory.Schedule) *directory.EventState { return &v.State }),
	scheduled("attendanceUrl", nil, func(v *directory.Schedule) *string { return &v.AttendanceURL }),
	scheduled("registerUrl", nil, func(v *directory.Schedule) *string { return &v.RegisterURL }),
	scheduled("price", nil, func(v *directory.Schedule) *string { return &v.Price }),
	scheduled("languages", nil, func(v *directory.Schedule) *[]string { return &v.Languages }),
	whole("relations", func(e *entry) *[]directory.Relation { return &e.Relations }),
	plain("licence", func(e *entry) *string { return &e.Licence }),
	within("sourceName", sourceOf, func(s *directory.Source) *string { return &s.Name }),
	within("sourceUrl", sourceOf, func(s *directory.Source) *string { return &s.URL }),
	within("sourceId", sourceOf, func(s *directory.Source) *string { return &s.ExternalID }),
	{"checked", func(e *entry) any { return instant(e.Checked) }, func(dst, src *entry) { dst.Checked = src.Checked }},
}

func setArea(dst, src *entry, shape bool) {
	var from directory.Area
	if src.Area != nil {
		from = *src.Area
	}
	if dst.Area == nil {
		dst.Area = &directory.Area{}
	}
	if shape {
		dst.Area.Shape = from.Shape
	} else {
		dst.Area.Zones = from.Zones
	}
}

// mergeName is the field that a target is part of.
func mergeName(t target) string {
	switch t {
	case "latitude", "longitude", "latlon", "lonlat", "geometry", "sites":
		return "position"
	case "housenumber":
		return "street"
	case "startTime":
		return "start"
	case "endTime":
		return "end"
	}
	switch family, _, _ := strings.Cut(string(t), "."); family {
	case "link":
		return "links"
	case "identifier":
		return "identifiers"
	case "accessibility":
		return "accessibility"
	case "extra":
		return "extra"
	}
	return string(t)
}

// undoBatch is the batch under which a batch is taken back.
func undoBatch(batch string) string { return "undo:" + batch }

// byMachine reports whether a change was made by an import, or by taking one back.
func byMachine(c *directory.Change) bool { return c.Batch != "" && c.Author == Author }

// past finds what the source said when it last changed each field: the values after the newest change that an import
// made to the field. Where the record names the version it was exported from, that version is the past of every field.
type past struct {
	ctx     context.Context
	d       *directory.Directory
	rec     *record
	current *entry

	loaded  bool
	version *entry
	changes []directory.Change // newest first
}

// maxHistory is how far back an import looks.
const maxHistory = 500

func (p *past) load() error {
	if p.loaded {
		return nil
	}
	p.loaded = true
	for before := directory.Seq(0); len(p.changes) < maxHistory; {
		page, err := p.d.History(p.ctx, p.current.ID, before, 50)
		if err != nil {
			return fmt.Errorf("history of %s: %w", p.current.ID, err)
		}
		p.changes = append(p.changes, page...)
		if len(page) < 50 {
			break
		}
		before = page[len(page)-1].Seq
	}
	if e := &p.rec.entry; p.rec.id == p.current.ID && e.Version > 0 {
		for i := range p.changes {
			if c := &p.changes[i]; c.Seq == e.Version && !c.Redacted && c.Entry.Updated.Equal(e.Updated) {
				p.version = &c.Entry
			}
		}
	}
	return nil
}

// base returns the entry as it was when the source last changed f; nil when no source ever said anything about it.
func (p *past) base(f field) (*entry, error) {
	if err := p.load(); err != nil {
		return nil, err
	}
	if p.version != nil {
		return p.version, nil
	}
	for i := range p.changes {
		c := &p.changes[i]
		if !byMachine(c) || c.Redacted {
			continue
		}
		if i+1 == len(p.changes) || p.changes[i+1].Redacted || !f.same(&c.Entry, &p.changes[i+1].Entry) {
			return &c.Entry, nil
		}
	}
	return nil, nil
}

// merge brings what the record says into the entry that stands. The rule, field by field: what the row does not give
// stays; what the source has not changed since it last did stays as it is here; what it has changed is taken over, and
// where somebody edited the same field here, lists are merged and of anything else the source's new value stands and
// the local one is reported. An emptied cell never erases a local edit, nor a position.
func merge(ctx context.Context, d *directory.Directory, rec *record, current *entry) (next entry, changed bool, err error) {
	p := &past{ctx: ctx, d: d, rec: rec, current: current}
	next = current.Clone()
	file := rec.entry.Clone()
	for _, f := range fields {
		if !rec.given[f.name] {
			continue
		}
		partial(f.name, &file, current, rec)
		if f.same(&file, current) {
			continue
		}
		gone := f.empty(&file)
		if gone && f.name == "position" || f.name == "approximate" && len(file.Sites) == 0 {
			continue
		}
		if merge, ok := lists[f.name]; ok {
			kept, err := merge(p, &next, &file)
			if err != nil {
				return next, false, err
			}
			changed = changed || !f.same(&next, current)
			if kept {
				rec.warn(f.name, CodeKeptLocal, show(f, &file), "some were taken away here; the source, which has not changed them since, says")
			}
			continue
		}
		base, err := p.base(f)
		if err != nil {
			return next, false, err
		}
		switch {
		case base != nil && f.same(&file, base):
			if gone {
				continue
			}
			rec.warn(f.name, CodeKeptLocal, show(f, &file), "edited here; the source, which has not changed it since, says")
			continue
		case base != nil && f.same(current, base):
		case gone:
			if !f.empty(current) && base != nil {
				rec.warn(f.name, CodeKeptLocal, show(f, current), "edited here and now empty at the source; stays")
			}
			continue
		case !f.empty(current):
			rec.warn(f.name, CodeOverwritten, show(f, current), "the source changed it; the value that was edited here is in the history")
		}
		f.set(&next, &file)
		changed = true
	}
	return next, changed, nil
}

// partial completes fields of which a row gives only some keys: the other keys stay as they are.
func partial(name string, file, current *entry, rec *record) {
	if rec.row.native != nil {
		return
	}
	fill := func(file *map[string]string, current map[string]string) {
		m := map[string]string{}
		for k, v := range current {
			m[k] = v
		}
		for k, v := range *file {
			m[k] = v
		}
		*file = m
	}
	switch name {
	case "extra":
		fill(&file.Extra, current.Extra)
	case "identifiers":
		fill(&file.Identifiers, current.Identifiers)
	case "accessibility":
		fill(&file.Accessibility, current.Accessibility)
	}
}

// lists are the fields of which an import adds and takes away single elements.
var lists = map[string]func(p *past, next, file *entry) (kept bool, err error){
	"categories": listOf(func(e *entry) *[]string { return &e.Categories }),
	"tags":       listOf(func(e *entry) *[]string { return &e.Tags }),
	"links":      listOf(func(e *entry) *[]directory.Link { return &e.Links }),
	"images":     listOf(func(e *entry) *[]directory.Image { return &e.Images }),
	"relations":  listOf(func(e *entry) *[]directory.Relation { return &e.Relations }),
}

// listOf applies to the list that stands what the source added and took away since it last did. It reports whether
// elements of the source stay out because somebody took them away here.
func listOf[T comparable](at func(*entry) *[]T) func(p *past, next, file *entry) (bool, error) {
	return func(p *past, next, file *entry) (bool, error) {
		if err := p.load(); err != nil {
			return false, err
		}
		base := given(p, at)
		*at(next) = merged(*at(next), *at(file), base)
		return slices.ContainsFunc(*at(file), func(v T) bool { return !slices.Contains(*at(next), v) }), nil
	}
}

// given returns the elements that the source had given: those that an import was the last to add or take away, and
// added.
func given[T comparable](p *past, at func(*entry) *[]T) []T {
	if p.version != nil {
		return *at(p.version)
	}
	var base, was []T
	for i := len(p.changes) - 1; i >= 0; i-- {
		c := &p.changes[i]
		if c.Redacted {
			continue
		}
		is := *at(&c.Entry)
		if byMachine(c) {
			for _, v := range is {
				if !slices.Contains(was, v) && !slices.Contains(base, v) {
					base = append(base, v)
				}
			}
			base = slices.DeleteFunc(base, func(v T) bool { return slices.Contains(was, v) && !slices.Contains(is, v) })
		}
		was = is
	}
	return base
}

func merged[T comparable](current, file, base []T) []T {
	var out []T
	for _, v := range current {
		if slices.Contains(file, v) || !slices.Contains(base, v) {
			out = append(out, v)
		}
	}
	for _, v := range file {
		if !slices.Contains(out, v) && !slices.Contains(base, v) {
			out = append(out, v)
		}
	}
	return out
}

func show(f field, e *entry) string {
	switch v := f.get(e).(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		s, _ := asJSON(v).(string)
		return s
	}
}
