package transfer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/directory/hours"
)

// cell is one value of a row with the column that it comes from.
type cell struct {
	col   *Column
	value string
}

// row is a row of the file as it was read.
type row struct {
	number, line int
	cells        []cell
	idParts      []string         // values of the id columns that the mapping names
	native       *directory.Entry // a feature that an Archipel wrote
	points       []orb.Point      // of a feature
	reduced      bool
}

// record is a row that became an entry.
type record struct {
	row      *row
	entry    directory.Entry
	given    map[string]bool // fields that the row speaks about
	explicit map[string]bool // of those, what a column speaks about
	id       directory.ID    // its id in an Archipel's own export, else empty
	maybe    directory.ID    // what its id column says, should that be one of our entries
	key      string          // identifies the record within the file and its source
	warnings []Issue
}

func (r *record) warn(field, code, value, text string) {
	r.warnings = append(r.warnings, Issue{
		Row: r.row.number, Line: r.row.line, Name: r.entry.Name, Field: field, Code: code, Value: excerpt(value), Text: text,
	})
}

// builder makes entries of rows.
type builder struct {
	opts      *ImportOptions
	mapping   *Mapping
	zone      *time.Location
	own       bool // the file was written by an Archipel: ids are ours
	unmatched map[string]int
	defaults  []cell
}

func newBuilder(o *ImportOptions, m *Mapping, unmatched map[string]int) (*builder, error) {
	b := &builder{opts: o, mapping: m, zone: time.UTC, unmatched: unmatched}
	if m.Timezone != "" {
		zone, err := directory.Zone(m.Timezone)
		if err != nil {
			return nil, fmt.Errorf("time zone %.40q: %w", m.Timezone, err)
		}
		b.zone = zone
	}
	for _, name := range slices.Sorted(maps.Keys(m.Defaults)) {
		b.defaults = append(b.defaults, cell{&Column{Name: "default " + name, Field: name}, m.Defaults[name]})
	}
	return b, nil
}

// parts is a row sorted by target.
type parts struct {
	*record
	one  map[target]string
	many []cell
}

// refused is why a row cannot become an entry.
type refused struct{ field, code, value, text string }

func (r *refused) Error() string { return r.field + ": " + r.text }

var errNoSource = &refused{"source", directory.CodeRequired, "", "no source is named, so the record could not be recognised next time"}

// build makes an entry of a row, or says why not (*refused or [directory.Invalid]).
func (b *builder) build(r *row) (*record, error) {
	rec := &record{row: r, given: map[string]bool{}}
	if r.native != nil {
		b.adopt(rec)
	} else if err := b.compose(rec); err != nil {
		return rec, err
	}
	e := &rec.entry
	b.provenance(rec)
	if e.Status = b.opts.Status; e.Status == "" {
		e.Status = directory.Published
	}
	b.fitSummary(rec)
	directory.Normalize(e)
	if err := b.positions(rec); err != nil {
		return rec, err
	}
	if err := b.validate(rec); err != nil {
		return rec, err
	}
	site := ""
	if e.Contact != nil {
		site = e.Contact.Website
	}
	for _, text := range []string{e.Name, e.Summary, site} {
		if mojibake.MatchString(text) {
			rec.warn("", CodeMojibake, text, "the text seems to have been decoded wrongly before it came here")
			break
		}
	}
	rec.explicit = maps.Clone(rec.given)
	for _, f := range fields {
		if !f.empty(e) {
			rec.given[f.name] = true
		}
	}
	rec.key = e.Source.Key()
	if rec.key == "" && rec.id == "" && rec.maybe == "" {
		return rec, errNoSource
	}
	return rec, nil
}

// adopt takes over a feature that an Archipel wrote, whole.
func (b *builder) adopt(rec *record) {
	rec.entry = rec.row.native.Clone()
	rec.id = rec.entry.ID
	if e := &rec.entry; e.Origin != "" && e.Source == nil { // it came through another instance, and must say so
		e.Source = comesFrom(e.Origin, e.ID)
	}
	rec.entry.Origin = "" // here it is ours, and is checked as such
	if e := &rec.entry; b.opts.Categories != nil {
		own := e.Categories
		e.Categories = nil
		for _, id := range own {
			b.categorise(e, id)
		}
	}
	for _, f := range fields {
		rec.given[f.name] = true // an export is complete: what is not there is empty
	}
}

// comesFrom names the instance that an entry belongs to as its source.
func comesFrom(host string, id directory.ID) *directory.Source {
	return &directory.Source{Name: host, URL: "https://" + host + "/", ExternalID: string(id)}
}

func (b *builder) compose(rec *record) error {
	p := &parts{record: rec, one: map[target]string{}}
	e := &rec.entry
	for _, c := range rec.row.cells {
		v := strings.TrimSpace(unguard(c.value))
		if strings.IndexByte(v, 0) >= 0 {
			return &refused{c.col.Name, CodeNUL, v, "holds a NUL byte"}
		}
		if c.col.Field == "" {
			if b.opts.KeepUnused && !missing(v) && c.col.Reason != "left out by the mapping" && c.col.Name != "" {
				keepExtra(rec, c.col.Name, v)
			}
			continue
		}
		t := target(c.col.Field)
		rec.given[mergeName(t)] = true
		switch {
		case v == "" || missing(v) && !b.own:
		case t.multiple():
			p.many = append(p.many, cell{c.col, v})
		default:
			p.one[t] = v
		}
	}
	for _, c := range b.defaults {
		if t := target(c.col.Field); t.multiple() {
			p.many = append(p.many, c)
		} else if p.one[t] == "" {
			p.one[t] = c.value
		}
	}
	e.Name = p.one["name"]
	if e.Name == "" {
		return &refused{"name", directory.CodeRequired, "", "there is no name"}
	}
	for _, step := range []func(*parts) error{b.texts, b.categories, b.where, b.contacts, b.structured, b.when} {
		if err := step(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) texts(p *parts) error {
	e := &p.entry
	e.Summary, e.Description, e.Lang = p.one["summary"], p.one["description"], p.one["lang"]
	e.OpeningHours, e.Licence = p.one["openingHours"], p.one["licence"]
	kind := p.one["kind"]
	if kind != "" {
		k, ok := kindOf(kind)
		if !ok {
			return &refused{"kind", directory.CodeUnknown, kind, "is none of organisation, place, initiative, event"}
		}
		e.Kind = k
	}
	if v := p.one["checked"]; v != "" {
		if t, _, err := moment(v, b.zone); err == nil {
			e.Checked = t
		} else {
			p.warn("checked", CodeDropped, v, "is no date, left out")
		}
	}
	if v := p.one["approximate"]; v != "" {
		var err error
		if e.Approximate, err = truth(v); err != nil {
			p.warn("approximate", CodeDropped, v, "is neither yes nor no, left out")
		}
	}
	if b.own {
		e.Slug = p.one["slug"]
		if t, err := time.Parse(time.RFC3339Nano, p.one["created"]); err == nil {
			e.Created = t
		}
		if t, err := time.Parse(time.RFC3339Nano, p.one["updated"]); err == nil {
			e.Updated = t
		}
		if n, err := strconv.ParseInt(p.one["version"], 10, 64); err == nil {
			e.Version = directory.Seq(n)
		}
		e.Aliases = list(p.one["aliases"])
		if id := directory.ID(p.one["id"]); id.Valid() {
			e.ID, p.id = id, id
		}
	}
	return nil
}

var kindWords = map[string]directory.Kind{
	"organisation": directory.Organisation, "organization": directory.Organisation, "organisations": directory.Organisation, "structure": directory.Organisation,
	"association": directory.Organisation, "asso": directory.Organisation, "entreprise": directory.Organisation, "company": directory.Organisation,
	"ngo": directory.Organisation, "ong": directory.Organisation, "cooperative": directory.Organisation, "acteur": directory.Organisation,
	"place": directory.Place, "places": directory.Place, "lieu": directory.Place, "lieux": directory.Place, "site": directory.Place, "equipement": directory.Place,
	"initiative": directory.Initiative, "initiatives": directory.Initiative, "projet": directory.Initiative, "project": directory.Initiative, "action": directory.Initiative,
	"event": directory.Event, "events": directory.Event, "evenement": directory.Event, "evenements": directory.Event, "manifestation": directory.Event,
}

func kindOf(s string) (directory.Kind, bool) {
	k, ok := kindWords[directory.Fold(s)]
	return k, ok
}

func (b *builder) categories(p *parts) error {
	e := &p.entry
	for _, c := range p.many {
		switch c.col.Field {
		case "tags":
			e.Tags = append(e.Tags, list(c.value)...)
		case "categories":
			p.given["tags"] = true // values without a category become tags
			if c.col.osm != "" {
				if b.opts.Categories != nil {
					if id, ok := b.opts.Categories.Match(c.col.osm + "=" + c.value); ok {
						e.Categories = append(e.Categories, id)
						continue
					}
				}
				if slices.Contains([]string{"yes", "no"}, c.value) {
					continue
				}
			}
			b.categorise(e, c.value)
		}
	}
	return nil
}

// categorise tries the whole value first, because the name of a category may hold a comma.
func (b *builder) categorise(e *directory.Entry, value string) {
	if b.category(e, value) {
		return
	}
	if b.own && b.opts.Categories == nil { // no taxonomy to ask: they are ids already
		e.Categories = append(e.Categories, list(value)...)
		return
	}
	for _, v := range list(value) {
		if b.category(e, v) {
			continue
		}
		if k, ok := kindOf(v); ok {
			if e.Kind == "" {
				e.Kind = k
			}
			continue
		}
		e.Tags = append(e.Tags, v)
		if v = excerpt(v); b.unmatched[v] > 0 || len(b.unmatched) < 1000 {
			b.unmatched[v]++
		} else {
			b.unmatched["…"]++
		}
	}
}

func (b *builder) category(e *directory.Entry, value string) bool {
	if ids, ok := b.mapping.categories[directory.Fold(value)]; ok {
		e.Categories = append(e.Categories, ids...)
		return true
	}
	if b.opts.Categories != nil {
		if id, ok := b.opts.Categories.Match(value); ok {
			e.Categories = append(e.Categories, id)
			return true
		}
	}
	return false
}

// fitSummary moves a summary that is too long into the description, and keeps its beginning.
func (b *builder) fitSummary(rec *record) {
	e := &rec.entry
	if utf8.RuneCountInString(e.Summary) <= directory.MaxSummary {
		return
	}
	rec.warn("summary", CodeAltered, e.Summary, fmt.Sprintf("longer than %d characters: moved into the description, the summary is its beginning", directory.MaxSummary))
	whole := e.Summary
	cut := []rune(whole)[:directory.MaxSummary-1]
	for i := len(cut) - 1; i > directory.MaxSummary/2; i-- {
		if cut[i] == ' ' {
			cut = cut[:i]
			break
		}
	}
	e.Summary = string(cut) + "…"
	if e.Description == "" {
		e.Description = whole
	} else if !strings.Contains(e.Description, whole) {
		e.Description = whole + "\n\n" + e.Description
	}
}

// validate drops optional values that no entry may have, with a warning, and refuses the row for the others.
func (b *builder) validate(rec *record) error {
	for range 40 {
		var invalid directory.Invalid
		if err := directory.Validate(&rec.entry, b.opts.Rules); err == nil || !errors.As(err, &invalid) {
			return err
		}
		dropped := false
		for _, p := range invalid {
			if p.Field == "openingHours" && quoteHours(rec) {
				dropped = true
				break
			}
			if value, ok := drop(&rec.entry, p.Field); ok {
				dropped = true
				rec.warn(p.Field, CodeDropped, value, strings.ReplaceAll(p.Code, "_", " ")+", left out")
				break // indexes have moved
			}
		}
		if !dropped {
			return invalid
		}
		directory.Normalize(&rec.entry)
	}
	return directory.Validate(&rec.entry, b.opts.Rules)
}

// quoteHours keeps opening hours that are written for people, as a comment.
func quoteHours(rec *record) bool {
	was := rec.entry.OpeningHours
	quoted := hours.Quote(was)
	if _, err := hours.Parse(quoted); err != nil || quoted == was || utf8.RuneCountInString(quoted) > directory.MaxHours {
		return false
	}
	rec.warn("openingHours", CodeAltered, was, "is not in OpenStreetMap's syntax of opening hours, kept as a comment")
	rec.entry.OpeningHours = quoted
	return true
}

// keepExtra keeps a value that no field takes, within what an entry may hold.
func keepExtra(rec *record, name, v string) {
	if runes := []rune(name); len(runes) > 100 {
		name = string(runes[:100])
	}
	switch {
	case strings.ContainsFunc(name, unicode.IsControl):
		rec.warn(excerpt(name), CodeDropped, v, "the name of the column holds control characters, left out")
	case len(rec.entry.Extra) >= maxExtra:
		rec.warn(name, CodeDropped, v, fmt.Sprintf("an entry keeps at most %d values of columns that fill no field, left out", maxExtra))
	default:
		put(&rec.entry.Extra, name, v)
	}
}

// maxExtra is what [directory.Validate] allows.
const maxExtra = 2 * directory.MaxList

func put(m *map[string]string, k, v string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[k] = v
}
