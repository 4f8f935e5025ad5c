package islands

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"archipel/directory"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
)

// Scope is which entries of a directory are meant. Its parts must all hold; an empty one holds for every entry.
type Scope struct {
	Zones      []string         `json:"zones,omitempty"`      // codes; with Area, either is enough
	Area       *directory.Shape `json:"geometry,omitempty"`   // Polygon or MultiPolygon, [longitude, latitude]
	Kinds      []directory.Kind `json:"kinds,omitempty"`      //
	Categories []string         `json:"categories,omitempty"` // of the directory that is followed, with what is below them
	Languages  []string         `json:"languages,omitempty"`  // BCP 47
	Others     bool             `json:"others,omitempty"`     // also what it shows of others
}

// Limits of a scope.
const (
	maxScopeList  = 100
	maxScopeRings = 20_000 // positions of its area
)

// Validate reports every problem of a scope as [directory.Invalid].
func (s *Scope) Validate() error {
	var problems directory.Invalid
	add := func(field, code string, value any) {
		problems = append(problems, directory.Problem{Field: "scope." + field, Code: code, Params: map[string]any{"value": value}})
	}
	for field, list := range map[string][]string{"zones": s.Zones, "categories": s.Categories, "languages": s.Languages} {
		if len(list) > maxScopeList {
			add(field, directory.CodeTooMany, len(list))
		}
		for _, v := range list {
			if _, ok := directory.LanguageTag(v); v == "" || len(v) > 80 || field == "languages" && !ok {
				add(field, directory.CodeInvalid, v)
			}
		}
	}
	for _, k := range s.Kinds {
		if !slices.Contains(directory.Kinds, k) {
			add("kinds", directory.CodeUnknown, string(k))
		}
	}
	if s.Area != nil && s.Area.Geometry != nil {
		n := 0
		switch s.Area.Geometry.(type) {
		case orb.Polygon, orb.MultiPolygon:
		default:
			add("geometry", directory.CodeUnknown, s.Area.Geometry.GeoJSONType())
		}
		for _, polygon := range s.polygons() {
			for _, ring := range polygon {
				n += len(ring)
				if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
					add("geometry", directory.CodeInvalid, "ring that is not closed")
				}
			}
		}
		if n > maxScopeRings || n == 0 {
			add("geometry", directory.CodeTooMany, n)
		}
		if b := s.Area.Geometry.Bound(); n > 0 && !(b.Min[0] >= -180 && b.Max[0] <= 180 && b.Min[1] >= -90 && b.Max[1] <= 90) {
			add("geometry", directory.CodeOutOfRange, fmt.Sprint(b.Min, b.Max))
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}

// Tag tells a scope from others. It says nothing about it.
func (s *Scope) Tag() string {
	b, err := json.Marshal(s)
	if err != nil {
		return "" // a shape that cannot be written has no tag that somebody could have seen
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

func (s *Scope) polygons() orb.MultiPolygon {
	if s.Area == nil {
		return nil
	}
	switch g := s.Area.Geometry.(type) {
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	}
	return nil
}

// candidate is an entry with what a scope asks of it.
type candidate struct {
	*directory.Entry
	words  []word   // its categories in the words of the directory it belongs to
	zones  []string // made when needed
	zoned  bool
	zoneOf func(*directory.Entry) []string
}

// holds reports whether an entry is in the scope. What has no place at all is in no territory.
func (s *Scope) holds(c *candidate) bool {
	if len(s.Kinds) > 0 && !slices.Contains(s.Kinds, c.Kind) {
		return false
	}
	if len(s.Languages) > 0 && !s.speaks(c.Entry) {
		return false
	}
	if len(s.Categories) > 0 && !slices.ContainsFunc(c.words, func(w word) bool {
		return slices.Contains(s.Categories, w.ID) || slices.ContainsFunc(w.Under, func(id string) bool { return slices.Contains(s.Categories, id) })
	}) {
		return false
	}
	polygons := s.polygons()
	if len(s.Zones) == 0 && len(polygons) == 0 {
		return true
	}
	for _, p := range c.Sites {
		if len(polygons) > 0 && s.Area.Geometry.Bound().Contains(p) && planar.MultiPolygonContains(polygons, p) {
			return true
		}
	}
	if len(s.Zones) == 0 {
		return false
	}
	if !c.zoned {
		c.zoned, c.zones = true, c.zoneOf(c.Entry)
		if len(c.Sites) == 0 && c.Address == nil && c.Area != nil {
			c.zones = append(slices.Clone(c.zones), c.Area.Zones...)
		}
	}
	return slices.ContainsFunc(c.zones, func(z string) bool { return slices.Contains(s.Zones, z) })
}

func (s *Scope) speaks(e *directory.Entry) bool {
	base := func(tag string) string {
		b, _, _ := strings.Cut(strings.ToLower(tag), "-")
		return b
	}
	wanted := func(tag string) bool {
		return slices.ContainsFunc(s.Languages, func(l string) bool { return base(l) == base(tag) })
	}
	if wanted(e.Lang) {
		return true
	}
	for tag := range e.Translations {
		if wanted(tag) {
			return true
		}
	}
	return false
}
