package frontend

import "math"

// mapConfig is what the live map reads from the page, as JSON in <script type="application/json" id="map-config">.
type mapConfig struct {
	Lang       string               `json:"lang"`
	Module     string               `json:"module"` // the live map's script, loaded when it is wanted
	Style      string               `json:"style"`
	Sprite     string               `json:"sprite"`
	Base       string               `json:"base"` // URL template of the basemap's tiles
	BaseZoom   int                  `json:"baseZoom"`
	BaseFrom   int                  `json:"baseFrom"` // the first zoom of a basemap of pictures
	MinZoom    int                  `json:"minZoom"`
	MaxZoom    int                  `json:"maxZoom"`
	Bounds     *[4]float64          `json:"bounds"` // west, south, east, north
	Light      bool                 `json:"light"`
	Categories map[string][3]string `json:"categories"` // label, icon, colour by id
	Kinds      map[string]string    `json:"kinds"`
	Text       map[string]string    `json:"text"`
	Islands    map[string]string    `json:"islands,omitempty"` // names by host
	Selected   *selectedEntry       `json:"selected,omitempty"`
}

type selectedEntry struct {
	ID          string  `json:"id"`
	Slug        string  `json:"slug"`
	Name        string  `json:"name"`
	Kind        string  `json:"kind"`
	Category    string  `json:"category"`
	Lon         float64 `json:"lon"`
	Lat         float64 `json:"lat"`
	Approximate bool    `json:"approximate"`
}

func newMapConfig(p Page, m MapView) mapConfig {
	l := T(p.Lang)
	c := mapConfig{
		Lang: l.Lang(), Module: AssetURL("livemap.js"), Style: AssetURL("map.css"), Sprite: AssetURL("icons.svg"),
		Base: m.BaseTiles, BaseZoom: m.BaseMaxZoom, BaseFrom: m.BaseMinZoom, MinZoom: m.MinZoom, MaxZoom: m.MaxZoom, Light: p.Light, Islands: m.Islands,
		Categories: map[string][3]string{}, Kinds: map[string]string{}, Text: map[string]string{},
	}
	if c.Base == "" {
		c.Base = "/tiles/base/{z}/{x}/{y}.mvt"
	}
	if c.BaseZoom == 0 {
		c.BaseZoom = 10
	}
	if c.MaxZoom == 0 {
		c.MaxZoom = 18
	}
	if m.Bounds != (Bounds{}) {
		b := m.Bounds
		if b.East < b.West {
			b.East += 360
		}
		c.Bounds = &[4]float64{round5(b.West), round5(b.South), round5(b.East), round5(b.North)}
	}
	for _, cat := range m.Categories {
		fill, ok := parseColour(cat.Color)
		if !ok {
			fill, _ = parseColour(defaultColour)
		}
		c.Categories[cat.ID] = [3]string{cat.Label, cat.Icon, fill.String()}
	}
	for _, k := range kinds {
		c.Kinds[k] = l.Text("kind." + k)
	}
	for _, key := range []string{"map_label", "zoom_in", "zoom_out", "locating", "location_failed", "approximate", "waiting", "failed", "list_updated"} {
		c.Text[key] = l.Text("island." + key)
	}
	// One and many, for the browser to choose from with Intl.PluralRules.
	c.Text["cluster_one"] = l.Plural("island.cluster", 1, "Count", "{n}")
	c.Text["cluster_other"] = l.Plural("island.cluster", 2, "Count", "{n}")
	return c
}

func round5(v float64) float64 { return math.Round(v*1e5) / 1e5 }

// kinds in the order people see them.
var kinds = []string{"organisation", "place", "initiative", "event"}
