package api

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/hours"
	"archipel/directory/media"

	"github.com/paulmach/orb"
)

// A form is the fields of an entry as people type them, by the paths that problems name. Two functions translate:
// [formOf] writes an entry as form, [Server.fill] puts a form into an entry. What a form does not hold stays as it is.

// rowsOf are how many rows of a list a form has at most.
const (
	maxLinkRows = 12
	maxImages   = 8
)

// formOf is an entry as a form; times are those of its time zone.
func formOf(e *directory.Entry, zone *time.Location) url.Values {
	v := url.Values{}
	set := func(name, value string) { v.Set(name, value) }
	set("kind", string(e.Kind))
	set("name", e.Name)
	v["categories"] = slices.Clone(e.Categories)
	set("summary", e.Summary)
	set("description", e.Description)
	set("lang", e.Lang)
	set("tags", strings.Join(e.Tags, ", "))
	hoursOf(v, e.OpeningHours)
	set("accessibility.wheelchair", e.Accessibility["wheelchair"])
	a := directory.Address{}
	if e.Address != nil {
		a = *e.Address
	}
	set("address.streetAddress", a.Street)
	set("address.postalCode", a.PostalCode)
	set("address.addressLocality", a.Locality)
	set("address.addressCountry", a.Country)
	set("address.municipality", a.Code)
	set("where", "here")
	if e.Area != nil {
		v["area.zones"] = slices.Clone(e.Area.Zones)
		if len(e.Sites) == 0 && e.Address == nil && len(e.Area.Zones) > 0 {
			set("where", "area")
		}
	}
	if len(e.Sites) > 0 {
		set("lon", degrees(e.Sites[0][0]))
		set("lat", degrees(e.Sites[0][1]))
		if e.Approximate {
			set("approximate", "1")
		}
	}
	c := directory.Contact{}
	if e.Contact != nil {
		c = *e.Contact
	}
	set("contact.name", c.Name)
	set("contact.email", c.Email)
	set("contact.phone", c.Phone)
	set("contact.website", c.Website)
	for i, l := range e.Links {
		at := fmt.Sprintf("links[%d].", i)
		set(at+"url", l.URL)
		set(at+"title", l.Title)
		set(at+"rel", l.Rel)
	}
	for i, m := range e.Images {
		at := fmt.Sprintf("images[%d].", i)
		set(at+"url", m.URL)
		set(at+"alt", m.Alt)
		set(at+"credit", m.Credit)
	}
	if e.Event != nil {
		formOfEvent(v, e.Event, zone)
	}
	tied, _ := editableRelations(e.Relations)
	showRelations(v, tied)
	return v
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// zones are read with all the rows that a form can have; missing ones are empty.
func rows(v url.Values, list string, most int, fields ...string) []map[string]string {
	var out []map[string]string
	for i := range most {
		row, any := map[string]string{}, false
		for _, f := range fields {
			key := fmt.Sprintf("%s[%d].%s", list, i, f)
			if row[f] = strings.TrimSpace(v.Get(key)); v.Has(key) {
				any = true
			}
		}
		if any {
			out = append(out, row)
		}
	}
	return out
}

// setRows writes rows back, so that their numbers are those that problems name.
func setRows(v url.Values, list string, most int, got []map[string]string) {
	for key := range v {
		if strings.HasPrefix(key, list+"[") {
			delete(v, key)
		}
	}
	for i, row := range got[:min(len(got), most)] {
		for f, s := range row {
			v.Set(fmt.Sprintf("%s[%d].%s", list, i, f), s)
		}
	}
}

// fill puts a form into an entry, and gives the problems of what cannot be understood; the others are found by
// [directory.Validate]. It changes v where rows were emptied.
func (s *Server) fill(v url.Values, e *directory.Entry) directory.Invalid {
	f := &filler{s: s, v: v, e: e}
	f.what()
	f.where()
	f.about()
	f.links()
	f.images()
	f.event()
	return f.problems
}

type filler struct {
	s        *Server
	v        url.Values
	e        *directory.Entry
	problems directory.Invalid
}

func (f *filler) add(field, code, value string) {
	f.problems = append(f.problems, invalidParam(field, code, value)...)
}

// text takes a field if the form has it.
func (f *filler) text(name string, into *string) {
	if f.v.Has(name) {
		*into = strings.TrimSpace(f.v.Get(name))
	}
}

func (f *filler) what() {
	if f.e.Version == 0 && f.v.Has("kind") {
		f.e.Kind = directory.Kind(f.v.Get("kind")) // what stands keeps its kind
	}
	f.text("name", &f.e.Name)
	if list, ok := f.v["categories"]; ok {
		f.e.Categories = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	}
	if f.v.Has("tags") {
		f.e.Tags = strings.FieldsFunc(f.v.Get("tags"), func(r rune) bool { return r == ',' || r == ';' || r == '\n' })
	}
}

func (f *filler) where() {
	mode := f.v.Get("where")
	if mode == "area" {
		f.e.Sites, f.e.Approximate, f.e.Address = nil, false, nil
	}
	if zones, ok := f.v["area.zones"]; ok || mode == "area" {
		kept := slices.DeleteFunc(slices.Clone(zones), func(s string) bool { return s == "" })
		if f.e.Area == nil {
			f.e.Area = &directory.Area{}
		}
		f.e.Area.Zones = kept
	}
	if mode == "area" {
		return
	}
	if f.v.Has("address.addressLocality") {
		a := directory.Address{}
		if f.e.Address != nil {
			a = *f.e.Address
		}
		f.text("address.streetAddress", &a.Street)
		f.text("address.postalCode", &a.PostalCode)
		f.text("address.addressLocality", &a.Locality)
		f.text("address.addressCountry", &a.Country)
		f.text("address.municipality", &a.Code)
		f.e.Address = &a
	}
	if !f.v.Has("lon") && !f.v.Has("lat") {
		return
	}
	f.e.Approximate = f.v.Get("approximate") != ""
	lon, lat := strings.TrimSpace(f.v.Get("lon")), strings.TrimSpace(f.v.Get("lat"))
	if lon == "" && lat == "" {
		f.e.Sites, f.e.Approximate = nil, false
		return
	}
	x, okX := parseDegrees(lon)
	y, okY := parseDegrees(lat)
	if !okX || !okY {
		f.add("geometry", directory.CodeInvalid, lat+", "+lon)
		return
	}
	if len(f.e.Sites) == 0 {
		f.e.Sites = []orb.Point{{x, y}}
	} else {
		f.e.Sites[0] = orb.Point{x, y} // the others stay
	}
}

// parseDegrees reads a coordinate, also with a decimal comma.
func parseDegrees(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	return n, err == nil && n == n && n > -1e6 && n < 1e6
}

func (f *filler) about() {
	f.text("summary", &f.e.Summary)
	f.text("description", &f.e.Description)
	f.text("lang", &f.e.Lang)
	switch {
	case f.v.Has("hours.mode") && f.e.Kind != directory.Event:
		text, problems := hoursFrom(f.v)
		f.problems = append(f.problems, problems...)
		if len(problems) == 0 {
			f.e.OpeningHours = text
		}
	case f.v.Has("openingHours"):
		stood := f.e.OpeningHours
		f.text("openingHours", &f.e.OpeningHours)
		if _, err := hours.Parse(f.e.OpeningHours); err != nil && f.e.OpeningHours != "" && f.e.OpeningHours != stood {
			f.add("openingHours", directory.CodeInvalid, f.e.OpeningHours)
		}
	}
	if f.v.Has("accessibility.wheelchair") {
		if f.e.Accessibility == nil {
			f.e.Accessibility = map[string]string{}
		}
		f.e.Accessibility["wheelchair"] = f.v.Get("accessibility.wheelchair")
	}
	if f.v.Has("contact.email") || f.v.Has("contact.phone") || f.v.Has("contact.website") || f.v.Has("contact.name") {
		if f.e.Contact == nil {
			f.e.Contact = &directory.Contact{}
		}
		f.text("contact.name", &f.e.Contact.Name)
		f.text("contact.email", &f.e.Contact.Email)
		f.text("contact.phone", &f.e.Contact.Phone)
		f.text("contact.website", &f.e.Contact.Website)
	}
}

func (f *filler) links() {
	got := rows(f.v, "links", maxLinkRows, "url", "title", "rel")
	if got == nil {
		return
	}
	got = slices.DeleteFunc(got, func(r map[string]string) bool { return r["url"] == "" && r["title"] == "" })
	setRows(f.v, "links", maxLinkRows, got)
	rest := f.e.Links[min(len(f.e.Links), maxLinkRows):] // more than the form shows
	f.e.Links = nil
	for _, r := range got {
		f.e.Links = append(f.e.Links, directory.Link{Rel: r["rel"], URL: r["url"], Title: r["title"]})
	}
	f.e.Links = append(f.e.Links, rest...)
	if len(got) == 0 {
		f.v.Set("links[0].url", "") // the form had links and has none left
	}
}

// images takes the words and the order of pictures. Their addresses must be those of pictures that were uploaded, or that
// the entry has already.
func (f *filler) images() {
	got := rows(f.v, "images", maxImages, "url", "alt", "credit", "remove", "order")
	if got == nil {
		return
	}
	have := map[string]directory.Image{}
	for _, m := range f.e.Images {
		have[m.URL] = m
	}
	inOrder(got)
	away := false
	got = slices.DeleteFunc(got, func(r map[string]string) bool {
		address := r["url"]
		if _, known := have[address]; r["remove"] != "" || address == "" || known {
			return r["remove"] != "" || address == ""
		}
		k, ok, err := f.s.measure(context.Background(), address)
		if err != nil {
			f.s.Log.Error("pictures cannot be read", "err", err)
			away = true
			return false // nobody knows: it stays on the form
		}
		have[address] = directory.Image{URL: address, Width: k.width, Height: k.height}
		return !ok
	})
	if away {
		f.problems = append(f.problems, directory.Problem{Field: "picture", Code: "not_read"})
	}
	setRows(f.v, "images", maxImages, got)
	rest := f.e.Images[min(len(f.e.Images), maxImages):]
	f.e.Images = nil
	for i, r := range got {
		m, known := have[r["url"]]
		if !known {
			continue
		}
		m.Alt, m.Credit = r["alt"], r["credit"]
		if m.Alt == "" && strings.HasPrefix(m.URL, media.Prefix) {
			f.problems = append(f.problems, directory.Problem{Field: fmt.Sprintf("images[%d].alt", i), Code: directory.CodeRequired})
		}
		f.e.Images = append(f.e.Images, m)
	}
	f.e.Images = append(f.e.Images, rest...)
	if len(got) == 0 {
		f.v.Set("images[0].url", "")
	}
}

// inOrder puts rows where their authors want them. Of two that are to have one place, the one that was moved there comes
// first.
func inOrder(list []map[string]string) {
	place := func(i int, r map[string]string) int {
		n, err := strconv.Atoi(r["order"])
		if err != nil || n < 1 || n > maxImages {
			n = i + 1
		}
		switch {
		case n < i+1:
			return 4 * n // it comes up: before what stands there
		case n > i+1:
			return 4*n + 2 // it goes down: behind it
		}
		return 4*n + 1
	}
	type placed struct {
		row map[string]string
		at  int
	}
	rows := make([]placed, len(list))
	for i, r := range list {
		rows[i] = placed{r, place(i, r)}
	}
	slices.SortStableFunc(rows, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	for i := range rows {
		list[i] = rows[i].row
		delete(list[i], "order") // the rows now stand in it
	}
}
