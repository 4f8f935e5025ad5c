package staticmap

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

var (
	world        = basemap.Embedded()
	saintEtienne = orb.Point{4.39, 45.44}
)

func loire() []Marker {
	return []Marker{
		{Position: orb.Point{4.39, 45.44}, Count: 128, Colours: []string{"#2f7d5b", "#c4622d", "#3a6ea5"}},
		{Position: orb.Point{4.85, 45.75}, Count: 1512, Colours: []string{"#3a6ea5", "#8a5a9e", "#2f7d5b"}},
		{Position: orb.Point{4.07, 46.04}, Count: 9, Colours: []string{"#c4622d", "#2f7d5b"}},
		{Position: orb.Point{4.22, 45.74}, Kind: "place", Colour: "#2f7d5b"},
		{Position: orb.Point{4.06, 45.61}, Kind: "organisation", Colour: "#3a6ea5"},
		{Position: orb.Point{3.88, 45.04}, Kind: "initiative", Colour: "#6b8e23"},
		{Position: orb.Point{4.5, 45.6}, Kind: "event", Colour: "#c0392b"},
		{Position: orb.Point{4.67, 45.24}, Kind: "place", Colour: "#8a5a9e", Approximate: true},
		{Position: orb.Point{4.3, 45.25}, Kind: "organisation", Colour: "#c4622d", Number: 12},
		{Position: orb.Point{4.8, 45.53}, Kind: "initiative", Colour: "#2f7d5b", Selected: true},
	}
}

// TestLook writes sample pictures to the folder that STATICMAP_LOOK names.
func TestLook(t *testing.T) {
	dir := os.Getenv("STATICMAP_LOOK")
	if dir == "" {
		t.Skip("STATICMAP_LOOK names no folder to write pictures to")
	}
	r, err := New(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"loire8":   {Center: saintEtienne, Zoom: 8, Markers: loire()},
		"loire9":   {Center: saintEtienne, Zoom: 9, Markers: loire(), Scale: 2},
		"loire10":  {Center: saintEtienne, Zoom: 10},
		"france5":  {Center: orb.Point{2.6, 46.6}, Zoom: 5, Language: "fr"},
		"world1":   {Center: orb.Point{10, 30}, Zoom: 1, Width: 700, Height: 460, Language: "fr"},
		"alps7":    {Center: orb.Point{6.2, 46}, Zoom: 7.5},
		"dark9":    {Center: saintEtienne, Zoom: 8.6, Markers: loire(), Theme: Dark},
		"print9":   {Center: saintEtienne, Zoom: 8.6, Markers: loire(), Theme: Print},
		"brittany": {Center: orb.Point{-3, 48.2}, Zoom: 7.6},
		"entry12":  {Center: saintEtienne, Zoom: 12, Markers: []Marker{{Position: saintEtienne, Kind: "organisation", Colour: "#3a6ea5"}}},
		"europe3":  {Center: orb.Point{15, 50}, Zoom: 3.4, Language: "fr"},
		"fiji":     {Center: orb.Point{179.5, -17}, Zoom: 6},
	} {
		if o.Width == 0 {
			o.Width, o.Height = 600, 400
		}
		o.Basemap = world
		var buf bytes.Buffer
		if err := r.Render(context.Background(), &buf, o); err != nil {
			t.Fatal(name, err)
		}
		t.Logf("%s: %d bytes", name, buf.Len())
		if err := os.WriteFile(filepath.Join(dir, name+".png"), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
