package islands

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/directory/ical"
	"archipel/federation"
	"archipel/federation/vocab"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// plainEpoch is the epoch of what came in plain ActivityPub: whatever an island says of the same object is newer.
const plainEpoch = -1

// Limits of what is taken of one event.
const (
	maxPlainTags   = 20
	maxPlainImages = 3
	maxPlainLinks  = 5
	maxPlainLangs  = 10
)

// plainEvent is what a document of another server says of an event.
type plainEvent struct {
	*state
	stated  time.Time // when it says that it changed last; zero: it does not say
	public  bool
	online  bool
	owners  []string // the actors that may speak for it
	located bool     // it has a place, be it without a position
}

// plainID is the ID of an object of another server: its own when it is one of another Archipel, else one that is made of
// its address, the same at every time and by whatever way it comes.
func plainID(address string) directory.ID {
	host := vocab.Host(address)
	if _, rest, ok := strings.Cut(address, "://"+host+"/id/"); ok && directory.ID(rest).Valid() {
		return directory.ID(rest)
	}
	sum := sha256.Sum256([]byte("archipel plain " + address))
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // version 8 (RFC 9562): of our own making
	return directory.ID(u.String())
}

// readPlain understands an Event of ActivityPub, as Mobilizon, Gancio, WordPress, Friendica and others write it. The error is
// of one that cannot be an entry.
func readPlain(doc map[string]any, now time.Time) (*plainEvent, error) {
	t := vocab.ReadThing(doc)
	if t.Type != "Event" || vocab.Host(t.ID) == "" || len(t.ID) > directory.MaxURL {
		return nil, fmt.Errorf("a %.40q: %w", t.Type, errForm)
	}
	p := &plainEvent{
		state: &state{origin: vocab.Host(t.ID), object: t.ID, id: plainID(t.ID), epoch: plainEpoch}, stated: t.Updated, online: t.Online,
		public: t.Public() && doc["draft"] != true, owners: ownersOf(doc),
	}
	e := &p.entry
	*e = directory.Entry{
		ID: p.id, Kind: directory.Event, Origin: p.origin, Status: directory.Published, Name: ical.Line(t.Name, directory.MaxName),
		Licence: licenceOf(doc), Created: past(t.Published, now), Updated: past(t.Updated, now),
	}
	if e.Created.IsZero() {
		e.Created = past(now, now)
	}
	if e.Updated.IsZero() {
		e.Updated = e.Created
	}
	if e.Name == "" || t.Start.IsZero() {
		return nil, fmt.Errorf("%.200q without a name or a time: %w", t.ID, errForm)
	}
	e.Source = &directory.Source{Name: p.origin, URL: ical.WebLink(t.URL)}
	if e.Source.URL == "" {
		e.Source.URL = ical.WebLink(t.ID)
	}
	if len(t.ID) <= directory.MaxLine && ical.WebLink(t.ID) == t.ID { // an address may have signs that no line has
		e.Source.ExternalID = t.ID
	}
	takeTexts(e, &t)
	takeTimes(e, &t, doc)
	p.located = takePlace(e, &t)
	takeLinks(e, &t)
	for _, c := range t.Categories {
		if c = ical.Line(c, 80); c != "" && len(e.Categories) < 5 {
			e.Categories = append(e.Categories, c)
			p.words = append(p.words, word{ID: c, Label: map[string]string{"en": strings.ToLower(strings.ReplaceAll(c, "_", " "))}})
		}
	}
	slim := maps.Clone(doc)
	delete(slim, "@context")
	var err error
	if p.raw, err = pack(slim); err != nil {
		return nil, err
	}
	if len(p.raw) > maxObject {
		return nil, fmt.Errorf("%.200q is too large: %w", t.ID, errForm)
	}
	return p, nil
}

// ownersOf are the actors to whom a document says that it belongs.
func ownersOf(doc map[string]any) (owners []string) {
	for _, property := range []string{"attributedTo", "actor"} {
		for _, r := range vocab.Refs(doc, property) {
			owners = append(owners, r.ID)
		}
	}
	return owners
}

// past is a time as entries keep it, and never ahead.
func past(t, now time.Time) time.Time {
	if t.IsZero() || t.Year() < 1970 {
		return time.Time{}
	}
	if t.After(now) {
		t = now
	}
	return t.UTC().Truncate(time.Millisecond)
}

// takeTexts reads texts in their languages.
func takeTexts(e *directory.Entry, t *vocab.Thing) {
	if len(t.ContentMap) == 1 && t.Language == "" {
		for lang := range t.ContentMap {
			t.Language = lang
		}
	}
	e.Lang, _ = directory.LanguageTag(t.Language)
	describe := func(content string) string {
		if m := strings.ToLower(t.MediaType); m == "text/plain" || m == "text/markdown" {
			return ical.Plain(content, directory.MaxDescription)
		}
		return ical.Markdown(content, directory.MaxDescription)
	}
	summary := func(s string) string { return ical.Line(federation.PlainText(s), directory.MaxSummary) }
	e.Description, e.Summary = describe(t.Content), summary(t.Summary)
	langs := map[string]bool{}
	for _, m := range []map[string]string{t.NameMap, t.SummaryMap, t.ContentMap} {
		for lang := range m {
			langs[lang] = true
		}
	}
	for _, lang := range slices.Sorted(maps.Keys(langs)) {
		tag, ok := directory.LanguageTag(lang)
		if !ok || tag == e.Lang || e.Lang == "" || len(e.Translations) >= maxPlainLangs {
			continue
		}
		if e.Translations == nil {
			e.Translations = map[string]directory.Translation{}
		}
		e.Translations[tag] = directory.Translation{
			Name: ical.Line(t.NameMap[lang], directory.MaxName), Summary: summary(t.SummaryMap[lang]), Description: describe(t.ContentMap[lang]),
		}
	}
}

// eventStates are the words for the state of an event, of iCalendar and of schema.org.
var eventStates = map[string]directory.EventState{
	"cancelled": directory.Cancelled, "canceled": directory.Cancelled, "eventcancelled": directory.Cancelled, "tentative": directory.Tentative,
	"eventtentative": directory.Tentative, "eventpostponed": directory.Postponed, "eventrescheduled": directory.Rescheduled, "eventmovedonline": directory.MovedOnline,
}

func takeTimes(e *directory.Entry, t *vocab.Thing, doc map[string]any) {
	v := &directory.Schedule{Start: t.Start, End: t.End, RegisterURL: ical.WebLink(t.Participation)}
	if doc["displayEndTime"] == false || v.End.Before(v.Start) {
		v.End = time.Time{}
	}
	if loc, err := directory.Zone(t.Timezone); err == nil {
		v.Timezone = loc.String()
	}
	for _, s := range t.Status {
		s = s[strings.LastIndexAny(s, "/#:")+1:]
		if state := eventStates[strings.ToLower(s)]; state != "" {
			v.State = state
			break
		}
	}
	for _, s := range t.Places {
		if s.Type == "VirtualLocation" && v.AttendanceURL == "" {
			v.AttendanceURL = ical.WebLink(s.URL)
		}
	}
	e.Event = v
}

// takePlace reads where an event is: the first place that is one. It reports whether there is any.
func takePlace(e *directory.Entry, t *vocab.Thing) bool {
	for _, s := range t.Places {
		if s.Type == "VirtualLocation" {
			continue
		}
		name := ical.Line(s.Name, 150)
		a := ical.Address(s.Address)
		if a == nil {
			a = &directory.Address{}
		}
		for field, said := range map[*string]string{&a.Street: s.Street, &a.PostalCode: s.PostalCode, &a.Locality: s.Locality, &a.Region: s.Region} {
			if said = ical.Line(said, directory.MaxLine/2); said != "" {
				*field = said
			}
		}
		if code := countryCode(s.Country); code != "" {
			a.Country = code
		}
		if name != "" && !strings.Contains(directory.Fold(a.Street), directory.Fold(name)) && name != a.Locality {
			a.Street = strings.TrimSuffix(name+", "+a.Street, ", ")
		}
		a.Street = ical.Line(a.Street, directory.MaxLine)
		if s.HasPoint && (s.Longitude != 0 || s.Latitude != 0) {
			e.Sites = []orb.Point{{s.Longitude, s.Latitude}}
		}
		if *a != (directory.Address{}) {
			e.Address = a
		}
		if e.Address != nil || e.Sites != nil {
			return true
		}
	}
	return false
}

// countries are their codes by their names in the languages of our peers.
var countries = sync.OnceValue(func() map[string]string {
	codes := map[string]string{}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			r, err := language.ParseRegion(string(a) + string(b))
			if err != nil || !r.IsCountry() || r.Canonicalize() != r {
				continue
			}
			for _, lang := range []language.Tag{language.French, language.English, language.German, language.Italian, language.Spanish} {
				if name := display.Regions(lang).Name(r); name != "" {
					codes[directory.Fold(name)] = r.String()
				}
			}
		}
	}
	return codes
})

// countryCode is a country as entries keep it, by its code or its name.
func countryCode(said string) string {
	said = strings.TrimSpace(said)
	if len(said) == 2 {
		if r, err := language.ParseRegion(said); err == nil && r.IsCountry() {
			return r.String()
		}
	}
	return countries()[directory.Fold(said)]
}

// takeLinks reads pictures, web sites and tags.
func takeLinks(e *directory.Entry, t *vocab.Thing) {
	for _, p := range slices.Concat(t.Attachments, t.Image) {
		u := ical.WebLink(p.URL)
		switch {
		case p.Type == "Link" || p.Type == "PropertyValue" && ical.WebLink(p.Value) != "":
			if u == "" {
				u = ical.WebLink(p.Value)
			}
			if u != "" && len(e.Links) < maxPlainLinks {
				e.Links = append(e.Links, directory.Link{Rel: "website", URL: u})
			}
		case u != "" && (strings.HasPrefix(p.MediaType, "image/") && p.MediaType != "image/svg+xml" || p.Type == "Image") && len(e.Images) < maxPlainImages:
			alt := ical.Line(p.Name, 1000)
			if alt == "Banner" { // Mobilizon's word for what the picture is there
				alt = ""
			}
			if !slices.ContainsFunc(e.Images, func(m directory.Image) bool { return m.URL == u }) {
				e.Images = append(e.Images, directory.Image{URL: u, Alt: alt, Licence: directory.LicenceNotStated})
			}
		case p.Name == "mz:accessibility:wheelchairAccessible":
			if v := map[string]string{"fully": "yes", "partially": "limited", "no": "no"}[p.Value]; v != "" {
				e.Accessibility = map[string]string{"wheelchair": v}
			}
		}
	}
	for _, p := range t.Tags {
		if name := ical.Line(strings.TrimPrefix(p.Name, "#"), 100); p.Type == "Hashtag" && name != "" && len(e.Tags) < maxPlainTags && !slices.Contains(e.Tags, name) {
			e.Tags = append(e.Tags, name)
		}
	}
}

var creativeCommons = regexp.MustCompile(`^https?://creativecommons\.org/(?:licenses/(by(?:-nc|-nd|-sa)*)/(\d\.\d)|publicdomain/zero/1\.0)/?`)

// licenceOf is the licence that a document states, by its identifier, its usual name or its address; no server that we know
// states one.
func licenceOf(doc map[string]any) string {
	for _, property := range []string{"license", "licence", "schema:license", "dcterms:license", "dc:license"} {
		said := vocab.Text(doc, property)
		if said == "" {
			if refs := vocab.Refs(doc, property); len(refs) > 0 {
				said = refs[0].ID
			}
		}
		if m := creativeCommons.FindStringSubmatch(strings.ToLower(said)); m != nil {
			said = "CC0-1.0"
			if m[1] != "" {
				said = "CC-" + m[1] + "-" + m[2]
			}
		}
		if id := directory.CanonicalLicence(said); id != "" && directory.KnownLicence(id) {
			return id
		}
	}
	return directory.LicenceNotStated
}
