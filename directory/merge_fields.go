package directory

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Side is one of the two entries of a merge.
type Side string

// Sides of a merge.
const (
	Kept  Side = "kept"  // the entry that goes on
	Other Side = "other" // the entry that becomes part of it
)

// FieldValue is a value in words that people can read.
type FieldValue struct {
	Field string // path in the public form
	Value string
}

// MergeField is a field in which two entries differ, and of which a merge keeps one value.
type MergeField struct {
	Field       string // path in the public form: "name", "contact.phone", "address", "geometry"
	Kept, Other []FieldValue
	Prefer      Side // what stands when nobody chooses
}

// mergeField copies one field from an entry to another.
type mergeField struct {
	name string
	take func(dst, src *Entry)
}

// mergeFields are the fields of which one value stands. Lists are united instead, see [Unite].
var mergeFields = func() []mergeField {
	fields := []mergeField{
		{"name", func(d, s *Entry) { d.Name = s.Name }},
		{"summary", func(d, s *Entry) { d.Summary = s.Summary }},
		{"description", func(d, s *Entry) { d.Description = s.Description }},
		{"lang", func(d, s *Entry) { d.Lang = s.Lang }},
		{"geometry", func(d, s *Entry) { d.Sites, d.Approximate = slices.Clone(s.Sites), s.Approximate }},
		{"address", func(d, s *Entry) { d.Address = clonePointer(s.Address) }},
		{"area", func(d, s *Entry) { d.Area = s.Clone().Area }},
		{"openingHours", func(d, s *Entry) { d.OpeningHours = s.OpeningHours }},
		{"event", func(d, s *Entry) { d.Event = s.Clone().Event }},
	}
	for name, at := range map[string]func(*Contact) *string{
		"contact.name": func(c *Contact) *string { return &c.Name }, "contact.email": func(c *Contact) *string { return &c.Email },
		"contact.phone": func(c *Contact) *string { return &c.Phone }, "contact.website": func(c *Contact) *string { return &c.Website },
	} {
		fields = append(fields, mergeField{name, func(d, s *Entry) {
			c := Contact{}
			if d.Contact != nil {
				c = *d.Contact
			}
			if s.Contact != nil {
				*at(&c) = *at(s.Contact)
			} else {
				*at(&c) = ""
			}
			if d.Contact = nil; c != (Contact{}) {
				d.Contact = &c
			}
		}})
	}
	byKey := func(family string, keys []string, at func(*Entry) *map[string]string) {
		for _, key := range keys {
			fields = append(fields, mergeField{family + "." + key, func(d, s *Entry) {
				m := cloneMap(*at(d))
				if v := (*at(s))[key]; v == "" {
					delete(m, key)
				} else if m == nil {
					m = map[string]string{key: v}
				} else {
					m[key] = v
				}
				*at(d) = m
			}})
		}
	}
	byKey("identifiers", IdentifierKeys, func(e *Entry) *map[string]string { return &e.Identifiers })
	byKey("accessibility", AccessibilityKeys, func(e *Entry) *map[string]string { return &e.Accessibility })
	slices.SortStableFunc(fields[9:], func(a, b mergeField) int { return strings.Compare(a.name, b.name) })
	return fields
}()

// values are the words of one field of an entry; none when it is empty.
func (f mergeField) values(e *Entry) []FieldValue {
	var alone Entry
	f.take(&alone, e)
	flat := flatten(&alone)
	delete(flat, "kind")
	delete(flat, "status")
	if f.name != "name" {
		delete(flat, "name")
	}
	var out []FieldValue
	for field, value := range flat {
		if value != "" && (value != "false" || f.name == field) {
			out = append(out, FieldValue{field, value})
		}
	}
	slices.SortFunc(out, func(a, b FieldValue) int { return strings.Compare(a.Field, b.Field) })
	return out
}

// MergeFields lists the fields in which two entries say something different, and which of the two values a merge takes when
// nobody chooses: the one that is there, or the more exact, else that of the entry whose people keep it, else of the newer.
func MergeFields(kept, other *Entry) (out []MergeField) {
	for _, f := range mergeFields {
		m := MergeField{Field: f.name, Kept: f.values(kept), Other: f.values(other)}
		if slices.Equal(m.Kept, m.Other) {
			continue
		}
		m.Prefer = prefer(f.name, m, kept, other)
		out = append(out, m)
	}
	return out
}

func prefer(field string, m MergeField, kept, other *Entry) Side {
	side := func(other bool) Side {
		if other {
			return Other
		}
		return Kept
	}
	switch {
	case len(m.Other) == 0 || len(m.Kept) == 0:
		return side(len(m.Kept) == 0)
	case field == "geometry" && kept.Approximate != other.Approximate:
		return side(kept.Approximate)
	case field == "address" && len(m.Kept) != len(m.Other):
		return side(len(m.Other) > len(m.Kept))
	case kept.Kept() != other.Kept():
		return side(other.Kept())
	case kept.Public() != other.Public():
		return side(other.Public())
	}
	return side(lastSeen(other).After(lastSeen(kept)))
}

// lastSeen is when somebody last said that the entry is true, else when it changed.
func lastSeen(e *Entry) time.Time {
	if !e.Checked.IsZero() {
		return e.Checked
	}
	return e.Updated
}

// Unite returns what kept becomes when other is merged into it: of the fields that [MergeFields] lists the value of the side
// that choice names, where it names none the preferred one; categories, tags, links, pictures, translations, further facts
// and relations of both. What kept is for the directory stays (its kind, address, source); a source, and the licence that
// comes with it, is taken over where kept has none. With team, those who keep other keep the result too; in the name of one
// organisation only, see [TakesTeam].
func Unite(kept, other *Entry, choice map[string]Side, team bool) Entry {
	e := kept.Clone()
	for _, m := range MergeFields(kept, other) {
		side := choice[m.Field]
		if side == "" {
			side = m.Prefer
		}
		if side == Other {
			i := slices.IndexFunc(mergeFields, func(f mergeField) bool { return f.name == m.Field })
			mergeFields[i].take(&e, other)
		}
	}
	o := other.Clone()
	e.Categories = united(e.Categories, o.Categories, MaxList, func(s string) string { return s })
	e.Tags = united(e.Tags, o.Tags, MaxList, Fold)
	e.Links = united(e.Links, o.Links, MaxList, func(l Link) string { return l.URL })
	e.Images = united(e.Images, o.Images, MaxList, func(i Image) string { return i.URL })
	e.Relations = united(e.Relations, o.Relations, MaxRelations, func(r Relation) string { return r.Rel + string(r.Target) })
	e.Relations = slices.DeleteFunc(e.Relations, func(r Relation) bool { return r.Target == kept.ID || r.Target == other.ID })
	fill(&e.Translations, o.Translations)
	fill(&e.Extra, o.Extra)
	if e.Source.Key() == "" && (o.Source.Key() != "" || e.Source == nil && o.Source != nil) {
		e.Source = o.Source
		if o.Licence != "" {
			e.Licence = o.Licence
		}
	}
	if e.Licence == "" {
		e.Licence = o.Licence
	}
	if o.Checked.After(e.Checked) {
		e.Checked = o.Checked
	}
	if o.Private == nil {
		return e
	}
	if e.Private == nil {
		e.Private = &Private{}
	}
	p := e.Private
	if team {
		p.Owners = united(p.Owners, o.Private.Owners, MaxList, func(s string) string { return s })
		p.Editors = united(p.Editors, o.Private.Editors, MaxList, func(s string) string { return s })
		if TakesTeam(kept, other) {
			p.Team = o.Private.Team
		}
		if e.Claimed.IsZero() && (len(o.Private.Owners) > 0 || o.Private.Team != "" && o.Private.Team == p.Team) {
			e.Claimed = o.Claimed
		}
		p.Editors = slices.DeleteFunc(p.Editors, func(id string) bool { return slices.Contains(p.Owners, id) })
	}
	if p.Email == "" && p.Phone == "" {
		p.Email, p.Phone = o.Private.Email, o.Private.Phone
	}
	if note := o.Private.Note; note != "" && !strings.Contains(p.Note, note) && utf8.RuneCountInString(p.Note)+utf8.RuneCountInString(note) < MaxDescription/2 {
		p.Note = strings.TrimSpace(p.Note + "\n" + note)
	}
	if reflect.DeepEqual(*p, Private{}) {
		e.Private = nil
	}
	return e
}

// TakesTeam reports whether the result of a merge that other's people come with is kept by the organisation in whose name
// other was posted: when kept has none, which the other entry itself is no more.
func TakesTeam(kept, other *Entry) bool {
	if other.Private == nil || other.Private.Team == "" || other.Private.Team == kept.ID {
		return false
	}
	return kept.Private == nil || kept.Private.Team == "" || kept.Private.Team == other.ID
}

// united is a and then what only b has, as told by key.
func united[T any](a, b []T, most int, key func(T) string) []T {
	for _, v := range b {
		if len(a) < most && !slices.ContainsFunc(a, func(w T) bool { return key(w) == key(v) }) {
			a = append(a, v)
		}
	}
	return a
}

// fill adds to dst what only src has.
func fill[V any](dst *map[string]V, src map[string]V) {
	for k, v := range src {
		if _, there := (*dst)[k]; there {
			continue
		}
		if *dst == nil {
			*dst = map[string]V{}
		}
		(*dst)[k] = v
	}
}

// notUndone are the fields that [undone] leaves as they are: what the directory decides, and who keeps the entry.
var notUndone = []string{"ID", "Kind", "Slug", "Aliases", "Status", "MergedInto", "Origin", "Version", "Created", "Updated", "Fediverse"}

// undone takes back, in now, what changed from before to after: a value that still is what it became is what it was, of a
// list what was added leaves. What somebody changed since stays.
func undone(now, before, after *Entry) Entry {
	e := now.Clone()
	was, became := before.Clone(), after.Clone()
	undoStruct(reflect.ValueOf(&e).Elem(), reflect.ValueOf(&was).Elem(), reflect.ValueOf(&became).Elem())
	return e
}

func undoStruct(now, before, after reflect.Value) {
	for i := range now.NumField() {
		if now.Type() == reflect.TypeFor[Entry]() && slices.Contains(notUndone, now.Type().Field(i).Name) {
			continue
		}
		undoValue(now.Field(i), before.Field(i), after.Field(i))
	}
}

func undoValue(now, before, after reflect.Value) {
	equal := func(a, b reflect.Value) bool { return reflect.DeepEqual(a.Interface(), b.Interface()) }
	switch {
	case equal(before, after):
	case equal(now, after):
		now.Set(before)
	case now.Kind() == reflect.Pointer && now.Type().Elem().Kind() == reflect.Struct && !now.IsNil() && !after.IsNil():
		if before.IsNil() {
			before = reflect.New(now.Type().Elem())
		}
		undoStruct(now.Elem(), before.Elem(), after.Elem())
	case now.Kind() == reflect.Slice:
		has := func(list, v reflect.Value) bool {
			for i := range list.Len() {
				if equal(list.Index(i), v) {
					return true
				}
			}
			return false
		}
		kept := reflect.MakeSlice(now.Type(), 0, now.Len())
		for i := range now.Len() {
			if v := now.Index(i); has(before, v) || !has(after, v) {
				kept = reflect.Append(kept, v)
			}
		}
		now.Set(kept)
	case now.Kind() == reflect.Map:
		for _, k := range after.MapKeys() {
			if v := now.MapIndex(k); !before.MapIndex(k).IsValid() && v.IsValid() && equal(v, after.MapIndex(k)) {
				now.SetMapIndex(k, reflect.Value{})
			}
		}
	}
}
