package frontend

import (
	"encoding/json"
	"fmt"

	"github.com/a-h/templ"
)

func backURL(v EntryView) string {
	if u := string(safeLink(v.Back)); u != "" && u[0] == '/' {
		return u
	}
	return "/"
}

// entryImage is the static map of an entry.
func entryImage(v EntryView, width int) string {
	height := width * 3 / 4
	if v.Map.ImageURL != "" {
		return withParam(withParam(v.Map.ImageURL, "h", fmt.Sprint(height)), "w", fmt.Sprint(width))
	}
	return EntryMapURL(v.Slug, width, height)
}

func entryMapConfig(p Page, v EntryView) mapConfig {
	c := newMapConfig(p, v.Map)
	c.Selected = selected(v)
	return c
}

func selected(v EntryView) *selectedEntry {
	if v.Position == nil {
		return nil
	}
	return &selectedEntry{ID: v.ID, Slug: v.Slug, Name: v.Name, Kind: v.Kind, Category: v.Category.ID,
		Lon: v.Position.Lon, Lat: v.Position.Lat, Approximate: v.Position.Approximate}
}

// selectedJSON is the entry for the live map, in the fragment's data-selected.
func selectedJSON(v EntryView) string {
	s := selected(v)
	if s == nil {
		return ""
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "" // only a coordinate that is no number comes here: then there is nothing to show
	}
	return string(b)
}

func imageSize(i Image) templ.Attributes {
	if i.Width <= 0 || i.Height <= 0 {
		return nil
	}
	return templ.Attributes{"width": fmt.Sprint(i.Width), "height": fmt.Sprint(i.Height)}
}

func factText(l *Localizer, f Fact) string {
	label := l.Code("accessibility", f.Code)
	switch f.Value {
	case "":
		return label
	default:
		if f.Code == "note" {
			return f.Value
		}
		return l.Text("accessibility_fact", "Label", label, "Value", l.Code("accessibility_value", f.Value))
	}
}

func linkLabel(l *Localizer, link Link) string {
	switch {
	case link.Label != "":
		return link.Label
	case l.Has("link." + link.Rel):
		return l.Text("link." + link.Rel)
	}
	return shortLink(link.URL)
}

func licenceName(lic Licence) string {
	if lic.Name != "" {
		return lic.Name
	}
	return lic.ID
}

func hasContact(v EntryView) bool {
	c := v.Contact
	return c.Name != "" || len(c.Phones)+len(c.Emails)+len(c.Websites)+len(v.Links) > 0
}

// entryAlive leaves out the next date of an event: its page tells it below.
func entryAlive(v EntryView) Alive {
	a := v.Alive
	if v.Event != nil {
		a.Next = nil
	}
	return a
}

// unnumbered is a card outside the list whose numbers the map shows.
func unnumbered(c Card) Card {
	c.Number = 0
	return c
}
