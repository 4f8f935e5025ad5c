// Package directory is what an entry of the directory is, and the only way to change one.
//
// The spine is an append-only log of changes (see [Store]): a change is the write. [Directory] validates, appends,
// keeps the views in memory up to date before a write returns, and drives followers that have an effect elsewhere.
package directory

import (
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

// ID names an entry for ever: a UUIDv7 (RFC 9562) in its canonical text form.
type ID string

// NewID returns a fresh ID.
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

// Valid reports whether id is a UUID in canonical lower-case text form.
func (id ID) Valid() bool {
	u, err := uuid.Parse(string(id))
	return err == nil && u.String() == string(id)
}

// Seq is a position in the log of changes; the first change has Seq 1 and there are no gaps.
type Seq int64

// Kind says what an entry is.
type Kind string

// The four kinds of entries.
const (
	Organisation Kind = "organisation"
	Place        Kind = "place"
	Initiative   Kind = "initiative"
	Event        Kind = "event"
)

// Kinds lists the kinds in the order in which people see them.
var Kinds = []Kind{Organisation, Place, Initiative, Event}

// Status says how far an entry has come.
type Status string

// The life of an entry. Only [Published] entries are public; [Removed] ones are tombstones.
const (
	Draft     Status = "draft"
	Pending   Status = "pending"
	Published Status = "published"
	Hidden    Status = "hidden"
	Removed   Status = "removed"
)

// Entry is one organisation, place, initiative or event.
//
// Its JSON form is a GeoJSON Feature (RFC 7946): Sites are the geometry, everything else the properties.
// [Entry.MarshalJSON] writes the public form, without [Private]; stores use [EncodeStored].
type Entry struct {
	ID      ID       `json:"-"`
	Kind    Kind     `json:"kind"`
	Slug    string   `json:"slug,omitempty"`
	Aliases []string `json:"aliases,omitempty"` // earlier slugs, still answered with a redirect

	Name         string                 `json:"name"`
	Summary      string                 `json:"summary,omitempty"`      // plain text, at most 500 characters
	Description  string                 `json:"description,omitempty"`  // Markdown, shown sanitised
	Lang         string                 `json:"lang,omitempty"`         // BCP 47
	Translations map[string]Translation `json:"translations,omitempty"` // by BCP 47 tag

	Categories []string `json:"categories,omitempty"` // ids of the instance's taxonomy, the main one first
	Tags       []string `json:"tags,omitempty"`

	Sites       []orb.Point `json:"-"`                     // [longitude, latitude] in degrees, WGS 84; the main one first
	Approximate bool        `json:"approximate,omitempty"` // the position is known at town level only
	Area        *Area       `json:"area,omitempty"`        // where it acts
	Address     *Address    `json:"address,omitempty"`

	Contact       *Contact          `json:"contact,omitempty"` // published contact
	Links         []Link            `json:"links,omitempty"`
	OpeningHours  string            `json:"openingHours,omitempty"` // OpenStreetMap opening_hours syntax
	Images        []Image           `json:"images,omitempty"`
	Accessibility map[string]string `json:"accessibility,omitempty"` // see [AccessibilityKeys]
	Identifiers   map[string]string `json:"identifiers,omitempty"`   // see [IdentifierKeys]
	Extra         map[string]string `json:"extra,omitempty"`         // what an import knew and no field takes

	Event *Schedule `json:"event,omitempty"` // events only

	Relations []Relation `json:"relations,omitempty"`

	Licence string  `json:"licence,omitempty"` // SPDX identifier
	Source  *Source `json:"source,omitempty"`
	Origin  string  `json:"origin,omitempty"` // host of the instance it belongs to; empty when ours

	Status     Status `json:"status"`
	MergedInto ID     `json:"mergedInto,omitempty"` // set on a removed entry that lives on in another

	Version Seq       `json:"version"` // the Seq of its last change
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`          // at its origin
	Checked time.Time `json:"checked,omitzero"` // when a person last said that this is true
	Claimed time.Time `json:"claimed,omitzero"` // since when people of it, proved, keep this entry; see [OpTeam]

	Fediverse *Fediverse `json:"fediverse,omitempty"` // an organisation's part in the fediverse; nil when it takes none

	Private *Private `json:"-"` // never leaves the instance
}

// Translation is an entry's text in another language.
type Translation struct {
	Name        string `json:"name,omitempty"`
	Summary     string `json:"summary,omitempty"`
	Description string `json:"description,omitempty"`
}

// Area is where an entry acts: zones by code (ISO 3166, or a national code below it), or a drawn polygon, or both.
type Area struct {
	Zones []string `json:"zones,omitempty"`
	Shape *Shape   `json:"geometry,omitempty"` // Polygon or MultiPolygon
}

// Address is a postal address, in the fields of schema.org's PostalAddress.
type Address struct {
	Street     string `json:"streetAddress,omitempty"`
	PostalCode string `json:"postalCode,omitempty"`
	Locality   string `json:"addressLocality,omitempty"`
	Region     string `json:"addressRegion,omitempty"`
	Country    string `json:"addressCountry,omitempty"` // ISO 3166-1 alpha-2
	Code       string `json:"municipality,omitempty"`   // national municipality code, in France the INSEE code
}

// Contact is how the public reaches an entry.
type Contact struct {
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Website string `json:"website,omitempty"` // http or https
}

// Link points to something of the entry's elsewhere.
type Link struct {
	Rel   string `json:"rel,omitempty"` // see [LinkRels]
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
}

// Image is a picture with its alternative text and licence.
type Image struct {
	URL     string `json:"url"`
	Alt     string `json:"alt,omitempty"`
	Licence string `json:"licence,omitempty"`
	Credit  string `json:"credit,omitempty"`
	Width   int    `json:"width,omitempty"`  // pixels
	Height  int    `json:"height,omitempty"` // pixels
}

// Schedule is when an event takes place.
type Schedule struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"` // exclusive; zero when not known
	AllDay   bool      `json:"allDay,omitempty"`
	Timezone string    `json:"timezone,omitempty"` // IANA name

	RRule     string       `json:"rrule,omitempty"` // RFC 5545 RRULE value
	ExDates   []time.Time  `json:"exdates,omitempty"`
	RDates    []time.Time  `json:"rdates,omitempty"`
	Overrides []Occurrence `json:"overrides,omitempty"`

	State         EventState `json:"status,omitempty"`        // empty means scheduled
	AttendanceURL string     `json:"attendanceUrl,omitempty"` // where to attend online
	RegisterURL   string     `json:"registerUrl,omitempty"`
	Price         string     `json:"price,omitempty"`
	Languages     []string   `json:"languages,omitempty"` // BCP 47, spoken there
}

// Occurrence is one moved or cancelled date of a recurring event.
type Occurrence struct {
	Original time.Time  `json:"recurrenceId"`
	Start    time.Time  `json:"start,omitzero"`
	End      time.Time  `json:"end,omitzero"`
	State    EventState `json:"status,omitempty"`
}

// EventState is schema.org's EventStatusType, shortened.
type EventState string

// States of an event.
const (
	Scheduled   EventState = "scheduled"
	Cancelled   EventState = "cancelled"
	Postponed   EventState = "postponed"
	Rescheduled EventState = "rescheduled"
	MovedOnline EventState = "movedOnline"
	Tentative   EventState = "tentative"
)

// Relation ties an entry to another one of the directory.
type Relation struct {
	Rel    string `json:"rel"` // see [RelationRels]
	Target ID     `json:"target"`
}

// Source is where an entry's data come from.
type Source struct {
	Name       string `json:"name"`
	URL        string `json:"url,omitempty"`
	ExternalID string `json:"externalId,omitempty"` // its id at the source
}

// Key identifies the record at its source, or is empty when the source gives no id.
func (s *Source) Key() string {
	if s == nil || s.ExternalID == "" {
		return ""
	}
	return s.Name + "\x00" + s.ExternalID
}

// Private is what stays on the instance.
type Private struct {
	Owners  []string `json:"owners,omitempty"`  // account ids
	Editors []string `json:"editors,omitempty"` // account ids
	Team    ID       `json:"team,omitempty"`    // the organisation in whose name it was posted: its team keeps this too
	Email   string   `json:"email,omitempty"`   // how moderators reach whoever sent it
	Phone   string   `json:"phone,omitempty"`
	Note    string   `json:"note,omitempty"`

	Mirror *Mirrored `json:"mirror,omitempty"` // of an entry that belongs to another instance

	// Twin is the entry of another instance, or of ours, that is the same and stands for this one in the public view of this
	// instance. Others see this one as before. Only [OpTwin] changes it.
	Twin ID `json:"twin,omitempty"`
}

// The words that open fields of an entry accept.
var (
	LinkRels          = []string{"website", "related", "registration", "shop", "donate", "newsletter", "video", "forum", "source", "mastodon", "mobilizon", "facebook", "instagram", "twitter", "linkedin", "youtube", "openstreetmap", "wikidata", "ical"}
	RelationRels      = []string{"organises", "organisedBy", "hosts", "memberOf", "partOf", "sameAs"}
	AccessibilityKeys = []string{"wheelchair", "toilets", "hearing", "visual", "signLanguage", "parking", "note"}
	IdentifierKeys    = []string{"siret", "siren", "rna", "osm", "wikidata", "uic"}
)

// Public reports whether anybody may see e.
func (e *Entry) Public() bool { return e.Status == Published }

// Shown reports whether e is in the public view of this instance: lists, map, search and counts. A public entry that another
// one stands for is not; it goes on to be at its address, and other instances go on to see it.
func (e *Entry) Shown() bool { return e.Public() && (e.Private == nil || e.Private.Twin == "") }

// MainCategory is the first of e's categories, or empty.
func (e *Entry) MainCategory() string {
	if len(e.Categories) == 0 {
		return ""
	}
	return e.Categories[0]
}

// Town is the locality of e's address, or empty.
func (e *Entry) Town() string {
	if e.Address == nil {
		return ""
	}
	return e.Address.Locality
}
