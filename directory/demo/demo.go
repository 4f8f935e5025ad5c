// Package demo is a demonstration region: some two hundred fictitious entries around Saint-Étienne, the Forez, the
// Pilat and the Roannais, with events in the weeks that follow a given day.
//
// The content is written by hand, in data/*.yaml; the code only reads it. Towns and positions are real, everything else
// is invented: telephone numbers come from the range that France reserves for fiction (04 65 71 ....), mail addresses
// and websites from example.org (RFC 2606).
package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"gopkg.in/yaml.v3"

	"archipel/directory"
)

// Source is the name of the source that every entry of the demonstration carries.
const Source = "Démonstration"

// Licence is the licence of the texts.
const Licence = "CC0-1.0"

//go:embed towns.csv data/*.yaml
var files embed.FS

// Entries returns the demonstration as of now: the same entries for the same day, each with the same ID and external id
// whatever the day, so that filling a directory twice doubles nothing. Events lie in the weeks around now, in
// Europe/Paris. Relations name entries of the same list. Version is 0: they are meant to be created.
func Entries(now time.Time) []directory.Entry {
	entries, err := load(files, now)
	if err != nil {
		panic("demo: " + err.Error()) // the embedded files are tested
	}
	return entries
}

// record is an entry as the files write it.
type record struct {
	ID       string // external id; unique, never changes
	Kind     directory.Kind
	Name     string
	Cat      []string
	Tags     []string
	Town     string // a name of towns.csv; "Town, quarter" for the quarters of Saint-Étienne
	At       [2]int // metres east and north of the town's centre
	More     []site // further sites
	Approx   bool
	Street   string
	Summary  string
	Text     string
	En       *directory.Translation
	Lang     string // "fr" when empty
	Hours    string
	Mail     string // before "@ID.example.org"
	Site     bool   // https://ID.example.org
	Phone    string
	Person   string
	Links    []directory.Link
	Access   map[string]string
	Zones    []string
	Ring     []orb.Point // area of action, drawn: [longitude, latitude], open or closed
	Rel      []string    // "memberOf other-id"
	By       string      // an event's organiser
	Where    string      // the place that hosts an event
	NoPlace  bool        // an event online only
	Status   directory.Status
	Created  int // days before now
	Checked  int // days before now; 0: never
	Note     string
	Reply    string // private mail address
	When     *when
	Price    string
	Register string
	Online   string
	Speaks   []string
	State    directory.EventState
}

type site struct {
	Town string
	At   [2]int
}

type town struct {
	name, postcode, code string
	centre               orb.Point // [longitude, latitude]
}

func load(files fs.FS, now time.Time) ([]directory.Entry, error) {
	towns, err := readTowns(files)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	local := now.In(zone)
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)

	names, err := fs.Glob(files, "data/*.yaml")
	if err != nil {
		return nil, err
	}
	var entries []directory.Entry
	var all []record
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var records []record
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&records); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range records {
			e, err := records[i].entry(towns, today)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, records[i].ID, err)
			}
			entries = append(entries, e)
		}
		all = append(all, records...)
	}
	return entries, tie(entries, all)
}

// tie gives organisers and hosts their relations to events, and events without a town the position of their host.
func tie(entries []directory.Entry, records []record) error {
	index := make(map[string]int, len(entries))
	for i := range records {
		index[records[i].ID] = i
	}
	for i := range records {
		r := &records[i]
		for _, host := range []struct{ id, rel string }{{r.By, "organises"}, {r.Where, "hosts"}} {
			if host.id == "" {
				continue
			}
			at, ok := index[host.id]
			if !ok {
				return fmt.Errorf("%s: no entry %q", r.ID, host.id)
			}
			entries[at].Relations = append(entries[at].Relations, directory.Relation{Rel: host.rel, Target: entries[i].ID})
			if r.Town == "" && !r.NoPlace { // Where comes last and wins
				place := &entries[at]
				entries[i].Sites, entries[i].Approximate = place.Sites[:1:1], place.Approximate
				address := *place.Address
				entries[i].Address = &address
			}
		}
	}
	return nil
}

func readTowns(files fs.FS) (map[string]town, error) {
	b, err := fs.ReadFile(files, "towns.csv")
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	towns := make(map[string]town, len(rows))
	for _, row := range rows[1:] {
		lon, err1 := strconv.ParseFloat(row[3], 64)
		lat, err2 := strconv.ParseFloat(row[4], 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("towns.csv: bad position of %s", row[0])
		}
		towns[row[0]] = town{row[0], row[1], row[2], orb.Point{lon, lat}}
	}
	return towns, nil
}

// idFor makes a UUIDv7 that depends on the external id alone; its time is that of the demonstration's first version.
func idFor(external string) directory.ID {
	sum := sha256.Sum256([]byte("archipel demo " + external))
	var u uuid.UUID
	copy(u[:], sum[:])
	ms := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC).UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return directory.ID(u.String())
}

func (r *record) entry(towns map[string]town, today time.Time) (directory.Entry, error) {
	e := directory.Entry{
		ID: idFor(r.ID), Kind: r.Kind, Name: r.Name, Summary: r.Summary, Description: strings.TrimSpace(r.Text), Lang: r.Lang,
		Categories: r.Cat, Tags: r.Tags, Approximate: r.Approx, Links: r.Links, OpeningHours: r.Hours,
		Accessibility: r.Access, Licence: Licence, Status: r.Status,
		Source:  &directory.Source{Name: Source, ExternalID: r.ID},
		Created: today.AddDate(0, 0, -max(r.Created, 1)),
	}
	e.Updated = e.Created
	if e.Lang == "" {
		e.Lang = "fr"
	}
	if e.Status == "" {
		e.Status = directory.Published
	}
	if e.Description != "" {
		e.Description += "\n\n*Fiche fictive, écrite pour la démonstration.*"
	}
	if r.En != nil {
		e.Translations = map[string]directory.Translation{"en": *r.En}
	}
	if r.Checked > 0 {
		e.Checked = today.AddDate(0, 0, -r.Checked)
	}
	if r.Town != "" {
		t, ok := towns[r.Town]
		if !ok {
			return e, fmt.Errorf("no town %q in towns.csv", r.Town)
		}
		locality, _, _ := strings.Cut(t.name, ",")
		e.Address = &directory.Address{Street: r.Street, PostalCode: t.postcode, Locality: locality, Country: "FR", Code: t.code}
		e.Sites = append(e.Sites, offset(t.centre, r.At))
	}
	for _, s := range r.More {
		t, ok := towns[s.Town]
		if !ok {
			return e, fmt.Errorf("no town %q in towns.csv", s.Town)
		}
		e.Sites = append(e.Sites, offset(t.centre, s.At))
	}
	r.contact(&e)
	r.area(&e)
	for _, rel := range r.Rel {
		word, target, _ := strings.Cut(rel, " ")
		e.Relations = append(e.Relations, directory.Relation{Rel: word, Target: idFor(target)})
	}
	if r.When != nil {
		s, err := r.When.schedule(today)
		if err != nil {
			return e, err
		}
		s.Price, s.State, s.Languages, s.RegisterURL, s.AttendanceURL = r.Price, r.State, r.Speaks, r.Register, r.Online
		e.Event = s
	}
	return e, nil
}

func (r *record) contact(e *directory.Entry) {
	c := directory.Contact{Name: r.Person, Phone: r.Phone}
	host := r.ID + ".example.org"
	if r.Mail != "" {
		c.Email = r.Mail + "@" + host
	}
	if r.Site {
		c.Website = "https://" + host + "/"
	}
	if c != (directory.Contact{}) {
		e.Contact = &c
	}
	if r.Note != "" || r.Reply != "" {
		e.Private = &directory.Private{Note: r.Note, Email: r.Reply}
	}
}

func (r *record) area(e *directory.Entry) {
	if len(r.Zones) == 0 && len(r.Ring) == 0 {
		return
	}
	e.Area = &directory.Area{Zones: r.Zones}
	if len(r.Ring) > 0 {
		ring := orb.Ring(slices.Clone(r.Ring))
		if ring[0] != ring[len(ring)-1] {
			ring = append(ring, ring[0])
		}
		e.Area.Shape = &directory.Shape{Geometry: orb.Polygon{ring}}
	}
}

// offset moves a position by metres east and north, on the sphere of 111,320 m to the degree.
func offset(p orb.Point, metres [2]int) orb.Point {
	const degree = 111_320
	round := func(v float64) float64 { return math.Round(v*1e5) / 1e5 }
	return orb.Point{
		round(p[0] + float64(metres[0])/(degree*math.Cos(p[1]*math.Pi/180))),
		round(p[1] + float64(metres[1])/degree),
	}
}
