package vocab

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Thing is what an object, an activity or an actor of another server says of itself, in one form for the many in which
// networks say it. Texts are as they came: not sanitised.
type Thing struct {
	ID, Type   string
	URL        string // the page for people
	By         []string
	To, Cc     []string // the public collection as [Public]
	Audience   []string
	InReplyTo  []string
	Target     string // of a Move
	Published  time.Time
	Updated    time.Time
	Deleted    time.Time
	FormerType string

	Name, Summary, Content string // the last in HTML, unless MediaType says something else; the first of its language map when only that came
	NameMap, SummaryMap    map[string]string
	ContentMap             map[string]string // by language tag
	MediaType, Language    string
	Sensitive              bool // Summary is a warning
	Attachments, Tags      []Part
	Icon, Image            []Part

	Start, End    time.Time // with the offset that was said
	Timezone      string
	Places        []Spot
	Status        []string // in the words of iCalendar and of schema.org, as it came
	JoinMode      string
	Participation string // where to register
	Categories    []string
	Organizers    []string
	Capacity      float64
	Online        bool

	Username, Inbox, Outbox string
	Followers, SharedInbox  string
	MovedTo                 string
	AlsoKnownAs             []string
	Keys                    []Key
	Discoverable, Indexable bool // missing means no
	Approves                bool // it says yes or no to each follower
}

// Part is an attachment, a tag or a picture.
type Part struct{ Type, Name, URL, MediaType, Value string }

// Key is a key as an actor lists it.
type Key struct{ ID, Owner, PEM, Multibase string }

// Spot is where an event is, or an actor at home.
type Spot struct {
	Type, ID, Name, URL       string // a VirtualLocation has an address in the web
	Address                   string // as one text, when it came so
	Street, PostalCode        string
	Locality, Region, Country string
	Latitude, Longitude       float64 // degrees, WGS 84
	HasPoint                  bool
}

// ReadThing reads a document of another server. What is not there, or is not what it should be, is left out: nothing is an error.
func ReadThing(doc map[string]any) Thing {
	doc, _ = normalise(doc).(map[string]any)
	t := Thing{
		ID: text(doc["id"]), Type: text(doc["type"]), By: ids(doc, "attributedTo", "actor"), To: ids(doc, "to"), Cc: ids(doc, "cc"), Audience: ids(doc, "audience"),
		InReplyTo: ids(doc, "inReplyTo"), Target: firstOf(ids(doc, "target")), FormerType: first(doc, "formerType"),
		Published: timeOf(doc, "published"), Updated: timeOf(doc, "updated"), Deleted: timeOf(doc, "deleted"),
		MediaType: first(doc, "mediaType"), Language: first(doc, "inLanguage"), Sensitive: doc["sensitive"] == true,
		Attachments: parts(doc, "attachment"), Tags: parts(doc, "tag"), Icon: parts(doc, "icon"), Image: parts(doc, "image"),
		Timezone: first(doc, "timezone"), JoinMode: first(doc, "joinMode"), Participation: first(doc, "externalParticipationUrl"),
		Categories: Texts(doc, "category"), Organizers: ids(doc, "organizers"), Online: doc["isOnline"] == true,
		Username: first(doc, "preferredUsername"), Inbox: firstOf(ids(doc, "inbox")), Outbox: firstOf(ids(doc, "outbox")), Followers: firstOf(ids(doc, "followers")),
		MovedTo: firstOf(ids(doc, "movedTo")), AlsoKnownAs: ids(doc, "alsoKnownAs"),
		Discoverable: doc["discoverable"] == true, Indexable: doc["indexable"] == true, Approves: doc["manuallyApprovesFollowers"] == true,
	}
	t.Name, t.NameMap = worded(doc, "name")
	t.Summary, t.SummaryMap = worded(doc, "summary")
	t.Content, t.ContentMap = worded(doc, "content")
	t.URL = pageOf(doc["url"])
	t.Capacity, _ = doc["maximumAttendeeCapacity"].(float64)
	for _, k := range []string{"eventStatus", "status", "ical:status"} {
		for _, s := range Texts(doc, k) {
			if !slices.Contains(t.Status, s) {
				t.Status = append(t.Status, s)
			}
		}
	}
	t.Start, t.End = timeIn(doc, "startTime", t.Timezone), timeIn(doc, "endTime", t.Timezone)
	for _, v := range list(doc["location"]) {
		if s, ok := spot(v); ok {
			t.Places = append(t.Places, s)
		}
	}
	for _, e := range Endpoints(doc) {
		if s := text(e["sharedInbox"]); s != "" {
			t.SharedInbox = s
		}
	}
	for _, r := range Refs(doc, "publicKey") {
		t.Keys = append(t.Keys, Key{ID: r.ID, Owner: text(r.Doc["owner"]), PEM: text(r.Doc["publicKeyPem"])})
	}
	for _, r := range Refs(doc, "assertionMethod") {
		t.Keys = append(t.Keys, Key{ID: r.ID, Owner: text(r.Doc["controller"]), Multibase: text(r.Doc["publicKeyMultibase"])})
	}
	return t
}

// Public reports whether a thing is for everybody.
func (t *Thing) Public() bool { return slices.Contains(t.To, Public) || slices.Contains(t.Cc, Public) }

// ids are what the first of the properties that has any points at.
func ids(doc map[string]any, properties ...string) []string {
	for _, p := range properties {
		var all []string
		for _, r := range Refs(doc, p) {
			all = append(all, r.ID)
		}
		if all != nil {
			return all
		}
	}
	return nil
}

func firstOf(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func first(doc map[string]any, property string) string { return firstOf(Texts(doc, property)) }

// worded is a text and its language map. Some servers send one of them only.
func worded(doc map[string]any, property string) (string, map[string]string) {
	var words map[string]string
	said, _ := doc[property+"Map"].(map[string]any)
	for lang, v := range said {
		if s := text(v); s != "" {
			if words == nil {
				words = map[string]string{}
			}
			words[lang] = s
		}
	}
	s := first(doc, property)
	if s == "" && words != nil {
		s = words[slices.Min(slices.Collect(maps.Keys(words)))]
	}
	return s, words
}

// pageOf is the address for people among those of a thing: the first that is HTML, or that says nothing of its type.
func pageOf(v any) string {
	other := ""
	for _, v := range list(v) {
		address, media := text(v), ""
		if m, ok := v.(map[string]any); ok {
			address, media = text(m["href"]), text(m["mediaType"])
		}
		if address != "" && (media == "" || strings.HasPrefix(media, "text/html")) {
			return address
		}
		if other == "" {
			other = address
		}
	}
	return other
}

func parts(doc map[string]any, property string) []Part {
	var all []Part
	for _, v := range list(doc[property]) {
		if s := text(v); s != "" {
			all = append(all, Part{URL: s})
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		p := Part{Type: text(m["type"]), Name: text(m["name"]), Value: text(m["value"]), MediaType: text(m["mediaType"]), URL: pageOf(m["url"])}
		if p.URL == "" {
			p.URL = text(m["href"])
		}
		if p.URL == "" {
			p.URL = text(m["id"])
		}
		all = append(all, p)
	}
	return all
}

func spot(v any) (Spot, bool) {
	if s := text(v); s != "" {
		return Spot{Name: s}, true
	}
	m, ok := v.(map[string]any)
	if !ok {
		return Spot{}, false
	}
	s := Spot{Type: text(m["type"]), ID: text(m["id"]), Name: text(m["name"]), URL: pageOf(m["url"]), Address: text(m["address"])}
	if a, ok := m["address"].(map[string]any); ok {
		s.Street, s.PostalCode, s.Locality = text(a["streetAddress"]), text(a["postalCode"]), text(a["addressLocality"])
		s.Region, s.Country = text(a["addressRegion"]), text(a["addressCountry"])
	}
	lat, hasLat := m["latitude"].(float64)
	lon, hasLon := m["longitude"].(float64)
	if hasLat && hasLon && lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 {
		s.Latitude, s.Longitude, s.HasPoint = lat, lon, true
	}
	return s, true
}

// timeLayouts are the forms of xsd:dateTime that are met; the last two say no offset.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04"}

func timeOf(doc map[string]any, property string) time.Time { return timeIn(doc, property, "UTC") }

// timeIn reads a time; one without an offset is meant in the zone.
func timeIn(doc map[string]any, property, zone string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil || strings.EqualFold(zone, "Local") {
		loc = time.UTC
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, first(doc, property), loc); err == nil {
			return t
		}
	}
	return time.Time{}
}

// Items are the items of a collection, or of a page of one: addresses and documents.
func Items(doc map[string]any, property string) []any { return list(doc[property]) }
