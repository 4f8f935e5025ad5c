// Package frontend draws the pages of a directory: views in, HTML out.
//
// It knows nothing of the store, the index or the server. Callers fill the
// plain structs of this package and render the component of the same name.
// Every coordinate is [longitude, latitude] in degrees (WGS 84), every
// distance is in metres, every time carries the location it is shown in.
//
// All pages obey the Content-Security-Policy "default-src 'self'" and nothing
// more: no inline style, no inline script, no data: URI.
//
// Every page works without scripts. Where they run, the island (island/*.ts)
// asks "/" and "/e/{slug}" for the same URL with fragment=1 and puts the answer,
// [HomeFragment] or [EntryFragment], in the page; anything but 200 makes it
// leave the page as it is, or load the full one. It reads its configuration
// from the page's element "map-config". The addresses of pages, pictures,
// tiles and exports are made by [Query] and the functions ending in URL.
//
// The files under dist are built by scripts/frontend and embedded, so that
// running the program needs no Node. After a change to a template run
// `go run github.com/a-h/templ/cmd/templ@v0.3.977 generate`.
package frontend

import "time"

// Page is what every page needs, whatever it shows.
type Page struct {
	Lang        string    // negotiated language tag, one of Site.Languages ("fr")
	Path        string    // request path with its query ("/?q=repair"), the target of the language links
	Title       string    // of this page, without the site's name; empty on Home
	Description string    // for search engines and shared links; plain text
	Canonical   string    // absolute URL of this page, empty when it should not be indexed
	ImageURL    string    // absolute URL of the picture shown when the page is shared
	Now         time.Time // the moment "open now" and "in 3 days" refer to
	Site        Site
	Light       bool // the visitor asked for pages without a live map (cookie "light=1" or Save-Data: on)
	NoIndex     bool // keep search engines away (fragments of lists, errors)

	Visitor *Visitor // who reads it; nil hides everything about accounts
	CSRF    string   // token for the field "csrf" of forms; empty on pages without one
}

// Site is the directory itself, as its operator named it.
type Site struct {
	Name      string   // "Archipel Loire"
	Territory string   // where it is about, for people: "la Loire et Saint-Étienne"
	Tagline   string   // one plain line under the name, optional
	Accent    string   // "#rrggbb", the operator's colour; empty for the default
	LogoURL   string   // path on this server, optional
	PublicURL string   // scheme and host, without a trailing slash
	Languages []string // tags offered, in the order of the switch: {"fr", "en"}
	Demo      bool     // the content is fictitious, and every page says so
	ReportURL string   // where "something is wrong?" leads, "{slug}" replaced; a mailto: or a path; empty hides it
	SignUpURL string   // path of the sign-up page, empty until there is one
	AddURL    string   // path of the page that adds an entry, empty until there is one
	Digests   bool     // news can be received by mail
}

// Category is a term of the taxonomy, ready to be shown.
type Category struct {
	ID    string
	Label string // in the page's language
	Icon  string // a name of icons.txt; an unknown one falls back to the kind's
	Color string // "#rrggbb"
}

// Chip is a filter that can be switched on and off, with what it would leave.
type Chip struct {
	Category        // Icon and Color may be empty
	Count    int    // entries left when it is on, within the other filters
	Selected bool   // it is on
	Children []Chip // one level below, shown when the chip is on
}

// Position is a point and how well it is known.
type Position struct {
	Lon, Lat    float64
	Approximate bool // somewhere around: shown as a soft ring
}

// Bounds is a box in degrees. West may exceed East across the antimeridian.
type Bounds struct {
	West, South, East, North float64
}

// MapView is the picture beside a list or an entry, and what the live map starts from.
type MapView struct {
	Bounds      Bounds            // what the static picture shows, after fitting; the live map starts there
	Categories  []Category        // every category, so that the live map can draw any marker
	Credits     []Credit          // written on the map: basemap, streets, data
	MinZoom     int               // of the entries' tiles
	MaxZoom     int               // of the entries' tiles; 0 means 18
	BaseMaxZoom int               // of the basemap's tiles; deeper ones are stretched; 0 means 10
	BaseMinZoom int               // of a basemap of pictures: above it the embedded world shows
	DarkImage   bool              // the static picture also comes with theme=dark
	ImageURL    string            // instead of the one made from the query (an entry's own map)
	Islands     map[string]string // names of those whose entries are on the map, by host
	BaseTiles   string            // URL template of the basemap; empty means "/tiles/base/{z}/{x}/{y}.mvt"; any other ending means pictures
}

// Credit names somebody whose work is shown.
type Credit struct {
	Name       string // "Natural Earth"
	URL        string
	Licence    string // "CC BY 4.0"
	LicenceURL string
	Note       string // what was taken, in the page's language
	Count      int    // entries it covers, 0 when that says nothing
}

// Card is an entry in a list.
type Card struct {
	ID, Slug    string
	Name        string
	Kind        string // organisation, place, initiative or event
	Category    Category
	Town        string
	Distance    float64 // metres from the point asked for; negative when there is none
	Summary     string  // plain text
	Position    *Position
	Number      int    // on the static map and on paper, from 1; 0 for an entry without position
	Origin      string // name of the island it is mirrored from; empty when ours
	Licence     string // of a mirrored one
	Silent      bool   // nobody was heard from that island for long
	Highlight   bool   // a mirrored one that is recommended here
	Alive       Alive
	Fictitious  bool
	PrintLine   string // address in one line, for paper
	PrintPhone  string
	PrintHours  string // opening hours in one line, for paper
	ExcerptHTML string // instead of Summary, with <mark>; sanitised by the caller
}

// Alive says that somebody is there: hours, the next date, when it was checked.
type Alive struct {
	Open    OpenState
	Until   time.Time // when Open: closing time; when Closed: next opening; zero if unknown or never
	Next    *Occurrence
	Checked time.Time // somebody confirmed it, zero if nobody did
	Seen    time.Time // checked, or else changed
	Stale   bool      // seen too long ago
	Status  string    // "", "cancelled", "postponed", "rescheduled", "movedOnline", "tentative", "closed" (for good), "ended"
}

// OpenState is what opening hours say about a moment.
type OpenState int

// The states of opening hours.
const (
	OpenUnknown OpenState = iota // no hours given, or not understood
	Open
	Closed
)

// Occurrence is one date of an event, in the event's own time zone.
type Occurrence struct {
	Start, End time.Time // End may be zero
	AllDay     bool
	Name       string // of the event when it is told on another entry's card
	Slug       string
	Status     string // as Alive.Status
}

// HomeView is the list beside the map.
type HomeView struct {
	Query      Query
	Cards      []Card
	Total      int               // entries matching the query, exact, never capped
	Everywhere int               // entries matching without the area (bbox, near, zone); 0 when not counted
	Directory  int               // all published entries; 0 shows the first-run page
	Categories []Chip            // top level, in the order of the taxonomy
	Kinds      []Chip            // ID is the kind; labels are made here
	OpenNow    Chip              // how many of these are open now; ID and Label are not used
	OnlyHere   *Chip             // how many of these are ours, where that is not all; nil: all are
	Next       string            // value of "after" for the next page; empty on the last
	Sorts      []string          // accepted values of "sort", in order; nil means {"name", "updated"} and "distance" with a point
	Labels     map[string]string // label of a category, tag or zone id in the query that is not in Categories
	Nearest    []Card            // for an empty list: the nearest matches outside the area
	Suggestion string            // for an empty list: a corrected spelling of Query.Q
	Found      Found             // what a search says beside its entries
	Notices    []string          // said above the list, in the page's language
	Map        MapView
	Command    string // how this program is called, for the first-run page: "archipel"
	DataDir    string // where the data is; shown on the first-run page only when not empty
}
