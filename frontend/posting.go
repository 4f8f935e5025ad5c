package frontend

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// EntryForm is what somebody typed, and what is wrong with it. Fields are named by their paths in the public form of an entry.
type EntryForm struct {
	Values   url.Values
	Problems []Problem
	CSRF     string // value of the hidden field "csrf"
}

// Option is a value that can be chosen.
type Option struct {
	Value, Label string
	Selected     bool
}

// OptionGroup is options under a heading.
type OptionGroup struct {
	Label   string
	Options []Option
}

// Same is an entry that may be the same as the one being added.
type Same struct {
	Card    Card
	Reasons []string // codes of the locale's [same]: register, website, mail, phone, name
}

// PostingView is a form that adds or changes an entry.
type PostingView struct {
	Form         EntryForm
	Step         int           // 1 to 3; 0: everything on one page
	Action       string        // where the form is sent
	Back         string        // the step before, or the entry
	Name         string        // of the entry that is changed, or as typed so far
	Version      int64         // of the entry that is changed, 0 for a new one
	Imported     string        // the calendar that an event comes from, and that wins
	ImportedURL  string        // where its team sees it; empty: nowhere
	CalendarsURL string        // where an organisation says which calendars it has elsewhere; empty: nowhere
	Broken       []BrokenLink  // links that do not answer any more
	Dates        []PostingDate // the next ones of a repeated event, one by one
	ExtraDates   []PostingDate // beside the rule, with rows for more
	RemoveURL    string        // where it is taken down; empty: nowhere
	Island       string        // the directory that the entry belongs to, which a suggestion is brought to; empty: this one
	Suggestion   bool          // it waits for somebody of the directory; asks how to reach the sender
	Reviewed     bool          // what is changed waits until moderators looked at it
	WaitsSince   string        // an earlier change waits, which the form shows: since when, in words
	SignInURL    string        // offered to who has no account
	Event        bool
	Categories   []OptionGroup
	Places       []Option       // found for the address; Value goes into "place"
	NoPlace      bool           // an address was looked for and not found
	TownOnly     bool           // no server knows streets here
	Zones        []Option       // chosen and found
	Organisers   []Option       // organisations in whose name it can be posted
	Relations    *RelationsView // nil: the form does not ask for them
	Unseen       int            // relations that the form does not show
	Images       []Image        // uploaded so far
	ImageLimit   int
	Hours        *HoursView // the opening hours in words
	Same         []Same
	Conflict     []FieldChange // Old is what stands now, New what was typed
	Map          MapView       // for the pin; with scripts only
	Saved        bool          // the draft was kept
}

// OwnEntry is a line of the page of one's own entries.
type OwnEntry struct {
	Name, Kind string
	URL        string // of the page, or of the next step
	EditURL    string
	DiscardURL string // of a draft: a form is sent there
	Status     string // draft, pending, published or hidden
	Note       string
	NoteURL    string // what the note leads to; may be empty
}

// OwnEntriesView is the page of one's own entries.
type OwnEntriesView struct {
	CSRF    string
	Groups  []OwnGroup
	AddURL  string
	Notices []string

	Past    bool   // the list is of dates that are over
	BackURL string // from it to the others
	Over    int    // dates that are over, and their list
	OverURL string
	Next    string // the next page; empty on the last
}

// OwnGroup is one's own entries of one status.
type OwnGroup struct {
	Status  string
	Entries []OwnEntry
}

// PostingDoneView thanks for a suggestion.
type PostingDoneView struct {
	Name string
	URL  string // of the entry when there is one to see
}

func (f EntryForm) get(name string) string { return f.Values.Get(name) }

// problems are those of one field.
func (f EntryForm) problems(name string) []Problem {
	var out []Problem
	for _, p := range f.Problems {
		if postingField(p.Field) == name {
			out = append(out, p)
		}
	}
	return out
}

// postingField is the field of the form in which a problem can be put right.
func postingField(path string) string {
	switch {
	case strings.HasPrefix(path, "categories"):
		return "categories"
	case strings.HasPrefix(path, "tags"):
		return "tags"
	case strings.HasPrefix(path, "area"):
		return "area.zones"
	case path == "event.start":
		return "event.startDate"
	case path == "event.end":
		return "event.endDate"
	case path == "event.rrule":
		return "event.repeat"
	}
	return path
}

var plainFields = []string{"kind", "name", "categories", "summary", "description", "tags", "openingHours", "geometry", "area.zones",
	"address.streetAddress", "address.postalCode", "address.addressLocality", "address.addressCountry", "contact.name", "contact.email", "contact.phone",
	"contact.website", "event.startDate", "event.startTime", "event.endDate", "event.endTime", "event.timezone", "event.repeat", "event.until", "event.price",
	"event.attendanceUrl", "event.registerUrl", "event.status", "reason", "sure", "picture", "sender", "note", "organiser"}

// postingID is the id of a field's element. Fields that no form shows lead to the form itself.
func postingID(path string) string {
	name := postingField(path)
	if !slices.Contains(plainFields, name) && !strings.HasPrefix(name, "links[") && !strings.HasPrefix(name, "images[") && !strings.HasPrefix(name, "hours") {
		return "posting"
	}
	return "f-" + strings.NewReplacer("[", "-", "]", "", ".", "-").Replace(name)
}

// postingAttributes tie a field to its hint and its problems.
func postingAttributes(f EntryForm, name string, hint bool, more templ.Attributes) templ.Attributes {
	a := templ.Attributes{"id": postingID(name), "name": name}
	var by []string
	if hint {
		by = append(by, postingID(name)+"-hint")
	}
	if len(f.problems(name)) > 0 {
		a["aria-invalid"] = "true"
		by = append(by, postingID(name)+"-error")
	}
	if len(by) > 0 {
		a["aria-describedby"] = strings.Join(by, " ")
	}
	for k, v := range more {
		a[k] = v
	}
	return a
}

func listField(list string, i int, name string) string {
	return fmt.Sprintf("%s[%d].%s", list, i, name)
}

// linkRows is how many rows of links a form shows: those there are, and one more.
func linkRows(f EntryForm) int {
	n := 0
	for f.Values.Get(listField("links", n, "url")) != "" || f.Values.Get(listField("links", n, "title")) != "" {
		n++
	}
	return min(n+1, 12)
}

// categoryRows is how many categories can be chosen: those that there are, and one more.
func categoryRows(f EntryForm) int {
	n := 0
	for _, id := range f.Values["categories"] {
		if id != "" {
			n++
		}
	}
	return max(2, n+1)
}

func nth(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func numbered(id string, i int) string {
	if i == 0 {
		return id
	}
	return fmt.Sprintf("%s-%d", id, i+1)
}

// stepURL leads from one step of an unfinished entry to another.
func stepTitle(l *Localizer, v PostingView) string {
	switch {
	case v.Step == 1:
		return l.Text("posting.step_what")
	case v.Step == 2:
		return l.Text("posting.step_where")
	case v.Step == 3:
		return l.Text("posting.step_about")
	case v.Suggestion:
		return l.Text("posting.suggest_title", "Name", v.Name)
	}
	return l.Text("posting.edit_title", "Name", v.Name)
}

// PostingTitle is the title of a form's page.
func PostingTitle(lang string, v PostingView) string { return stepTitle(T(lang), v) }

// EditURL and the others are where entries are added and changed.
func EditURL(slug string) string { return EntryURL(slug) + "/edit" }

// SuggestURL is where anybody proposes a correction.
func SuggestURL(slug string) string { return EntryURL(slug) + "/suggest" }

func pinMapConfig(p Page, m MapView) mapConfig { return newMapConfig(p, m) }

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func ownName(l *Localizer, e OwnEntry) string {
	if e.Name == "" {
		return l.Text("own.unnamed")
	}
	return e.Name
}

func categoryAttributes(l *Localizer, f EntryForm, i int) templ.Attributes {
	a := templ.Attributes{}
	if i == 0 && len(f.problems("categories")) > 0 {
		a["aria-invalid"], a["aria-describedby"] = "true", postingID("categories")+"-error"
	}
	if i > 1 {
		a["aria-label"] = l.Text("posting.category_more")
	}
	return a
}
