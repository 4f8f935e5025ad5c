package frontend

import "time"

// EntryView is everything known about one entry.
type EntryView struct {
	ID, Slug        string
	Name            string
	Kind            string
	Lang            string // of the texts, when it is not the page's
	Category        Category
	Categories      []Category // the others
	Tags            []string
	Town            string
	Summary         string
	DescriptionHTML string // sanitised by the caller
	Address         Address
	Position        *Position
	Sites           []Place // when there are several
	Area            string  // where it acts, for people
	Contact         Contact
	Links           []Link
	Hours           *Hours
	Images          []Image
	Accessibility   []Fact
	Event           *EventView
	Alive           Alive
	Related         []RelatedGroup
	Licence         Licence
	Attribution     string // what its source asks to be written beside its data
	Source          *Source
	Origin          *Source // the island it is mirrored from, and its page there; nil when ours
	Isle            IsleView
	Created         time.Time
	Updated         time.Time
	Version         int64
	Fictitious      bool
	SchemaType      string // of schema.org, from the taxonomy's crosswalk ("Library"); empty for the kind's
	Back            string // URL of the list the visitor came from; empty means "/"
	Map             MapView
	Notices         []string
	EditURL         string // for those who may change it
	SuggestURL      string // for all others, when it is ours
	Claimed         time.Time
	ClaimURL        string // where people of it say so; empty: they did, or cannot
	TeamURL         string // who keeps it, for those who may know
	Handle          string // "@la-fourmiliere@annuaire.example", by which it is followed in the fediverse; empty: it is not
	FediverseURL    string // where its owners say how
	MovedTo         string // address of the account there to which it has moved
	Participants    int    // people elsewhere who say that they come
	Echoes          EchoesView
}

// Address is a postal address.
type Address struct {
	Street, PostalCode, Town, Region, Country string
}

// Place is one of several sites.
type Place struct {
	Name     string
	Address  Address
	Position Position
}

// Contact is how to reach people.
type Contact struct {
	Name     string
	Phones   []string
	Emails   []string
	Websites []string
}

// Link is a link with what it is about. URL must be http, https, mailto, tel or geo; others are not drawn.
type Link struct {
	Rel   string // a code of the locale's [link], or empty
	Label string // instead of the code's text; may be empty
	URL   string
}

// Hours are the opening hours of a week.
type Hours struct {
	Raw     string // OSM syntax, shown when Days is empty
	Days    []HoursDay
	Comment string
}

// HoursDay is one weekday and its spans ("09:00–12:00"), none when closed.
type HoursDay struct {
	Weekday time.Weekday
	Spans   []string
	Today   bool
}

// Image is a picture with its words.
type Image struct {
	URL           string // path on this server
	Alt           string
	Width, Height int // 0 when unknown
	Credit        string
	Licence       string
	Sources       []ImageSource // the same picture in several sizes, the smallest first
}

// Fact is a coded statement about accessibility; Code is one of the locale's
// [accessibility] (the keys of directory.AccessibilityKeys) and Value one of
// [accessibility_value] (yes, limited, no, designated) or free text.
type Fact struct {
	Code, Value string
}

// EventView is when and where an event happens.
type EventView struct {
	Occurrence         // the one shown: the next, or the last
	TimeZone    string // IANA name, told when it is not the site's
	Recurrence  string // for people, in the page's language; empty when it happens once
	Upcoming    []Occurrence
	OnlineURL   string // attendance link
	RegisterURL string
	Price       string
	Languages   []string // spoken there, as people read them
}

// RelatedGroup is a relation and those it leads to.
type RelatedGroup struct {
	Relation string // a code of the locale's [relation]: organises, hosts, memberOf, partOf, sameAs; reversed: organisedBy, hostedBy, members, parts
	Cards    []Card
}

// Licence is how an entry may be used again.
type Licence struct {
	ID   string // SPDX
	Name string // for people; empty means ID
	URL  string
}

// Source is where an entry comes from.
type Source struct {
	Name, URL string
}
