package directory

import (
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"golang.org/x/text/language"
)

// Limits on the fields of an entry, in characters or elements.
const (
	MaxName        = 200
	MaxSummary     = 500
	MaxDescription = 20_000
	MaxLine        = 300 // any other single line
	MaxURL         = 2_000
	MaxList        = 50 // tags, links, images, sites, ...
	MaxRelations   = 10 * MaxList
	MaxRing        = 10_000
)

// Rules is what an instance adds to the checks of [Validate]. The zero value adds nothing.
type Rules struct {
	Category func(id string) bool   // whether the taxonomy has it
	Current  func(id string) string // the category that an id means today; nil: ids mean themselves
	Zone     func(code string) bool
}

// Keeping are the rules by which the categories and zones of an entry as it stands may stay, also those that are not known
// (any more). Entries that are nil add nothing.
func (r Rules) Keeping(stands ...*Entry) Rules {
	if valid := r.Category; valid != nil {
		r.Category = func(id string) bool {
			return valid(id) || slices.ContainsFunc(stands, func(e *Entry) bool { return e != nil && slices.Contains(e.Categories, id) })
		}
	}
	if valid := r.Zone; valid != nil {
		r.Zone = func(code string) bool {
			return valid(code) || slices.ContainsFunc(stands, func(e *Entry) bool { return e != nil && e.Area != nil && slices.Contains(e.Area.Zones, code) })
		}
	}
	return r
}

var (
	slugForm  = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{Nd}]+(-[\p{Ll}\p{Lo}\p{Nd}]+)*$`)
	phoneForm = regexp.MustCompile(`^[+(]?[0-9][0-9 ().,/+-]{1,40}$`)
	codeForm  = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}:._/-]{0,79}$`)
	hostForm  = regexp.MustCompile(`^([a-z0-9._-]+|\[[0-9a-f.:]+\])(:[0-9]+)?$`)
)

// checker gathers problems.
type checker struct{ problems Invalid }

func (c *checker) add(field, code string, params map[string]any) {
	c.problems = append(c.problems, Problem{Field: field, Code: code, Params: params})
}

func (c *checker) invalid(field, code, value string) {
	if len(value) > 200 {
		value = strings.ToValidUTF8(value[:200], "") + "…"
	}
	c.add(field, code, map[string]any{"value": value})
}

// text checks length and characters; a single line has no line break.
func (c *checker) text(field, s string, max int, multiline bool) {
	if n := utf8.RuneCountInString(s); n > max {
		c.add(field, CodeTooLong, map[string]any{"max": max, "got": n})
		return
	}
	if !utf8.ValidString(s) {
		c.add(field, CodeControl, nil)
		return
	}
	for _, r := range s {
		if multiline && (r == '\n' || r == '\t') {
			continue
		}
		if unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff' {
			c.add(field, CodeControl, nil)
			return
		}
	}
}

func (c *checker) line(field, s string, max int) { c.text(field, s, max, false) }

func (c *checker) many(field string, n, max int) bool {
	if n > max {
		c.add(field, CodeTooMany, map[string]any{"max": max, "got": n})
		return false
	}
	return true
}

func (c *checker) oneOf(field, s string, allowed []string) {
	if !slices.Contains(allowed, s) {
		c.invalid(field, CodeUnknown, s)
	}
}

// link checks an absolute URL with one of the schemes and a host.
func (c *checker) link(field, s string, schemes ...string) {
	if s == "" {
		return
	}
	if len(s) > MaxURL {
		c.add(field, CodeTooLong, map[string]any{"max": MaxURL, "got": len(s)})
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		c.invalid(field, CodeInvalid, s)
	case !slices.Contains(schemes, strings.ToLower(u.Scheme)):
		c.invalid(field, CodeScheme, s)
	case u.Scheme == "mailto" || u.Scheme == "tel":
		if u.Opaque == "" {
			c.invalid(field, CodeInvalid, s)
		}
	case u.Host == "" || u.User != nil:
		c.invalid(field, CodeInvalid, s)
	}
}

func (c *checker) email(field, s string) {
	if s == "" {
		return
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || len(s) > 254 {
		c.invalid(field, CodeInvalid, s)
	}
}

func (c *checker) lang(field, s string) {
	if s == "" {
		return
	}
	if _, ok := LanguageTag(s); !ok {
		c.invalid(field, CodeInvalid, s)
	}
}

// point checks one position; a latitude out of range whose longitude would be a latitude looks swapped.
func (c *checker) point(field string, p orb.Point) bool {
	lon, lat := p[0], p[1]
	switch {
	case math.IsNaN(lon) || math.IsNaN(lat) || math.IsInf(lon, 0) || math.IsInf(lat, 0):
		c.add(field, CodeInvalid, map[string]any{"value": fmt.Sprint([]float64{lon, lat})})
	case math.Abs(lat) > 90 && math.Abs(lat) <= 180 && math.Abs(lon) <= 90:
		c.add(field, CodeSwapped, map[string]any{"value": fmt.Sprint([]float64{lon, lat})})
	case math.Abs(lon) > 180:
		c.add(field, CodeOutOfRange, map[string]any{"value": lon, "min": -180, "max": 180})
	case math.Abs(lat) > 90:
		c.add(field, CodeOutOfRange, map[string]any{"value": lat, "min": -90, "max": 90})
	default:
		return true
	}
	return false
}

// Validate checks every field of e and reports all problems at once, as [Invalid]; nil when there are none.
// Call [Normalize] before.
func Validate(e *Entry, rules Rules) error {
	c := &checker{}
	if e.ID != "" && !e.ID.Valid() {
		c.invalid("id", CodeInvalid, string(e.ID))
	}
	if !slices.Contains(Kinds, e.Kind) {
		if e.Kind == "" {
			c.add("kind", CodeRequired, nil)
		} else {
			c.invalid("kind", CodeUnknown, string(e.Kind))
		}
	}
	if !slices.Contains([]Status{Draft, Pending, Published, Hidden, Removed}, e.Status) {
		c.invalid("status", CodeUnknown, string(e.Status))
	}
	if e.Slug != "" && (!slugForm.MatchString(e.Slug) || len(e.Slug) > maxSlug+20) {
		c.invalid("slug", CodeInvalid, e.Slug)
	}
	c.many("aliases", len(e.Aliases), MaxList)
	c.texts(e)
	c.where(e, rules)
	c.contacts(e)
	c.media(e)
	c.when(e)
	c.provenance(e)
	c.fediverse(e)

	if c.many("categories", len(e.Categories), MaxList) {
		for i, id := range e.Categories {
			field := fmt.Sprintf("categories[%d]", i)
			if !codeForm.MatchString(id) {
				c.invalid(field, CodeInvalid, id)
			} else if rules.Category != nil && !rules.Category(id) {
				c.invalid(field, CodeUnknown, id)
			}
		}
	}
	if c.many("tags", len(e.Tags), MaxList) {
		for i, tag := range e.Tags {
			c.line(fmt.Sprintf("tags[%d]", i), tag, 100)
		}
	}
	if len(c.problems) == 0 {
		return nil
	}
	return c.problems
}

func (c *checker) texts(e *Entry) {
	if strings.TrimSpace(e.Name) == "" && e.Status != Removed && e.Status != Draft {
		c.add("name", CodeRequired, nil)
	}
	c.line("name", e.Name, MaxName)
	c.line("summary", e.Summary, MaxSummary)
	c.text("description", e.Description, MaxDescription, true)
	c.lang("lang", e.Lang)
	if c.many("translations", len(e.Translations), MaxList) {
		for lang, t := range e.Translations {
			field := "translations." + lang
			if lang == "" {
				c.invalid(field, CodeInvalid, lang)
			}
			c.lang(field, lang)
			c.line(field+".name", t.Name, MaxName)
			c.line(field+".summary", t.Summary, MaxSummary)
			c.text(field+".description", t.Description, MaxDescription, true)
		}
	}
	c.opening(e)
}

func (c *checker) where(e *Entry, rules Rules) {
	if c.many("geometry", len(e.Sites), MaxList) {
		for _, p := range e.Sites {
			if !c.point("geometry", p) {
				break
			}
		}
	}
	if a := e.Area; a != nil {
		if c.many("area.zones", len(a.Zones), MaxList) {
			for i, code := range a.Zones {
				field := fmt.Sprintf("area.zones[%d]", i)
				if !codeForm.MatchString(code) {
					c.invalid(field, CodeInvalid, code)
				} else if rules.Zone != nil && !rules.Zone(code) {
					c.invalid(field, CodeUnknown, code)
				}
			}
		}
		if a.Shape != nil && a.Shape.Geometry != nil {
			c.shape("area.geometry", a.Shape.Geometry)
		}
	}
	if a := e.Address; a != nil {
		for field, s := range map[string]string{"streetAddress": a.Street, "postalCode": a.PostalCode, "addressLocality": a.Locality, "addressRegion": a.Region, "addressCountry": a.Country, "municipality": a.Code} {
			c.line("address."+field, s, MaxLine)
		}
		if a.Country != "" {
			if r, err := language.ParseRegion(a.Country); err != nil || !r.IsCountry() || len(a.Country) != 2 {
				c.invalid("address.addressCountry", CodeUnknown, a.Country)
			}
		}
	}
}

// shape checks a polygon: closed rings of at least four positions (RFC 7946, section 3.1.6), in range.
func (c *checker) shape(field string, g orb.Geometry) {
	var polygons orb.MultiPolygon
	switch g := g.(type) {
	case orb.Polygon:
		polygons = orb.MultiPolygon{g}
	case orb.MultiPolygon:
		polygons = g
	default:
		c.invalid(field, CodeUnknown, g.GeoJSONType())
		return
	}
	total := 0
	for _, polygon := range polygons {
		if len(polygon) == 0 {
			c.invalid(field, CodeInvalid, "polygon without a ring")
			return
		}
		for _, ring := range polygon {
			if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
				c.invalid(field, CodeInvalid, "ring that is not closed")
				return
			}
			if total += len(ring); !c.many(field, total, MaxRing) {
				return
			}
			for _, p := range ring {
				if !c.point(field, p) {
					return
				}
			}
		}
	}
}

func (c *checker) contacts(e *Entry) {
	if p := e.Contact; p != nil {
		c.line("contact.name", p.Name, MaxLine)
		c.email("contact.email", p.Email)
		if p.Phone != "" && !phoneForm.MatchString(p.Phone) {
			c.invalid("contact.phone", CodeInvalid, p.Phone)
		}
		c.link("contact.website", p.Website, "http", "https")
	}
	if c.many("links", len(e.Links), MaxList) {
		for i, l := range e.Links {
			field := fmt.Sprintf("links[%d]", i)
			if l.URL == "" {
				c.add(field+".url", CodeRequired, nil)
			}
			c.link(field+".url", l.URL, "http", "https", "mailto")
			c.line(field+".title", l.Title, MaxLine)
			if l.Rel != "" {
				c.oneOf(field+".rel", l.Rel, LinkRels)
			}
		}
	}
	for field, m := range map[string]map[string]string{"accessibility": e.Accessibility, "identifiers": e.Identifiers, "extra": e.Extra} {
		if !c.many(field, len(m), 2*MaxList) {
			continue
		}
		for k, v := range m {
			c.line(field+"."+k, v, 4_000)
			switch field {
			case "accessibility":
				c.oneOf(field+"."+k, k, AccessibilityKeys)
			case "identifiers":
				c.oneOf(field+"."+k, k, IdentifierKeys)
			default:
				c.line(field, k, 100)
			}
		}
	}
	if p := e.Private; p != nil {
		if p.Team != "" && (!p.Team.Valid() || p.Team == e.ID) {
			c.invalid("private.team", CodeInvalid, string(p.Team))
		}
		c.email("private.email", p.Email)
		c.line("private.phone", p.Phone, MaxLine)
		c.text("private.note", p.Note, MaxDescription, true)
	}
}

func (c *checker) media(e *Entry) {
	if !c.many("images", len(e.Images), MaxList) {
		return
	}
	for i, m := range e.Images {
		field := fmt.Sprintf("images[%d]", i)
		if m.URL == "" {
			c.add(field+".url", CodeRequired, nil)
		}
		if !strings.HasPrefix(m.URL, "/media/") { // our own pictures
			c.link(field+".url", m.URL, "http", "https")
		}
		c.line(field+".alt", m.Alt, 1_000)
		c.line(field+".credit", m.Credit, MaxLine)
		if m.Licence != "" && !validLicence(m.Licence) {
			c.invalid(field+".licence", CodeUnknown, m.Licence)
		}
		if m.Width < 0 || m.Height < 0 || m.Width > 100_000 || m.Height > 100_000 {
			c.add(field+".width", CodeOutOfRange, map[string]any{"value": m.Width, "min": 0, "max": 100_000})
		}
	}
}

func (c *checker) provenance(e *Entry) {
	if e.Licence != "" && !validLicence(e.Licence) {
		c.invalid("licence", CodeUnknown, e.Licence)
	}
	if s := e.Source; s != nil {
		if s.Name == "" {
			c.add("source.name", CodeRequired, nil)
		}
		c.line("source.name", s.Name, MaxLine)
		c.link("source.url", s.URL, "http", "https")
		c.line("source.externalId", s.ExternalID, MaxLine)
	}
	if e.Origin != "" && !hostForm.MatchString(e.Origin) {
		c.invalid("origin", CodeInvalid, e.Origin)
	}
	c.year("created", e.Created)
	if y := e.Updated.UTC().Year(); y < 1800 || y > 9999 { // a moment to come is replaced when it is written, if JSON can hold it
		c.year("updated", e.Updated)
	}
	c.year("checked", e.Checked)
	c.year("claimed", e.Claimed)
	if e.Fediverse != nil {
		c.year("fediverse.since", e.Fediverse.Since)
	}
	if e.MergedInto != "" && !e.MergedInto.Valid() {
		c.invalid("mergedInto", CodeInvalid, string(e.MergedInto))
	}
	if c.many("relations", len(e.Relations), MaxRelations) {
		for i, r := range e.Relations {
			field := fmt.Sprintf("relations[%d]", i)
			c.oneOf(field+".rel", r.Rel, RelationRels)
			if !r.Target.Valid() || r.Target == e.ID {
				c.invalid(field+".target", CodeInvalid, string(r.Target))
			}
		}
	}
}
